//! The pointwise convolution's weights, and those of a dense one of 3 by 3 as a pointwise one of its windows.

use super::window::TAPS;
use crate::Activation;
use crate::instructions::Instructions;
use crate::lanes::{LANES, Octet};
use crate::octets::octets;
use crate::pack::{both, octet, rows};
use crate::panels::Pack;
use crate::planes::PlanesMut;
use crate::product::{Block, EMPTY, Input, Panels, Product, Start};

/// A pointwise convolution's weights.
#[derive(Debug, Clone)]
pub struct Pointwise {
    /// `[pairs of output octets, depth]`
    panels: Vec<Block>,
    /// Octets of the input.
    pub(super) depth: usize,
    /// `[pairs of output octets]`
    bias: Vec<[Octet; 2]>,
    /// Of the output.
    channels: usize,
    activation: Activation,
}

impl Pointwise {
    /// Packs `weights`, `[outputs, inputs]`, and `bias`, `[outputs]`.
    ///
    /// # Panics
    ///
    /// If the weights are no such matrix.
    pub fn new(
        inputs: usize,
        weights: &[f32],
        bias: &[f32],
        activation: Activation,
        instructions: Instructions,
    ) -> Self {
        let outputs = bias.len();
        assert_eq!(weights.len(), outputs * inputs, "weights of the channels");
        let depth = octets(inputs);
        let mut panels = vec![EMPTY; octets(outputs).div_ceil(2) * depth];
        for (pair, blocks) in panels.chunks_exact_mut(depth).enumerate() {
            let first = pair * 2 * LANES;
            let rows = both(
                rows(weights, inputs, first, outputs),
                rows(weights, inputs, first + LANES, outputs),
            );
            instructions.run(Pack { rows, blocks });
        }
        Self {
            panels,
            depth,
            bias: pack_bias(bias),
            channels: outputs,
            activation,
        }
    }

    /// Packs the weights of a dense convolution, `[outputs, inputs, 3, 3]`, for the columns of
    /// [`Spatial::Columns`](super::Spatial::Columns).
    ///
    /// # Panics
    ///
    /// If the weights are not of that shape.
    pub fn dense(
        inputs: usize,
        weights: &[f32],
        bias: &[f32],
        activation: Activation,
        instructions: Instructions,
    ) -> Self {
        let outputs = bias.len();
        assert_eq!(
            weights.len(),
            outputs * inputs * TAPS,
            "weights of the channels"
        );
        // A row for each output, of octets of the taps of octets of the input.
        let size = octets(inputs) * TAPS * LANES;
        let mut matrix = vec![0.0; outputs * size];
        let from = weights.chunks_exact(inputs * TAPS);
        for (row, weights) in matrix.chunks_exact_mut(size).zip(from) {
            for (channel, weights) in weights.chunks_exact(TAPS).enumerate() {
                for (tap, weight) in weights.iter().enumerate() {
                    let octet = channel / LANES * TAPS + tap;
                    row[octet * LANES + channel % LANES] = *weight;
                }
            }
        }
        Self::new(size, &matrix, bias, activation, instructions)
    }

    /// Multiply-accumulates of a position.
    pub(super) fn macs(&self) -> usize {
        self.depth * LANES * self.channels
    }

    /// Octets of the output.
    pub(super) fn octets(&self) -> usize {
        octets(self.channels)
    }

    /// The product with some positions, on top of a map's or not.
    pub(super) fn product<'a>(
        &'a self,
        input: Input<'a>,
        residual: Option<Input<'a>>,
        out: PlanesMut<'a, Octet>,
    ) -> Product<'a> {
        Product {
            input,
            panels: Panels::all(&self.panels, self.depth),
            start: match residual {
                Some(map) => Start::Residual(&self.bias, map),
                None => Start::Bias(&self.bias),
            },
            activation: self.activation,
            channels: self.channels,
            out,
        }
    }
}

/// `[channels]` as pairs of octets.
pub(super) fn pack_bias(bias: &[f32]) -> Vec<[Octet; 2]> {
    let pair = |pair: &[f32]| {
        let (left, right) = pair.split_at(LANES.min(pair.len()));
        [octet(left), octet(right)]
    };
    bias.chunks(2 * LANES).map(pair).collect()
}
