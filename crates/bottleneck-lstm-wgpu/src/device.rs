//! Buffers, and the launch of each kernel on them.

use burn::tensor::{DType, Shape};
use burn_cubecl::CubeRuntime;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::client::ComputeClient;
use cubecl::prelude::*;
use cubecl::server::Handle;
use cubecl::{CubeCount, CubeDim, calculate_cube_count_elemwise};

use crate::backend::Call;
use crate::kernels::depthwise::{self, DepthwiseSizes};
use crate::kernels::gates::{self, GateSizes, StatesLaunch};
use crate::kernels::product::{self, ProductSizes};
use crate::kernels::{PlaceLaunch, gradients, scale};
use crate::launches::Launches;
use crate::plan::widest;
use crate::tiling::Threads;

const BYTES: usize = size_of::<f32>();

/// Values on the device, `f32` but for weights that may be `f16`.
#[derive(Debug, Clone)]
pub(crate) struct Buffer {
    handle: Handle,
    values: usize,
    dtype: DType,
}

impl Buffer {
    /// As an argument of vectors of `width` values.
    pub(crate) fn arg<R: Runtime>(&self, width: usize) -> ArrayArg<R> {
        // SAFETY: the handle is of `values` values, of which `width` is a divisor.
        unsafe { ArrayArg::from_raw_parts(self.handle.clone(), self.values / width) }
    }

    fn bytes(&self) -> u64 {
        (self.values * self.dtype.size()) as u64
    }
}

/// A buffer and where the frames of a batch begin in it, in values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frames<'a> {
    pub buffer: &'a Buffer,
    pub first: usize,
    pub frame: usize,
}

impl Frames<'_> {
    pub(crate) fn place<R: Runtime>(&self, width: usize) -> PlaceLaunch<R> {
        PlaceLaunch::new(self.first / width, self.frame / width)
    }
}

fn place<R: Runtime>(frames: Option<Frames<'_>>, width: usize) -> PlaceLaunch<R> {
    match frames {
        Some(frames) => frames.place(width),
        None => PlaceLaunch::new(0, 0),
    }
}

/// Runs kernels on a device.
pub(crate) struct Device<'a, R: CubeRuntime> {
    pub(crate) client: ComputeClient<R>,
    device: R::Device,
    launches: &'a Launches,
    threads: Threads,
}

impl<'a, R: CubeRuntime> Device<'a, R> {
    /// The device that `tensor` is on.
    pub fn of(tensor: &CubeTensor<R>, call: &'a Call) -> Self {
        Self {
            client: tensor.client.clone(),
            device: tensor.device.clone(),
            launches: &call.launches,
            threads: call.tiling.threads(&tensor.client.properties().hardware),
        }
    }

    /// Room for `values`, whatever they are.
    pub fn empty(&self, values: usize) -> Buffer {
        Buffer {
            handle: self.client.empty(values * BYTES),
            values,
            dtype: DType::F32,
        }
    }

    /// The values of a tensor, side by side.
    pub fn values(&self, tensor: CubeTensor<R>) -> Buffer {
        let (values, dtype) = (tensor.meta.shape().num_elements(), tensor.dtype);
        if !tensor.is_contiguous() {
            self.launches.add((2 * values * dtype.size()) as u64);
        }
        Buffer {
            handle: into_contiguous(tensor).handle,
            values,
            dtype,
        }
    }

    /// Copies all of `from` to `to`, from `first` on.
    pub fn copy(&self, from: &Buffer, to: &Buffer, first: usize) {
        let (count, cube) = self.count(from.values);
        self.add([from, to]);
        // SAFETY: as `depthwise`.
        unsafe {
            gradients::copy::launch_unchecked::<f32, R>(
                &self.client,
                count,
                cube,
                from.arg(1),
                to.arg(1),
                from.values,
                first,
            );
        }
    }

    /// A tensor of all values of a buffer.
    pub fn tensor(&self, buffer: Buffer, shape: Shape) -> CubeTensor<R> {
        let (client, device) = (self.client.clone(), self.device.clone());
        CubeTensor::new_contiguous(client, device, shape, buffer.handle, DType::F32)
    }

    /// A tensor of `buffer`'s values from `first` on, which [`aligned`](Self::aligned) gave.
    pub fn part(&self, buffer: &Buffer, first: usize, shape: Shape) -> CubeTensor<R> {
        let after = buffer.values - first - shape.num_elements();
        let handle = buffer.handle.clone();
        let part = Buffer {
            handle: handle
                .offset_start((first * BYTES) as u64)
                .offset_end((after * BYTES) as u64),
            values: shape.num_elements(),
            ..*buffer
        };
        self.tensor(part, shape)
    }

    /// The first place from `values` on where a tensor may begin.
    pub fn aligned(&self, values: usize) -> usize {
        let alignment = self.client.properties().memory.alignment as usize;
        values.next_multiple_of((alignment / BYTES).max(4))
    }

    pub(crate) fn count(&self, threads: usize) -> (CubeCount, CubeDim) {
        let most = self.client.properties().hardware.max_units_per_cube;
        let cube = CubeDim::new_1d(self.threads.cube.min(most));
        let count = calculate_cube_count_elemwise(&self.client, threads, cube);
        (count, cube)
    }

    pub(crate) fn add<'b>(&self, buffers: impl IntoIterator<Item = &'b Buffer>) {
        self.launches
            .add(buffers.into_iter().map(Buffer::bytes).sum());
    }

    /// [`depthwise`](depthwise::depthwise) over so many frames each of `x` and `h`.
    pub fn depthwise(
        &self,
        sizes: DepthwiseSizes,
        [x, h]: [Option<(usize, Frames<'_>)>; 2],
        kernels: &Buffer,
        bias: Option<&Buffer>,
        (out, out_first): (&Buffer, usize),
    ) {
        let n = widest(&[sizes.map.width]);
        let x_planes = x.map_or(0, |(frames, _)| frames * sizes.groups * sizes.shared);
        let h_planes = h.map_or(0, |(frames, _)| frames * sizes.groups * sizes.own);
        let patch = self.threads.patch(x_planes + h_planes, sizes, n);
        let [x_count, h_count] =
            [x_planes, h_planes].map(|planes| planes * patch.threads(sizes.map, n));
        let (count, cube) = self.count(x_count + h_count);
        let [x, h] = [x, h].map(|frames| frames.map(|(_, frames)| frames));
        let arg = |frames: Frames<'_>| frames.buffer.arg(n);
        let inputs = [x, h].into_iter().flatten().map(|frames| frames.buffer);
        self.add(inputs.chain([kernels, out]).chain(bias));
        // SAFETY: a thread reads and writes within the planes that `sizes` says, which every caller makes
        // of the plan that the buffers were made for, and `Plan::check` held the parameters to.
        unsafe {
            depthwise::depthwise::launch_unchecked::<f32, R>(
                &self.client,
                count,
                cube,
                n,
                x.map(arg).into(),
                h.map(arg).into(),
                kernels.arg(1),
                bias.map(|bias| bias.arg(1)).into(),
                out.arg(n),
                x_count,
                h_count,
                place(x, n),
                place(h, n),
                out_first / n,
                sizes,
                patch,
            );
        }
    }

    /// [`product`](product::product) of so many `frames`, on vectors of `widths`: of positions, and of
    /// weights.
    pub fn product(
        &self,
        frames: usize,
        sizes: ProductSizes,
        [n, m]: [usize; 2],
        product: &Product<'_>,
    ) {
        let (groups, outputs) = (sizes.groups, sizes.outputs);
        let depth = |planes: Option<Frames<'_>>, depth| if planes.is_some() { depth } else { 0 };
        let depth = depth(product.x, sizes.x.depth) + depth(product.h, sizes.h.depth);
        let tile = self
            .threads
            .tile(frames * groups, [outputs, 1], depth, sizes.area, [n, m]);
        let threads = tile.threads(frames * groups, outputs, sizes.area);
        let (count, cube) = self.count(threads);
        let Product {
            x,
            h,
            start,
            weights,
            bias,
            out,
        } = *product;
        let arg = |frames: Frames<'_>| frames.buffer.arg(n);
        let inputs = [x, h, start].into_iter().flatten();
        let inputs = inputs.map(|frames| frames.buffer);
        self.add(inputs.chain([weights, out.buffer]).chain(bias));
        // SAFETY: as `depthwise`.
        unsafe {
            product::product::launch_unchecked::<f32, R>(
                &self.client,
                count,
                cube,
                n,
                m,
                x.map(arg).into(),
                h.map(arg).into(),
                start.map(arg).into(),
                weights.arg(m),
                bias.map(|bias| bias.arg(1)).into(),
                out.buffer.arg(n),
                threads,
                place(x, n),
                place(h, n),
                place(start, n),
                out.place(n),
                sizes,
                tile,
                weights.dtype.into(),
            );
        }
    }

    /// [`gates`](gates::gates), and [`scale`](scale::scale) where the cell state is scaled, on vectors of
    /// `widths`: of positions, and of weights.
    pub fn gates(&self, frames: usize, sizes: GateSizes, widths: [usize; 2], gates: &Gates<'_>) {
        let [n, m] = widths;
        let (groups, channels) = (sizes.groups, sizes.channels);
        let tile = self
            .threads
            .tile(frames * groups, [channels, 4], channels, sizes.area, [n, m]);
        let threads = tile.threads(frames * groups, channels, sizes.area);
        let (count, cube) = self.count(threads);
        let States {
            buffer,
            old,
            new,
            hidden,
            yielded,
        } = gates.states;
        let peephole = |index: usize| gates.peepholes[index].map(|weights| weights.arg(1));
        let states = || StatesLaunch::new(old / n, new / n, hidden / n, yielded / n);
        let tape = || gates.tape.map(|tape| tape.buffer.arg(n));
        let inputs = gates.peepholes.into_iter().flatten();
        let inputs = inputs
            .chain(gates.bias)
            .chain(gates.start)
            .chain(gates.kernels);
        let outputs = [buffer, gates.out.buffer].into_iter();
        let outputs = outputs.chain(gates.tape.map(|tape| tape.buffer));
        self.add(inputs.chain([gates.b.buffer, gates.weights]).chain(outputs));
        // SAFETY: as `depthwise`.
        unsafe {
            gates::gates::launch_unchecked::<f32, R>(
                &self.client,
                count,
                cube,
                n,
                m,
                gates.b.buffer.arg(n),
                gates.kernels.map(|kernels| kernels.arg(1)).into(),
                gates.weights.arg(m),
                gates.bias.map(|bias| bias.arg(1)).into(),
                peephole(0).into(),
                peephole(1).into(),
                peephole(2).into(),
                gates.start.map(|start| start.arg(n)).into(),
                buffer.arg(n),
                gates.out.buffer.arg(n),
                tape().into(),
                threads,
                gates.b.place(n),
                states(),
                gates.out.place(n),
                place(gates.tape, n),
                sizes,
                tile,
                gates.weights.dtype.into(),
            );
        }
        if !sizes.scale {
            return;
        }
        let cubes = frames * sizes.groups;
        let count = calculate_cube_count_elemwise(&self.client, cubes, CubeDim::new_single());
        self.add(
            gates.peepholes[2]
                .into_iter()
                .chain([buffer, gates.out.buffer]),
        );
        // SAFETY: as `depthwise`.
        unsafe {
            scale::scale::launch_unchecked::<f32, R>(
                &self.client,
                count,
                CubeDim::new_1d(scale::UNITS as u32),
                n,
                peephole(2).into(),
                buffer.arg(n),
                gates.out.buffer.arg(n),
                tape().into(),
                gates.divisors.map(|(divisors, _)| divisors.arg(1)).into(),
                cubes,
                states(),
                gates.out.place(n),
                place(gates.tape, n),
                gates.divisors.map_or(0, |(_, first)| first),
                sizes,
            );
        }
    }
}

/// What a product to the bottleneck looks at and writes to.
pub(crate) struct Product<'a> {
    /// What is left of the input and of the hidden state, if they are multiplied.
    pub x: Option<Frames<'a>>,
    pub h: Option<Frames<'a>>,
    /// What the sums start from, besides the bias.
    pub start: Option<Frames<'a>>,
    pub weights: &'a Buffer,
    pub bias: Option<&'a Buffer>,
    pub out: Frames<'a>,
}

/// What the gates of a step look at and write to.
pub(crate) struct Gates<'a> {
    /// The convolved bottleneck, or the bottleneck if there are kernels to convolve it with.
    pub b: Frames<'a>,
    pub kernels: Option<&'a Buffer>,
    pub weights: &'a Buffer,
    pub bias: Option<&'a Buffer>,
    /// Of input, forget and output gate.
    pub peepholes: [Option<&'a Buffer>; 3],
    /// The old cell state, if it is not among `states`.
    pub start: Option<&'a Buffer>,
    pub states: States<'a>,
    pub out: Frames<'a>,
    /// Where a record goes, if there is one: `frame` is what lies between its parts.
    pub tape: Option<Frames<'a>>,
    /// Where the divisors of a scaled cell state go, from which on, if they are recorded.
    pub divisors: Option<(&'a Buffer, usize)>,
}

/// A buffer of states, and where they begin in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct States<'a> {
    pub buffer: &'a Buffer,
    pub old: usize,
    pub new: usize,
    pub hidden: usize,
    /// Where the new cell state goes among the outputs, if the gates yield it.
    pub yielded: usize,
}
