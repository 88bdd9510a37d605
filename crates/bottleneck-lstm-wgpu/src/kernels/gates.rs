//! The gates: their pointwise convolution, and everything from there to the new state.

use bottleneck_lstm::Activation;
use cubecl::prelude::*;

use super::Place;
use super::activation::{activate, sigmoid};
use super::depthwise::{Map, convolve};
use super::product::{Tile, accumulate, in_plane, place, spot};

/// Sizes and variant of the gates, in vectors of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GateSizes {
    pub map: Map,
    /// Vectors of a plane.
    pub area: usize,
    pub groups: usize,
    /// Hidden channels of a group.
    pub channels: usize,
    /// Weights of a gate's channel, in their vectors.
    pub row: usize,
    /// Whether each position has peephole weights of its own.
    pub pinned: bool,
    pub activation: Activation,
    /// Bits of the bound of the cell state.
    pub clip: Option<u32>,
    /// Whether [`scale`](super::scale::scale) finishes what this leaves: cell state and output gate before
    /// their activation.
    pub scale: bool,
    pub carry_activated: bool,
    /// Bits of what the forget gate starts from.
    pub forget_bias: u32,
    /// Whether the new cell state goes behind the outputs too.
    pub yields_cell: bool,
}

impl GateSizes {
    /// Hidden channels.
    pub fn hidden(&self) -> usize {
        self.groups * self.channels
    }
}

/// Where states begin in their buffer, in vectors.
#[derive(CubeLaunch, CubeType, Clone, Copy)]
pub struct States {
    /// The old cell state.
    pub old: usize,
    /// The new cell state.
    pub new: usize,
    /// The new hidden state.
    pub hidden: usize,
    /// Where the new cell state goes among the outputs, if it does.
    pub yielded: usize,
}

/// A peephole's weights at a position times the cell state there, or zero.
#[cube]
pub fn peephole<F: Float, N: Size>(
    weights: &ComptimeOption<Array<F>>,
    channel: usize,
    position: usize,
    cell: Vector<F, N>,
    #[comptime] area: usize,
    #[comptime] pinned: bool,
) -> Vector<F, N> {
    let mut sum = Vector::<F, N>::new(F::new(0.0));
    #[comptime]
    if let ComptimeOption::Some(weights) = weights {
        if comptime!(pinned) {
            let width = cell.vector_size();
            let at = (channel * area + position) * width;
            let mut line = RuntimeCell::<Vector<F, N>>::new(cell);
            #[unroll]
            for i in 0..width {
                line.store_at(i, weights[at + i]);
            }
            sum = line.consume() * cell;
        } else {
            sum = Vector::<F, N>::new(weights[channel]) * cell;
        }
    }
    sum
}

/// From the convolved bottleneck `b`, `[frames, hidden, area]`, to the new state, one thread a tile of one
/// group, all four gates of each of its channels. With `kernels`, `b` is the bottleneck itself, in vectors of one
/// value, and is convolved on the way.
///
/// `state` holds cell and hidden states, `[frames, hidden, area]` each. The old cell state is that of
/// `start`, if there is one, and else lies in `state` too.
///
/// `tape`, if there is one, has `[5, frames, hidden, area]`: input gate, forget gate, candidate, output gate,
/// and the new cell state before its activation.
#[cube(launch_unchecked)]
pub fn gates<F: Float, W: Float, N: Size, M: Size>(
    b: &Array<Vector<F, N>>,
    kernels: &ComptimeOption<Array<F>>,
    weights: &Array<Vector<W, M>>,
    bias: &ComptimeOption<Array<F>>,
    peephole_input: &ComptimeOption<Array<F>>,
    peephole_forget: &ComptimeOption<Array<F>>,
    peephole_output: &ComptimeOption<Array<F>>,
    start: &ComptimeOption<Array<Vector<F, N>>>,
    state: &mut Array<Vector<F, N>>,
    out: &mut Array<Vector<F, N>>,
    tape: &mut ComptimeOption<Array<Vector<F, N>>>,
    count: usize,
    b_place: Place,
    states: States,
    out_place: Place,
    tape_place: Place,
    #[comptime] sizes: GateSizes,
    #[comptime] tile: Tile,
    #[define(W)] _element: StorageType,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let area = comptime!(sizes.area);
    let channels = comptime!(sizes.channels);
    let spot = spot(ABSOLUTE_POS, tile, sizes.groups, channels, area);
    let (frame, group) = (spot.frame, spot.group);

    // All four gates of a channel after one another.
    let rows_of = comptime!(Tile {
        channels: 4 * tile.channels,
        ..tile
    });
    let mut sums = Array::<Vector<F, N>>::new(comptime!(4 * tile.channels * tile.vectors));
    let mut rows = Array::<usize>::new(comptime!(4 * tile.channels));
    #[unroll]
    for index in 0..comptime!(4 * tile.channels) {
        let gate = comptime!(index % 4);
        // Those past the last one are computed in vain, and not stored.
        let channel = min(
            spot.channel + comptime!(index / 4 * tile.lanes),
            comptime!(channels - 1),
        );
        let row = (group * 4 + gate) * channels + channel;
        rows[index] = row * comptime!(sizes.row);
        let mut sum = Vector::<F, N>::new(F::new(0.0));
        if comptime!(gate == 1) {
            sum = Vector::new(F::new(comptime!(f32::from_bits(sizes.forget_bias))));
        }
        #[comptime]
        if let ComptimeOption::Some(bias) = bias {
            sum += Vector::<F, N>::new(bias[row]);
        }
        #[unroll]
        for p in 0..tile.vectors {
            sums[comptime!(index * tile.vectors + p)] = sum;
        }
    }
    let hidden = comptime!(sizes.hidden());
    let from =
        b_place.first + frame * b_place.frame + group * comptime!(sizes.channels * sizes.area);
    #[comptime]
    match kernels {
        ComptimeOption::Some(kernels) => {
            let width = weights.vector_size();
            for block in 0..comptime!(channels / width) {
                #[unroll]
                for i in 0..width {
                    let channel = block * width + i;
                    let plane = from + channel * area;
                    let kernel = group * channels + channel;
                    #[unroll]
                    for p in 0..tile.vectors {
                        let at = place(spot.position, p, tile, area);
                        let x = convolve::<F, N>(b, plane, at, kernels, kernel, sizes.map, false);
                        #[unroll]
                        for index in 0..comptime!(4 * tile.channels) {
                            let weight = Vector::<F, M>::cast_from(weights[rows[index] + block]);
                            sums[comptime!(index * tile.vectors + p)] +=
                                x * Vector::<F, N>::new(weight[i]);
                        }
                    }
                }
            }
        }
        ComptimeOption::None => {
            accumulate::<F, W, N, M>(
                &mut sums,
                b,
                from,
                spot.position,
                weights,
                &rows,
                rows_of,
                area,
                channels,
            );
        }
    }

    #[unroll]
    for tiled in 0..comptime!(tile.channels * tile.vectors) {
        let o = comptime!(tiled / tile.vectors);
        let p = comptime!(tiled % tile.vectors);
        let in_group = spot.channel + comptime!(o * tile.lanes);
        if in_group < channels && in_plane(spot.position, p, tile, area) {
            // Its sums of a gate.
            let sum = comptime!(4 * o * tile.vectors + p);
            let next = comptime!(tile.vectors);
            let position = place(spot.position, p, tile, area);
            let channel = group * channels + in_group;
            let at = (frame * hidden + channel) * area + position;
            #[comptime]
            let old = match start {
                ComptimeOption::Some(start) => start[at],
                ComptimeOption::None => state[states.old + at],
            };
            let pinned = comptime!(sizes.pinned);
            let input =
                sums[sum] + peephole::<F, N>(peephole_input, channel, position, old, area, pinned);
            let forget = sums[comptime!(sum + next)]
                + peephole::<F, N>(peephole_forget, channel, position, old, area, pinned);
            let input = sigmoid::<F, N>(input);
            let forget = sigmoid::<F, N>(forget);
            let candidate = activate::<F, N>(sums[comptime!(sum + 2 * next)], sizes.activation);
            let mut cell = forget * old + input * candidate;
            if comptime!(sizes.clip.is_some()) {
                let bound = comptime!(f32::from_bits(sizes.clip.unwrap()));
                cell = min(
                    max(cell, Vector::new(F::new(comptime!(-bound)))),
                    Vector::new(F::new(bound)),
                );
            }
            #[comptime]
            if let ComptimeOption::Some(tape) = tape {
                let at = tape_place.first + at;
                tape[at] = input;
                tape[at + tape_place.frame] = forget;
                tape[at + 2 * tape_place.frame] = candidate;
            }
            if comptime!(sizes.scale) {
                state[states.new + at] = cell;
                state[states.hidden + at] = sums[comptime!(sum + 3 * next)];
            } else {
                let output = sums[comptime!(sum + 3 * next)]
                    + peephole::<F, N>(peephole_output, channel, position, cell, area, pinned);
                let activated = activate::<F, N>(cell, sizes.activation);
                let output = sigmoid::<F, N>(output);
                let new = output * activated;
                #[comptime]
                if let ComptimeOption::Some(tape) = tape {
                    let at = tape_place.first + at;
                    tape[at + 3 * tape_place.frame] = output;
                    tape[at + 4 * tape_place.frame] = cell;
                }
                let mut carried = cell;
                if comptime!(sizes.carry_activated) {
                    carried = activated;
                }
                state[states.new + at] = carried;
                if comptime!(sizes.yields_cell) {
                    out[states.yielded + at] = carried;
                }
                state[states.hidden + at] = new;
                out[out_place.first + frame * out_place.frame + channel * area + position] = new;
            }
        }
    }
}
