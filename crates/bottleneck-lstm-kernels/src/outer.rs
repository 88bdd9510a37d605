//! The gradient of a pointwise convolution's weights: sums of outer products over positions.

use std::ops::Range;

use crate::lanes::{Kernel, LANES, Lanes, Octet, Vectors};
use crate::share::Share;

/// Positions that a tile sums in registers before it adds to memory: short enough that the planes
/// stay in cache from tile to tile, and that sums over long videos stay exact enough.
pub const POSITIONS: usize = 256;

/// Planes of octets over several frames, each frame `frame` octets after the one before, each plane
/// `plane` after the one before.
#[derive(Debug, Clone, Copy)]
pub struct Frames<'a> {
    pub octets: &'a [Octet],
    pub frame: usize,
    pub plane: usize,
}

/// Adds `sum over frames and positions of outputs * inputs` to `sums`.
pub struct Outer<'a> {
    /// The gradients of the output channels.
    pub outputs: Frames<'a>,
    pub inputs: Frames<'a>,
    /// Planes of the inputs.
    pub depth: usize,
    pub frames: usize,
    /// Positions of a frame that are summed, from the first of each plane.
    pub positions: usize,
    /// `[octets of outputs, 8, depth]`
    pub sums: &'a mut [Octet],
}

impl Share for Outer<'_> {
    fn parts(&self) -> usize {
        self.sums.len() / (LANES * self.depth)
    }

    fn split(self, at: usize) -> (Self, Self) {
        let (sums, other) = self.sums.split_at_mut(at * LANES * self.depth);
        let outputs = Frames {
            octets: &self.outputs.octets[at * self.outputs.plane..],
            ..self.outputs
        };
        (
            Outer { sums, ..self },
            Outer {
                outputs,
                sums: other,
                ..self
            },
        )
    }
}

impl Kernel for Outer<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        // Small maps go several frames at a time, large ones in stretches.
        let together = (POSITIONS / self.positions).clamp(1, self.frames.max(1));
        for frame in (0..self.frames).step_by(together) {
            let frames = together.min(self.frames - frame);
            for first in (0..self.positions).step_by(POSITIONS) {
                let positions = POSITIONS.min(self.positions - first);
                self.stretch(l, frame..frame + frames, first..first + positions);
            }
        }
    }
}

impl Outer<'_> {
    #[inline(always)]
    fn stretch<L: Lanes>(&mut self, l: L, frames: Range<usize>, positions: Range<usize>) {
        let (outputs, inputs, depth) = (self.outputs, self.inputs, self.depth);
        let place = |frame: usize| {
            (
                &outputs.octets[frame * outputs.frame..],
                &inputs.octets[frame * inputs.frame..],
            )
        };
        // A few planes of the inputs stay in the first-level cache while all outputs go by.
        let mut input = 0;
        while input < depth {
            let most = if L::WIDE { 2 } else { 1 };
            let pairs = (depth - input).div_ceil(2).min(most);
            for (output, sums) in self.sums.chunks_exact_mut(LANES * depth).enumerate() {
                let tile = |row| Tile {
                    output,
                    row,
                    input,
                    depth,
                    planes: [outputs.plane, inputs.plane],
                };
                let frames = || frames.clone().map(place);
                let positions = || positions.clone();
                if L::WIDE {
                    // Two pairs of inputs leave room in the first-level cache; three would not.
                    let (tile, frames, positions) = (tile(0), frames(), positions());
                    match pairs {
                        2 => tile.run::<L, 8, 2>(l, frames, positions, sums),
                        _ => tile.run::<L, 8, 1>(l, frames, positions, sums),
                    }
                } else {
                    // With two pairs, sixteen sums alone would fill all registers.
                    tile(0).run::<L, 4, 1>(l, frames(), positions(), sums);
                    tile(4).run::<L, 4, 1>(l, frames(), positions(), sums);
                }
            }
            input += 2 * pairs;
        }
    }
}

/// Some rows of an octet of outputs by pairs of octets of inputs.
struct Tile {
    output: usize,
    /// The first of the rows.
    row: usize,
    input: usize,
    depth: usize,
    planes: [usize; 2],
}

impl Tile {
    /// Sums `R` rows by `C` pairs of octets, the last of which may have no second octet.
    #[inline(always)]
    fn run<'a, L: Lanes, const R: usize, const C: usize>(
        &self,
        l: L,
        frames: impl Iterator<Item = (&'a [Octet], &'a [Octet])>,
        positions: Range<usize>,
        sums: &mut [Octet],
    ) {
        let (one, two) = (l.one(), l.two());
        let octets = (2 * C).min(self.depth - self.input);
        let mut tile = [[two.splat(0.0); C]; R];
        for (outputs, inputs) in frames {
            let output = &outputs[self.output * self.planes[0]..][positions.clone()];
            // What stands in for a missing octet is not stored.
            let plane = |octet: usize| {
                let octet = self.input + octet.min(octets - 1);
                &inputs[octet * self.planes[1]..][positions.clone()]
            };
            let inputs: [[&[Octet]; 2]; C] =
                std::array::from_fn(|pair| [plane(2 * pair), plane(2 * pair + 1)]);
            for (at, output) in output.iter().enumerate() {
                let output: &[f32; R] = output.0[self.row..].first_chunk().expect("rows");
                let mut line = [two.splat(0.0); C];
                for c in 0..C {
                    let [left, right] = inputs[c];
                    line[c] = l.join([one.load(&left[at]), one.load(&right[at])]);
                }
                for r in 0..R {
                    let output = two.splat(output[r]);
                    for c in 0..C {
                        tile[r][c] = two.mul_add(output, line[c], tile[r][c]);
                    }
                }
            }
        }
        for (r, pairs) in tile.into_iter().enumerate() {
            let line = &mut sums[(self.row + r) * self.depth + self.input..][..octets];
            for (sums, pair) in line.chunks_mut(2).zip(pairs) {
                for (sum, value) in sums.iter_mut().zip(l.halves(pair)) {
                    *sum = one.store(one.add(one.load(sum), value));
                }
            }
        }
    }
}
