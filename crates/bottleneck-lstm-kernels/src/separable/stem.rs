//! A dense convolution of 3 by 3 of few channels that are not in octets: a network's first, of a picture.
//!
//! Its inputs are spread over the lanes from wherever they lie, so they need not become octets first.

use super::pointwise::pack_bias;
use super::window::{SIDE, TAPS, Window};
use crate::Activation;
use crate::lanes::{Kernel, LANES, Lanes, Octet, Vectors};
use crate::math::clamp;
use crate::octets::octets;
use crate::planes::{PlanesMut, each};
use crate::product::{Pair, Sums, by_rows, store_halves, tiles};

/// Such a convolution's weights.
#[derive(Debug, Clone)]
pub struct Stem {
    pub(super) window: Window,
    inputs: usize,
    outputs: usize,
    /// `[pairs of output octets, inputs, 9]`
    weights: Vec<Pair>,
    /// `[pairs of output octets]`
    bias: Vec<[Octet; 2]>,
    bounds: [f32; 2],
}

impl Stem {
    /// Packs `weights`, `[outputs, inputs, 3, 3]`, and `bias`, `[outputs]`.
    ///
    /// # Panics
    ///
    /// If the weights are not of that shape.
    pub fn new(
        window: Window,
        inputs: usize,
        weights: &[f32],
        bias: &[f32],
        activation: Activation,
    ) -> Self {
        let (outputs, taps) = (bias.len(), inputs * TAPS);
        assert_eq!(weights.len(), outputs * taps, "weights of the channels");
        let mut packed = vec![Pair([Octet::ZERO; 2]); octets(outputs).div_ceil(2) * taps];
        for (output, weights) in weights.chunks_exact(taps).enumerate() {
            let (octet, lane) = (output / LANES, output % LANES);
            for (pair, weight) in packed[octet / 2 * taps..].iter_mut().zip(weights) {
                pair.0[octet % 2].0[lane] = *weight;
            }
        }
        Self {
            window,
            inputs,
            outputs,
            weights: packed,
            bias: pack_bias(bias),
            bounds: activation
                .bounds()
                .unwrap_or([f32::NEG_INFINITY, f32::INFINITY]),
        }
    }

    /// Multiply-accumulates of a position.
    pub(super) fn macs(&self) -> usize {
        self.inputs * TAPS * self.outputs
    }

    /// Octets of the output.
    pub(super) fn octets(&self) -> usize {
        octets(self.outputs)
    }

    /// Values of the lines that a row looks at, each with its padding.
    pub(super) fn lines(&self) -> usize {
        self.inputs * SIDE * self.line()
    }

    fn line(&self) -> usize {
        let across = self.window.columns();
        let end = (across.count() - 1) * across.stride + SIDE;
        end.max(across.before + across.size)
    }

    /// Copies the lines that the row `y` of the output looks at, zeros around them.
    pub(super) fn fill(&self, picture: &[f32], y: usize, lines: &mut [f32]) {
        let (down, across) = (self.window.rows(), self.window.columns());
        let area = down.size * across.size;
        let taps = down.taps(y);
        for (index, line) in lines.chunks_exact_mut(self.line()).enumerate() {
            let (channel, tap) = (index / SIDE, index % SIDE);
            if taps.contains(&tap) {
                let row = y * down.stride + tap - down.before;
                let from = &picture[channel * area + row * across.size..][..across.size];
                line[..across.before].fill(0.0);
                line[across.before..][..across.size].copy_from_slice(from);
                line[across.before + across.size..].fill(0.0);
            } else {
                line.fill(0.0);
            }
        }
    }
}

/// Convolves one row.
pub struct Row<'a> {
    pub layer: &'a Stem,
    /// `[inputs, 3, line]`
    pub lines: &'a [f32],
    /// `[output octets, positions of the row]`
    pub out: PlanesMut<'a, Octet>,
}

impl Kernel for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        let panels = self.layer.bias.len();
        let mut panel = 0;
        while panel < panels {
            if L::WIDE && panel + 2 <= panels {
                self.run_panels::<L, 2>(l, panel);
                panel += 2;
            } else {
                self.run_panels::<L, 1>(l, panel);
                panel += 1;
            }
        }
    }
}

impl Row<'_> {
    /// The output channels of `P` panels, from `index` on.
    #[inline(always)]
    fn run_panels<L: Lanes, const P: usize>(&mut self, l: L, index: usize) {
        let positions = self.out.ncols();
        let layer = self.layer;
        let mut out: [[&mut [Octet]; 2]; P] = std::array::from_fn(|_| Default::default());
        let planes = each(&mut self.out).skip(2 * index);
        for (out, plane) in out.as_flattened_mut().iter_mut().zip(planes) {
            *out = plane;
        }
        for (first, rows) in tiles::<L>(positions) {
            by_rows!(
                rows,
                tile::<L, P>(l, layer, self.lines, index, first, &mut out)
            );
        }
        // A weight of 0 times infinity is NaN, which must not reach the next product.
        let channels = layer.outputs - index * 2 * LANES;
        for (octet, values) in out.into_iter().flatten().enumerate() {
            let channels = channels.saturating_sub(octet * LANES);
            if channels < LANES {
                let one = l.one();
                for value in values {
                    *value = one.store(one.first(channels, one.load(value)));
                }
            }
        }
    }
}

#[inline(always)]
#[allow(
    clippy::manual_memcpy,
    clippy::manual_slice_fill,
    clippy::needless_range_loop,
    reason = "sums that are counted through stay in registers"
)]
fn tile<L: Lanes, const R: usize, const P: usize>(
    l: L,
    layer: &Stem,
    lines: &[f32],
    index: usize,
    first: usize,
    out: &mut [[&mut [Octet]; 2]; P],
) {
    let two = l.two();
    let mut sums: Sums<L, R, P> = [[two.splat(0.0); R]; P];
    for p in 0..P {
        let bias = two.load(&layer.bias[index + p]);
        for r in 0..R {
            sums[p][r] = bias;
        }
    }
    let taps = layer.inputs * TAPS;
    let mut weights: [&[Pair]; P] = [&[]; P];
    for (p, weights) in weights.iter_mut().enumerate() {
        *weights = &layer.weights[(index + p) * taps..][..taps];
    }
    for (number, line) in lines.chunks_exact(layer.line()).enumerate() {
        let mut kernel: [&[Pair]; P] = [&[]; P];
        for (kernel, weights) in kernel.iter_mut().zip(weights) {
            *kernel = &weights[number * SIDE..][..SIDE];
        }
        match layer.window.stride {
            1 => add_line::<L, R, P, 1>(l, &mut sums, line, first, kernel),
            _ => add_line::<L, R, P, 2>(l, &mut sums, line, first, kernel),
        }
    }
    for p in 0..P {
        for r in 0..R {
            sums[p][r] = clamp(two, layer.bounds, sums[p][r]);
        }
        let [left, right] = &mut out[p];
        store_halves(l, [left, right], first, sums[p]);
    }
}

/// What one line adds, at stride `S`.
#[inline(always)]
fn add_line<L: Lanes, const R: usize, const P: usize, const S: usize>(
    l: L,
    sums: &mut Sums<L, R, P>,
    line: &[f32],
    first: usize,
    kernel: [&[Pair]; P],
) {
    let two = l.two();
    let window = &line[first * S..][..(R - 1) * S + SIDE];
    for column in 0..SIDE {
        let mut weights = [two.splat(0.0); P];
        for p in 0..P {
            weights[p] = two.load(&kernel[p][column].0);
        }
        for r in 0..R {
            let x = two.splat(window[r * S + column]);
            for p in 0..P {
                sums[p][r] = two.mul_add(x, weights[p], sums[p][r]);
            }
        }
    }
}
