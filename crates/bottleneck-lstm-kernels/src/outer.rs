//! The gradient of a pointwise convolution's weights: sums of outer products over positions.

use std::ops::Range;

use crate::lanes::{Kernel, LANES, Lanes, Octet};
use crate::share::Share;

/// Rows of a tile, half an octet of output channels.
const ROWS: usize = 4;

/// Octets of inputs of a tile. With three, twelve sums and what they are made of would fill all
/// sixteen registers, and the compiler would keep a sum in memory.
const COLUMNS: usize = 2;

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
            let columns = (depth - input).min(COLUMNS);
            for (output, sums) in self.sums.chunks_exact_mut(LANES * depth).enumerate() {
                for half in 0..2 {
                    let tile = Tile {
                        output,
                        half,
                        input,
                        depth,
                        planes: [outputs.plane, inputs.plane],
                    };
                    let frames = frames.clone().map(place);
                    match columns {
                        COLUMNS => tile.run::<L, COLUMNS>(l, frames, positions.clone(), sums),
                        _ => tile.run::<L, 1>(l, frames, positions.clone(), sums),
                    }
                }
            }
            input += columns;
        }
    }
}

/// Half an octet of outputs by a few octets of inputs.
struct Tile {
    output: usize,
    half: usize,
    input: usize,
    depth: usize,
    planes: [usize; 2],
}

impl Tile {
    #[inline(always)]
    fn run<'a, L: Lanes, const C: usize>(
        &self,
        l: L,
        frames: impl Iterator<Item = (&'a [Octet], &'a [Octet])>,
        positions: Range<usize>,
        sums: &mut [Octet],
    ) {
        let mut tile = [[l.splat(0.0); C]; ROWS];
        for (outputs, inputs) in frames {
            let output = &outputs[self.output * self.planes[0]..][positions.clone()];
            let inputs: [&[Octet]; C] = std::array::from_fn(|column| {
                &inputs[(self.input + column) * self.planes[1]..][positions.clone()]
            });
            for (at, output) in output.iter().enumerate() {
                let output: &[f32; ROWS] = output.0[self.half * ROWS..]
                    .first_chunk()
                    .expect("half an octet");
                let mut line = [l.splat(0.0); C];
                for column in 0..C {
                    line[column] = l.load(&inputs[column][at].0);
                }
                for row in 0..ROWS {
                    let output = l.splat(output[row]);
                    for column in 0..C {
                        tile[row][column] = l.mul_add(output, line[column], tile[row][column]);
                    }
                }
            }
        }
        for (row, values) in tile.into_iter().enumerate() {
            let line = &mut sums[(self.half * ROWS + row) * self.depth + self.input..][..C];
            for (sum, value) in line.iter_mut().zip(values) {
                *sum = Octet(l.store(l.add(l.load(&sum.0), value)));
            }
        }
    }
}
