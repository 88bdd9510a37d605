//! The launches of the backward pass's kernels.

use bottleneck_lstm::Activation;
use burn_cubecl::CubeRuntime;
use cubecl::prelude::*;
use cubecl::{CubeDim, calculate_cube_count_elemwise};

use crate::device::{Buffer, Device, Frames};
use crate::kernels::depthwise::DepthwiseSizes;
use crate::kernels::depthwise_backward::depthwise_backward;
use crate::kernels::gates::GateSizes;
use crate::kernels::gates_backward::{self, BackwardLaunch};
use crate::kernels::gradients::{self, OuterSizes, SumSizes};
use crate::kernels::transposed::{TransposedSizes, transposed};
use crate::kernels::{StridesLaunch, scale};

/// A buffer and where the frames of a sequence begin in it, in values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps<'a> {
    pub buffer: &'a Buffer,
    pub first: usize,
    /// From one video to the next, and from one step to the next.
    pub batch: usize,
    pub time: usize,
}

impl Steps<'_> {
    fn strides<R: Runtime>(&self, width: usize) -> StridesLaunch<R> {
        StridesLaunch::new(self.first / width, self.batch / width, self.time / width)
    }
}

fn strides<R: Runtime>(steps: Option<Steps<'_>>, width: usize) -> StridesLaunch<R> {
    match steps {
        Some(steps) => steps.strides(width),
        None => StridesLaunch::new(0, 0, 0),
    }
}

/// What a kernel goes over: so many frames in all, of videos of so many steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub frames: usize,
    pub time: usize,
}

/// What else is known of a convolution's input.
#[derive(Default)]
pub(crate) struct Input<'a> {
    /// The gradient that it has from elsewhere.
    pub more: Option<Steps<'a>>,
    /// The values that it took after its activation, if it has one.
    pub activated: Option<(Activation, Steps<'a>)>,
}

/// What the gates of a step look at and write to, backward.
pub(crate) struct GatesBackward<'a> {
    /// The gradient of outputs and, behind, of the last cell state.
    pub d_outputs: Frames<'a>,
    pub last: usize,
    /// The gradient of the hidden state, except in the last step.
    pub d_hidden: Option<&'a Buffer>,
    /// The record: `frame` is what lies between its parts.
    pub tape: Frames<'a>,
    /// The states, and where the old cell state begins.
    pub old: (&'a Buffer, usize),
    /// Of input, forget and output gate.
    pub peepholes: [Option<&'a Buffer>; 3],
    pub d_cell: &'a Buffer,
    /// Where the gates' gradients go, from which value on.
    pub d_gates: (&'a Buffer, usize),
    /// The divisors of a scaled cell state, from which value on.
    pub divisors: Option<(&'a Buffer, usize)>,
}

impl<R: CubeRuntime> Device<'_, R> {
    /// [`gates_backward`](gates_backward::gates_backward), in two parts where the cell state is scaled, on
    /// vectors of `n` positions.
    pub fn gates_backward(
        &self,
        batch: usize,
        sizes: GateSizes,
        n: usize,
        gates: &GatesBackward<'_>,
    ) {
        match gates.divisors {
            None => self.gates_backward_part(batch, sizes, n, gates, [true, true]),
            Some(divisors) => {
                self.gates_backward_part(batch, sizes, n, gates, [true, false]);
                let single = GateSizes {
                    area: sizes.area * n,
                    ..sizes
                };
                self.scale_backward(batch * sizes.groups, single, gates, divisors);
                self.gates_backward_part(batch, sizes, n, gates, [false, true]);
            }
        }
    }

    fn gates_backward_part(
        &self,
        batch: usize,
        sizes: GateSizes,
        n: usize,
        gates: &GatesBackward<'_>,
        [upper, lower]: [bool; 2],
    ) {
        let threads = batch * sizes.hidden() * sizes.area;
        let (count, cube) = self.count(threads);
        let peephole = |index: usize| gates.peepholes[index].map(|weights| weights.arg(1));
        let (cells, old) = gates.old;
        let (d_gates, first) = gates.d_gates;
        let inputs = gates.peepholes.into_iter().flatten().chain(gates.d_hidden);
        let buffers = [
            gates.d_outputs.buffer,
            gates.tape.buffer,
            cells,
            gates.d_cell,
            d_gates,
        ];
        self.add(inputs.chain(buffers));
        // SAFETY: a thread reads and writes at one place of planes whose sizes the plan made of the shapes
        // that the buffers were made for.
        unsafe {
            gates_backward::gates_backward::launch_unchecked::<f32, R>(
                &self.client,
                count,
                cube,
                n,
                gates.d_outputs.buffer.arg(n),
                gates.d_hidden.map(|d_hidden| d_hidden.arg(n)).into(),
                gates.tape.buffer.arg(n),
                cells.arg(n),
                peephole(0).into(),
                peephole(1).into(),
                peephole(2).into(),
                gates.d_cell.arg(n),
                d_gates.arg(n),
                threads,
                gates.d_outputs.place(n),
                gates.tape.place(n),
                BackwardLaunch::new(old / n, gates.last / n, first / n),
                sizes,
                upper,
                lower,
            );
        }
    }

    fn scale_backward(
        &self,
        cubes: usize,
        sizes: GateSizes,
        gates: &GatesBackward<'_>,
        (divisors, first): (&Buffer, usize),
    ) {
        let count = calculate_cube_count_elemwise(&self.client, cubes, CubeDim::new_single());
        self.add([gates.tape.buffer, divisors, gates.d_cell]);
        // SAFETY: as above.
        unsafe {
            gates_backward::scale_backward::launch_unchecked::<f32, R>(
                &self.client,
                count,
                CubeDim::new_1d(scale::UNITS as u32),
                1,
                gates.tape.buffer.arg(1),
                divisors.arg(1),
                gates.d_cell.arg(1),
                cubes,
                first,
                gates.tape.place(1),
                sizes,
            );
        }
    }

    /// [`transposed`], on vectors of positions and of weights.
    pub fn transposed(
        &self,
        extent: Extent,
        sizes: TransposedSizes,
        [n, m]: [usize; 2],
        [y, out]: [Steps<'_>; 2],
        weights: &Buffer,
    ) {
        let tiles = sizes.groups * sizes.columns / (sizes.tile * m);
        let threads = extent.frames * tiles * sizes.area;
        let (count, cube) = self.count(threads);
        self.add([y.buffer, weights, out.buffer]);
        // SAFETY: as above.
        unsafe {
            transposed::launch_unchecked::<f32, R>(
                &self.client,
                count,
                cube,
                n,
                m,
                y.buffer.arg(n),
                weights.arg(m),
                out.buffer.arg(n),
                threads,
                extent.time,
                y.strides(n),
                out.strides(n),
                sizes,
            );
        }
    }

    /// [`depthwise_backward`] to `out` from the gradient `d`.
    pub fn depthwise_backward(
        &self,
        extent: Extent,
        sizes: DepthwiseSizes,
        of_input: bool,
        [d, out]: [Steps<'_>; 2],
        kernels: &Buffer,
        Input { more, activated }: Input<'_>,
    ) {
        let planes = match of_input {
            true => sizes.shared,
            false => sizes.groups * sizes.own,
        };
        let threads = extent.frames * planes * sizes.map.area();
        let (count, cube) = self.count(threads);
        let (activation, y) = activated.unzip();
        let arg = |steps: Steps<'_>| steps.buffer.arg(1);
        let inputs = [more, y].into_iter().flatten().map(|steps| steps.buffer);
        self.add(inputs.chain([d.buffer, kernels, out.buffer]));
        // SAFETY: as above.
        unsafe {
            depthwise_backward::launch_unchecked::<f32, R>(
                &self.client,
                count,
                cube,
                1,
                d.buffer.arg(1),
                kernels.arg(1),
                more.map(arg).into(),
                y.map(arg).into(),
                out.buffer.arg(1),
                threads,
                extent.time,
                d.strides(1),
                strides(more, 1),
                strides(y, 1),
                out.strides(1),
                sizes,
                of_input,
                activation.unwrap_or(Activation::Identity),
            );
        }
    }

    /// [`outer`](gradients::outer), on vectors of `n` positions.
    pub fn outer(
        &self,
        extent: Extent,
        sizes: OuterSizes,
        n: usize,
        [d, x]: [Steps<'_>; 2],
        out: &Buffer,
    ) {
        let threads = sizes.threads();
        let (count, cube) = self.count(threads);
        self.add([d.buffer, x.buffer, out]);
        // SAFETY: as above.
        unsafe {
            gradients::outer::launch_unchecked::<f32, R>(
                &self.client,
                count,
                cube,
                n,
                d.buffer.arg(n),
                x.buffer.arg(n),
                out.arg(1),
                threads,
                extent.frames,
                extent.time,
                d.strides(n),
                x.strides(n),
                sizes,
            );
        }
    }

    /// [`kernel_gradient`](gradients::kernel_gradient).
    pub fn kernel_gradient(
        &self,
        extent: Extent,
        sizes: DepthwiseSizes,
        of_input: bool,
        [d, x]: [Steps<'_>; 2],
        out: &Buffer,
    ) {
        let own = if of_input { sizes.shared } else { sizes.own };
        let threads = sizes.groups * own * sizes.map.taps();
        let (count, cube) = self.count(threads);
        self.add([d.buffer, x.buffer, out]);
        // SAFETY: as above.
        unsafe {
            gradients::kernel_gradient::launch_unchecked::<f32, R>(
                &self.client,
                count,
                cube,
                d.buffer.arg(1),
                x.buffer.arg(1),
                out.arg(1),
                threads,
                extent.frames,
                extent.time,
                d.strides(1),
                x.strides(1),
                sizes,
                of_input,
            );
        }
    }

    /// [`sums`](gradients::sums) of so many `planes`, which are new.
    pub fn sums(
        &self,
        extent: Extent,
        sizes: SumSizes,
        planes: usize,
        d: Steps<'_>,
        x: Option<Steps<'_>>,
    ) -> Buffer {
        let threads = planes * if sizes.pinned { sizes.area } else { 1 };
        let out = self.empty(threads);
        let (count, cube) = self.count(threads);
        self.add([d.buffer, &out].into_iter().chain(x.map(|x| x.buffer)));
        // SAFETY: as above.
        unsafe {
            gradients::sums::launch_unchecked::<f32, R>(
                &self.client,
                count,
                cube,
                d.buffer.arg(1),
                x.map(|x| x.buffer.arg(1)).into(),
                out.arg(1),
                threads,
                extent.frames,
                extent.time,
                d.strides(1),
                strides(x, 1),
                sizes,
            );
        }
        out
    }
}
