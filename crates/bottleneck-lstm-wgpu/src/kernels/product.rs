//! Pointwise convolutions to the bottleneck.

use bottleneck_lstm::Activation;
use cubecl::prelude::*;

use super::Place;
use super::activation::activate;

/// Sizes of a product, in vectors of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProductSizes {
    /// Vectors of a plane.
    pub area: usize,
    pub groups: usize,
    /// Output channels of a group.
    pub outputs: usize,
    /// Output channels that a thread computes.
    pub tile: usize,
    /// Weights of an output channel in all, in their vectors.
    pub row: usize,
    /// The planes that a group multiplies.
    pub x: Planes,
    pub h: Planes,
    pub activation: Activation,
}

/// Planes that are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Planes {
    /// How many for a group.
    pub depth: usize,
    /// From one group's first to the next group's.
    pub group: usize,
    /// Weights of a row before theirs, in their vectors.
    pub before: usize,
}

impl ProductSizes {
    /// Threads of a frame.
    pub fn threads(&self) -> usize {
        self.area * self.groups * self.outputs.div_ceil(self.tile)
    }
}

/// Adds what `depth` planes of `x`, the first of them at `first`, make of a position to the sums of
/// `tile` rows of weights, whose parts for these planes begin at `rows`.
#[cube]
pub fn accumulate<F: Float, N: Size, M: Size>(
    sums: &mut Array<Vector<F, N>>,
    x: &Array<Vector<F, N>>,
    first: usize,
    weights: &Array<Vector<F, M>>,
    rows: &Array<usize>,
    #[comptime] tile: usize,
    #[comptime] area: usize,
    #[comptime] depth: usize,
) {
    let width = weights.vector_size();
    let mut at = first;
    for block in 0..comptime!(depth / width) {
        let mut part = Array::<Vector<F, M>>::new(tile);
        #[unroll]
        for o in 0..tile {
            part[o] = weights[rows[o] + block];
        }
        #[unroll]
        for i in 0..width {
            let value = x[at];
            #[unroll]
            for o in 0..tile {
                sums[o] += value * Vector::<F, N>::new(part[o][i]);
            }
            at += area;
        }
    }
}

/// `out = activation(start + bias + weights * (x | h))`, one thread a vector of positions of `tile`
/// output channels of one group.
#[cube(launch_unchecked)]
pub fn product<F: Float, N: Size, M: Size>(
    x: &ComptimeOption<Array<Vector<F, N>>>,
    h: &ComptimeOption<Array<Vector<F, N>>>,
    start: &ComptimeOption<Array<Vector<F, N>>>,
    weights: &Array<Vector<F, M>>,
    bias: &ComptimeOption<Array<F>>,
    out: &mut Array<Vector<F, N>>,
    count: usize,
    x_place: Place,
    h_place: Place,
    start_place: Place,
    out_place: Place,
    #[comptime] sizes: ProductSizes,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let area = comptime!(sizes.area);
    let tile = comptime!(sizes.tile);
    let tiles = comptime!(sizes.outputs.div_ceil(sizes.tile));
    let position = ABSOLUTE_POS % area;
    let first = ABSOLUTE_POS / area % tiles * tile;
    let group = ABSOLUTE_POS / comptime!(area * tiles) % comptime!(sizes.groups);
    let frame = ABSOLUTE_POS / comptime!(sizes.threads());

    let mut sums = Array::<Vector<F, N>>::new(tile);
    let mut channels = Array::<usize>::new(tile);
    let mut rows = Array::<usize>::new(tile);
    #[unroll]
    for o in 0..tile {
        // Those past the last one are computed in vain, and not stored.
        let channel = min(first + o, comptime!(sizes.outputs - 1));
        channels[o] = group * comptime!(sizes.outputs) + channel;
        rows[o] = channels[o] * comptime!(sizes.row);
        sums[o] = Vector::new(F::new(0.0));
    }
    #[comptime]
    if let ComptimeOption::Some(start) = start {
        #[unroll]
        for o in 0..tile {
            let at = start_place.first + frame * start_place.frame;
            sums[o] = start[at + channels[o] * area + position];
        }
    }
    #[comptime]
    if let ComptimeOption::Some(bias) = bias {
        #[unroll]
        for o in 0..tile {
            sums[o] += Vector::<F, N>::new(bias[channels[o]]);
        }
    }
    #[comptime]
    if let ComptimeOption::Some(x) = x {
        let planes = group * comptime!(sizes.x.group * sizes.area);
        let from = x_place.first + frame * x_place.frame + planes + position;
        accumulate::<F, N, M>(
            &mut sums,
            x,
            from,
            weights,
            &rows,
            tile,
            area,
            sizes.x.depth,
        );
    }
    #[comptime]
    if let ComptimeOption::Some(h) = h {
        let planes = group * comptime!(sizes.h.group * sizes.area);
        let from = h_place.first + frame * h_place.frame + planes + position;
        #[unroll]
        for o in 0..tile {
            rows[o] += comptime!(sizes.h.before);
        }
        accumulate::<F, N, M>(
            &mut sums,
            h,
            from,
            weights,
            &rows,
            tile,
            area,
            sizes.h.depth,
        );
    }
    #[unroll]
    for o in 0..tile {
        if first + o < comptime!(sizes.outputs) {
            let at = out_place.first + frame * out_place.frame + channels[o] * area + position;
            out[at] = activate::<F, N>(sums[o], sizes.activation);
        }
    }
}
