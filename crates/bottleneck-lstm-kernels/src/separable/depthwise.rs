//! The depthwise convolution of 3 by 3 at stride 1 and 2, with bias and activation.

use std::ops::Range;

use super::window::{Axis, SIDE, TAPS, Window};
use crate::Activation;
use crate::depthwise::pack;
use crate::lanes::{Kernel, LANES, Lanes, Octet, One, Vectors, load, store};
use crate::math::clamp;
use crate::pack::octet;
use crate::planes::{PlanesMut, each};

/// A depthwise convolution's weights.
#[derive(Debug, Clone)]
pub struct Depthwise {
    pub(super) window: Window,
    /// `[octets, 9]`
    kernels: Vec<Octet>,
    /// `[octets]`
    bias: Vec<Octet>,
    bounds: [f32; 2],
}

impl Depthwise {
    /// Packs `weights`, `[channels, 3, 3]`, and `bias`, `[channels]`.
    ///
    /// # Panics
    ///
    /// If there are not nine weights to a bias.
    pub fn new(window: Window, weights: &[f32], bias: &[f32], activation: Activation) -> Self {
        assert_eq!(weights.len(), bias.len() * TAPS, "weights of the channels");
        Self {
            window,
            kernels: pack(weights, SIDE),
            bias: bias.chunks(LANES).map(octet).collect(),
            bounds: activation
                .bounds()
                .unwrap_or([f32::NEG_INFINITY, f32::INFINITY]),
        }
    }

    pub(super) fn octets(&self) -> usize {
        self.bias.len()
    }
}

/// Rows of planes.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    pub octets: &'a [Octet],
    /// From one plane to the next.
    pub plane: usize,
    /// The row that a plane begins with.
    pub top: usize,
}

/// Convolves some rows of planes.
pub struct Convolve<'a> {
    pub layer: &'a Depthwise,
    pub x: Rows<'a>,
    /// Of the output.
    pub rows: Range<usize>,
    /// `[octets, positions of the rows]`
    pub out: PlanesMut<'a, Octet>,
}

impl Kernel for Convolve<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        let Depthwise {
            window,
            kernels,
            bias,
            bounds,
        } = self.layer;
        let (down, across) = (window.rows(), window.columns());
        let weights = kernels.chunks_exact(TAPS).zip(bias);
        for (index, (out, (kernel, bias))) in each(&mut self.out).zip(weights).enumerate() {
            let plane = &self.x.octets[index * self.x.plane..];
            for (y, out) in self.rows.clone().zip(out.chunks_exact_mut(across.count())) {
                let taps = down.taps(y);
                let mut lines: [&[Octet]; SIDE] = [&[]; SIDE];
                for (line, tap) in lines.iter_mut().zip(taps.clone()) {
                    let from = y * down.stride + tap - down.before - self.x.top;
                    *line = &plane[from * across.size..][..across.size];
                }
                let lines = &lines[..taps.len()];
                let weights = &kernel[taps.start * SIDE..taps.end * SIDE];
                // Of most rows all taps lie within the map; with their number constant, no loop is left.
                match <&[&[Octet]; SIDE]>::try_from(lines) {
                    Ok(lines) => row(l, lines, weights, (bias, *bounds), across, out),
                    Err(_) => row(l, lines, weights, (bias, *bounds), across, out),
                }
            }
        }
    }
}

/// Where sums begin, and the bounds that they end within.
type Ends<'a> = (&'a Octet, [f32; 2]);

/// Convolves a row, of which `lines` are the rows of the map that lie within it.
#[inline(always)]
fn row<L: Lanes>(
    l: L,
    lines: &[&[Octet]],
    weights: &[Octet],
    ends: Ends<'_>,
    axis: Axis,
    out: &mut [Octet],
) {
    let inner = axis.inner();
    for at in (0..inner.start).chain(inner.end..out.len()) {
        let taps = axis.taps(at);
        let (begin, first) = (at * axis.stride + taps.start - axis.before, taps.start);
        let out = &mut out[at];
        match taps.len() {
            2 => partial::<L, 2>(l, lines, weights, ends, begin, first, out),
            _ => partial::<L, 1>(l, lines, weights, ends, begin, first, out),
        }
    }
    if inner.is_empty() {
        return;
    }
    let begin = inner.start * axis.stride - axis.before;
    let out = &mut out[inner];
    match axis.stride {
        1 => close(l, lines, weights, ends, begin, out),
        _ => apart(l, lines, weights, ends, begin, out),
    }
}

/// Convolves one position near a border, where `C` of the kernel's columns lie within the map: they
/// begin at `first`, and at `begin` of `lines`.
#[inline(always)]
fn partial<L: Lanes, const C: usize>(
    l: L,
    lines: &[&[Octet]],
    weights: &[Octet],
    (bias, bounds): Ends<'_>,
    begin: usize,
    first: usize,
    out: &mut Octet,
) {
    let one = l.one();
    let mut sum = one.load(bias);
    for (line, weights) in lines.iter().zip(weights.chunks_exact(SIDE)) {
        let (window, weights) = (&line[begin..][..C], &weights[first..][..C]);
        for column in 0..C {
            sum = one.mul_add(one.load(&window[column]), one.load(&weights[column]), sum);
        }
    }
    *out = one.store(clamp(one, bounds, sum));
}

/// Convolves positions whose windows lie side by side, the first one's at `begin` of `lines`.
#[inline(always)]
fn close<L: Lanes>(
    l: L,
    lines: &[&[Octet]],
    weights: &[Octet],
    ends: Ends<'_>,
    begin: usize,
    out: &mut [Octet],
) {
    let (one, two) = (l.one(), l.two());
    let count = out.len();
    let mut at = 0;
    if L::WIDE {
        while at + 8 <= count {
            stretch::<_, 4>(two, lines, weights, ends, begin + at, &mut out[at..]);
            at += 8;
        }
    }
    while at + 4 <= count {
        stretch::<_, 2>(two, lines, weights, ends, begin + at, &mut out[at..]);
        at += 4;
    }
    while at + 2 <= count {
        stretch::<_, 1>(two, lines, weights, ends, begin + at, &mut out[at..]);
        at += 2;
    }
    if at < count {
        stretch::<_, 1>(one, lines, weights, ends, begin + at, &mut out[at..]);
    }
}

/// Convolves the positions of `R` vectors.
#[inline(always)]
fn stretch<A: Vectors, const R: usize>(
    a: A,
    lines: &[&[Octet]],
    weights: &[Octet],
    (bias, bounds): Ends<'_>,
    begin: usize,
    out: &mut [Octet],
) {
    let mut sums = [a.repeat(bias); R];
    for (line, weights) in lines.iter().zip(weights.chunks_exact(SIDE)) {
        let window = &line[begin..][..SIDE - 1 + R * A::OCTETS];
        for column in 0..SIDE {
            let weight = a.repeat(&weights[column]);
            let window: [A::V; R] = load(a, &window[column..]);
            for r in 0..R {
                sums[r] = a.mul_add(window[r], weight, sums[r]);
            }
        }
    }
    for sum in &mut sums {
        *sum = clamp(a, bounds, *sum);
    }
    store(a, out, sums);
}

/// Convolves positions whose windows lie two apart, the first one's at `begin` of `lines`.
#[inline(always)]
fn apart<L: Lanes>(
    l: L,
    lines: &[&[Octet]],
    weights: &[Octet],
    ends: Ends<'_>,
    begin: usize,
    out: &mut [Octet],
) {
    let count = out.len();
    let mut at = 0;
    if L::WIDE {
        while at + 8 <= count {
            stride::<L, 8>(l, lines, weights, ends, begin + 2 * at, &mut out[at..]);
            at += 8;
        }
    }
    while at + 4 <= count {
        stride::<L, 4>(l, lines, weights, ends, begin + 2 * at, &mut out[at..]);
        at += 4;
    }
    while at < count {
        stride::<L, 1>(l, lines, weights, ends, begin + 2 * at, &mut out[at..]);
        at += 1;
    }
}

/// Convolves `R` positions.
#[inline(always)]
fn stride<L: Lanes, const R: usize>(
    l: L,
    lines: &[&[Octet]],
    weights: &[Octet],
    (bias, bounds): Ends<'_>,
    begin: usize,
    out: &mut [Octet],
) {
    let one = l.one();
    let mut sums: [One<L>; R] = [one.load(bias); R];
    for (line, weights) in lines.iter().zip(weights.chunks_exact(SIDE)) {
        let window = &line[begin..][..SIDE + 2 * (R - 1)];
        for column in 0..SIDE {
            let weight = one.load(&weights[column]);
            for r in 0..R {
                sums[r] = one.mul_add(one.load(&window[2 * r + column]), weight, sums[r]);
            }
        }
    }
    for sum in &mut sums {
        *sum = clamp(one, bounds, *sum);
    }
    store(one, out, sums);
}
