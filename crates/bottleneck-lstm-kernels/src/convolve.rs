//! Depthwise convolutions of many octets, forward and backward.

use std::ops::Range;

use crate::depthwise::Map;
use crate::lanes::{Kernel, LANES, Lanes, Octet, Vectors};
use crate::octets::gather;
use crate::planes::{PlanesMut, each, split_planes};
use crate::share::Share;

/// Values of a page of memory.
const PAGE: usize = 1024;

/// Turns some octets of the input into octets and convolves them, for each group with kernels of its
/// own.
pub struct ConvolveInput<'a> {
    pub map: Map,
    pub groups: usize,
    /// Frames after one another, channels first, `[frames, channels, area]`.
    pub xs: &'a [f32],
    pub frames: usize,
    /// Which octets of the channels.
    pub octets: Range<usize>,
    /// Of all octets, `[octets, groups, k * k]`.
    pub kernels: &'a [Octet],
    /// Of all octets.
    pub bias: &'a [Octet],
    pub rows: Range<usize>,
    /// The rows of a plane that `rows` depend on; one serves all, so that it stays in the first-level cache.
    pub gathered: &'a mut [Octet],
    /// `[octets, groups, frames, positions]`
    pub out: &'a mut [Octet],
}

impl ConvolveInput<'_> {
    fn positions(&self) -> usize {
        self.rows.len() * self.map.width
    }
}

impl Kernel for ConvolveInput<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let (area, width) = (self.map.area(), self.map.width);
        let (positions, taps) = (self.positions(), self.map.kernel * self.map.kernel);
        let size = self.xs.len() / self.frames;
        let reach = self.map.reach(&self.rows);
        let gathered = &mut self.gathered[..reach.len() * width];
        let outs = self
            .out
            .chunks_exact_mut(self.groups * self.frames * positions);
        for (octet, out) in self.octets.clone().zip(outs) {
            let kernels = &self.kernels[octet * self.groups * taps..][..self.groups * taps];
            for frame in 0..self.frames {
                let plane = |octet, frame| {
                    let x = &self.xs[frame * size..][..size];
                    x.get(octet * LANES * area..).unwrap_or_default()
                };
                // Eight places of a page, as they are read, are more than the hardware foresees.
                let next = match frame + 1 < self.frames {
                    _ if area > PAGE => &[],
                    true => plane(octet, frame + 1),
                    false => plane(octet + 1, 0),
                };
                let x = plane(octet, frame);
                gather(l, x, next, area, reach.start * width, gathered);
                let outs = out.chunks_exact_mut(self.frames * positions);
                for (kernel, out) in kernels.chunks_exact(taps).zip(outs) {
                    let out = &mut out[frame * positions..][..positions];
                    let (bias, rows) = (Some(self.bias[octet]), self.rows.clone());
                    self.map
                        .convolve(l, (gathered, reach.start), kernel, bias, rows, out);
                }
            }
        }
    }
}

/// Convolves planes of octets.
pub struct Convolve<'a> {
    pub map: Map,
    /// `[octets, area]`
    pub x: &'a [Octet],
    /// `[octets, k * k]`
    pub kernels: &'a [Octet],
    /// `[octets]`, or none.
    pub bias: &'a [Octet],
    pub rows: Range<usize>,
    /// `[octets, positions of the rows]`
    pub out: PlanesMut<'a, Octet>,
}

impl Share for Convolve<'_> {
    fn parts(&self) -> usize {
        self.x.len() / self.map.area()
    }

    fn split(self, at: usize) -> (Self, Self) {
        let (x, other_x) = self.x.split_at(at * self.map.area());
        let taps = self.map.kernel * self.map.kernel;
        let (kernels, other_kernels) = self.kernels.split_at(at * taps);
        let (bias, other_bias) = self.bias.split_at(at.min(self.bias.len()));
        let [out, other_out] = split_planes(self.out, at);
        (
            Self {
                x,
                kernels,
                bias,
                out,
                rows: self.rows.clone(),
                ..self
            },
            Self {
                x: other_x,
                kernels: other_kernels,
                bias: other_bias,
                out: other_out,
                ..self
            },
        )
    }
}

impl Kernel for Convolve<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        let (area, taps) = (self.map.area(), self.map.kernel * self.map.kernel);
        let planes = self
            .x
            .chunks_exact(area)
            .zip(self.kernels.chunks_exact(taps));
        for (octet, ((x, kernel), out)) in planes.zip(each(&mut self.out)).enumerate() {
            let bias = Some(self.bias.get(octet).copied().unwrap_or_default());
            self.map
                .convolve(l, (x, 0), kernel, bias, self.rows.clone(), out);
        }
    }
}

/// From the gradient of a depthwise convolution's output to those of its kernels and its input.
pub struct DepthwiseBackward<'a> {
    pub map: Map,
    /// The input, `[octets, area]`.
    pub x: &'a [Octet],
    /// The gradient of the output, likewise.
    pub out: &'a [Octet],
    /// The kernels, turned by half a turn, `[octets, k * k]`.
    pub turned: &'a [Octet],
    /// Added to, likewise.
    pub kernels: &'a mut [Octet],
    /// Added to, `[octets]`; empty if there is none.
    pub bias: &'a mut [Octet],
    /// Of the input, `[octets, area]`; empty if it is not wanted.
    pub gradient: &'a mut [Octet],
    /// Whether the gradient of the input is added to, not written.
    pub adds: bool,
}

impl Share for DepthwiseBackward<'_> {
    fn parts(&self) -> usize {
        self.x.len() / self.map.area()
    }

    fn split(self, at: usize) -> (Self, Self) {
        let planes = at * self.map.area();
        let taps = at * self.map.kernel * self.map.kernel;
        let (x, other_x) = self.x.split_at(planes);
        let (out, other_out) = self.out.split_at(planes);
        let (turned, other_turned) = self.turned.split_at(taps);
        let (kernels, other_kernels) = self.kernels.split_at_mut(taps);
        let (bias, other_bias) = self.bias.split_at_mut(at.min(self.bias.len()));
        let planes = planes.min(self.gradient.len());
        let (gradient, other_gradient) = self.gradient.split_at_mut(planes);
        (
            Self {
                x,
                out,
                turned,
                kernels,
                bias,
                gradient,
                ..self
            },
            Self {
                x: other_x,
                out: other_out,
                turned: other_turned,
                kernels: other_kernels,
                bias: other_bias,
                gradient: other_gradient,
                ..self
            },
        )
    }
}

impl Kernel for DepthwiseBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let (map, area) = (self.map, self.map.area());
        let taps = map.kernel * map.kernel;
        let planes = self.x.chunks_exact(area).zip(self.out.chunks_exact(area));
        for (octet, (x, out)) in planes.enumerate() {
            let kernel = octet * taps..(octet + 1) * taps;
            map.kernel_gradient(l, x, out, &mut self.kernels[kernel.clone()]);
            if let Some(bias) = self.bias.get_mut(octet) {
                let one = l.one();
                let mut sum = one.load(bias);
                for out in out {
                    sum = one.add(sum, one.load(out));
                }
                *bias = one.store(sum);
            }
            if let Some(gradient) = self.gradient.get_mut(octet * area..(octet + 1) * area) {
                let start = (!self.adds).then_some(Octet::ZERO);
                let turned = &self.turned[kernel];
                map.convolve(l, (out, 0), turned, start, 0..map.height, gradient);
            }
        }
    }
}
