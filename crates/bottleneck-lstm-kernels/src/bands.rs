//! A band of rows: how many, where its values lie, and what its input adds to the bottleneck.

use std::ops::Range;
use std::sync::Arc;

use crate::Activation;
use crate::Plan;
use crate::convolve::ConvolveInput;
use crate::instructions::Instructions;
use crate::memory::{Buffer, Memory};
use crate::pack::Packed;
use crate::planes::{group, planes};
use crate::product::{DEPTH, Input, Product, Start};

/// Octets that a band of rows may fill, so that they stay in the second-level cache: 192 KiB, or 1.5 MiB
/// on AVX-512, whose machines have more of it.
fn band_octets(instructions: Instructions) -> usize {
    match instructions {
        Instructions::Avx512 => 49_152,
        Instructions::Avx2 | Instructions::Portable => 6_144,
    }
}

/// Positions whose input is projected together, if that many steps are at hand: the weights are read
/// once for all of them.
const AHEAD: usize = 400;

/// Positions below which a band would have the weights read again too often.
const SHORT_BAND: usize = 96;

/// What belongs to a band of rows; each as large as the largest band wants.
#[derive(Debug)]
pub struct Bands {
    /// Rows of a band.
    pub rows: usize,
    /// Frames whose input is projected together: more than one only if a band is all rows.
    pub frames: usize,
    /// A plane of the input, with the rows that the band depends on.
    gathered: Buffer,
    /// Some octets of the input after their depthwise convolution,
    /// `[octets, groups, frames, positions]`.
    input: Buffer,
    /// What the input adds to the bottleneck, with its bias, `[hidden octets, frames, positions]`.
    pub projected: Buffer,
    /// The hidden state after its depthwise convolution, `[hidden octets, positions]`.
    pub hidden: Buffer,
    /// The bottleneck after its depthwise convolution, `[hidden octets, positions]`.
    pub convolved: Buffer,
}

impl Bands {
    /// For `height` rows of a map.
    pub fn new(
        plan: &Plan,
        height: usize,
        instructions: Instructions,
        memory: &Arc<Memory>,
    ) -> Self {
        let (width, reach) = (plan.map.width, plan.map.kernel / 2);
        let band = plan.band(height, instructions);
        let frames = match band < height {
            true => 1,
            false => (AHEAD / (height * width)).clamp(1, plan.time.max(1)),
        };
        // The gates of the last band make up for what the others were behind.
        let rows = |more: usize| (band + more).min(plan.map.height) * width;
        let hidden = if plan.depthwise_hidden {
            plan.hidden_octets()
        } else {
            0
        };
        let octets = plan.input_octets().min(DEPTH);
        Self {
            rows: band,
            frames,
            gathered: memory.take(rows(2 * reach)),
            input: memory.take(octets * plan.groups * frames * rows(0)),
            projected: memory.take(plan.hidden_octets() * frames * rows(0)),
            hidden: memory.take(hidden * rows(0)),
            convolved: memory.take(plan.hidden_octets() * rows(reach)),
        }
    }

    /// Projects `rows` of the first of `xs`, `[frames, input, area]`, or of as many as go together.
    pub fn project(
        &mut self,
        plan: &Plan,
        weights: &Packed,
        instructions: Instructions,
        xs: &[f32],
        rows: &Range<usize>,
    ) {
        let (groups, octets) = (plan.groups, plan.input_octets());
        let frames = self.frames.min(xs.len() / plan.frame());
        let xs = &xs[..frames * plan.frame()];
        let positions = frames * rows.len() * plan.map.width;
        // So many octets at a time that they are still in cache when they are multiplied.
        for first in (0..octets).step_by(DEPTH) {
            let count = DEPTH.min(octets - first);
            let input = &mut self.input[..count * groups * positions];
            instructions.run(ConvolveInput {
                map: plan.map,
                groups,
                xs,
                frames,
                octets: first..first + count,
                kernels: &weights.input_kernels,
                bias: &weights.input_bias,
                rows: rows.clone(),
                gathered: &mut self.gathered,
                out: &mut *input,
            });
            let size = plan.hidden_octets() * positions;
            let mut projected = planes(&mut self.projected[..size], positions);
            for index in 0..groups {
                instructions.run(Product {
                    input: Input {
                        octets: &input[index * positions..],
                        plane: groups * positions,
                        first: 0,
                        depth: count,
                    },
                    panels: weights.group_bottleneck(plan, index, first),
                    start: match first {
                        0 => Start::Bias(weights.group_bottleneck_bias(plan, index)),
                        _ => Start::Output,
                    },
                    activation: Activation::Identity,
                    channels: plan.group(),
                    out: group(&mut projected, groups, index),
                });
            }
        }
    }
}

impl Plan {
    /// Rows of a band, of `height` in all.
    fn band(&self, height: usize, instructions: Instructions) -> usize {
        let octets = self.groups * self.input_octets() + 2 * self.hidden_octets();
        let rows = (band_octets(instructions) / octets)
            .max(SHORT_BAND)
            .div_ceil(self.map.width);
        // Bands of even heights.
        height.div_ceil(height.div_ceil(rows))
    }
}
