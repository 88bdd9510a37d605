//! A band of rows: how many, where its values lie, and what its input adds to the bottleneck.

use std::ops::Range;
use std::sync::Arc;

use crate::Activation;
use crate::Plan;
use crate::convolve::ConvolveInput;
use crate::instructions::Instructions;
use crate::memory::{Buffer, Memory};
use crate::pack::{Packed, part_mut};
use crate::product::{DEPTH, Input, Product, Start};
use crate::share::Team;

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

/// Octets of the input that are multiplied together: for several threads, which wait for each other
/// each time, more.
fn together(team: Team) -> usize {
    DEPTH * team.threads
}

/// Positions below which a band would have the weights read again too often.
const SHORT_BAND: usize = 96;

/// What belongs to a band of rows; each as large as the largest band wants.
#[derive(Debug)]
pub struct Bands {
    /// Rows of a band.
    pub rows: usize,
    /// Frames whose input is projected together: more than one only if a band is a whole map.
    pub frames: usize,
    /// Planes of the input, each with the rows that the band depends on.
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
    pub fn new(plan: &Plan, team: Team, memory: &Arc<Memory>) -> Self {
        let (width, reach) = (plan.map.width, plan.map.kernel / 2);
        let band = plan.band(team);
        let frames = match band < plan.map.height {
            true => 1,
            false => (AHEAD / plan.area()).clamp(1, plan.time.max(1)),
        };
        // The gates of the last band make up for what the others were behind.
        let rows = |more: usize| (band + more).min(plan.map.height) * width;
        let hidden = if plan.depthwise_hidden {
            plan.hidden_octets()
        } else {
            0
        };
        let octets = plan.input_octets().min(together(team));
        Self {
            rows: band,
            frames,
            gathered: memory.take(octets * rows(2 * reach)),
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
        team: Team,
        xs: &[f32],
        rows: &Range<usize>,
    ) {
        let (groups, octets) = (plan.groups, plan.input_octets());
        let frames = self.frames.min(xs.len() / plan.frame());
        let xs = &xs[..frames * plan.frame()];
        let positions = frames * rows.len() * plan.map.width;
        // So many octets at a time that they are still in cache when they are multiplied.
        let together = together(team);
        for first in (0..octets).step_by(together) {
            let count = together.min(octets - first);
            let input = &mut self.input[..count * groups * positions];
            team.run(ConvolveInput {
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
            for group in 0..groups {
                team.run(Product {
                    input: Input {
                        octets: &input[group * positions..],
                        plane: groups * positions,
                        first: 0,
                        depth: count,
                    },
                    panels: weights.group_bottleneck(plan, group, first),
                    start: match first {
                        0 => Start::Bias(weights.group_bottleneck_bias(plan, group)),
                        _ => Start::Output,
                    },
                    activation: Activation::Identity,
                    channels: plan.group(),
                    out: part_mut(
                        &mut self.projected[..plan.hidden_octets() * positions],
                        groups,
                        group,
                    ),
                    plane: positions,
                    first: 0,
                    positions,
                });
            }
        }
    }
}

impl Plan {
    /// Rows of a band. Every thread has a cache of its own, and all wait for each other several times
    /// a band.
    fn band(&self, team: Team) -> usize {
        let octets = self.groups * self.input_octets() + 2 * self.hidden_octets();
        let rows = (band_octets(team.instructions) * team.threads / octets)
            .max(SHORT_BAND)
            .div_ceil(self.map.width);
        // Bands of even heights.
        self.map.height.div_ceil(self.map.height.div_ceil(rows))
    }
}
