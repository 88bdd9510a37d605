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

/// What a thread of a product computes: so many channels at so many vectors of positions, which lie as far
/// apart as there are threads side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    pub channels: usize,
    pub vectors: usize,
}

impl Tile {
    /// Threads for so many groups of `channels` on planes of `area` vectors.
    pub fn threads(&self, groups: usize, channels: usize, area: usize) -> usize {
        groups * channels.div_ceil(self.channels) * area.div_ceil(self.vectors)
    }
}

/// Where in a frame a thread has its tile.
#[derive(CubeType)]
pub struct Spot {
    /// The first of its vectors of positions.
    pub position: usize,
    /// The first of its channels, in its group.
    pub channel: usize,
    pub group: usize,
    pub frame: usize,
}

#[cube]
pub fn spot(
    index: usize,
    #[comptime] tile: Tile,
    #[comptime] groups: usize,
    #[comptime] channels: usize,
    #[comptime] area: usize,
) -> Spot {
    let side_by_side = comptime!(area.div_ceil(tile.vectors));
    let tiles = comptime!(channels.div_ceil(tile.channels));
    Spot {
        position: index % side_by_side,
        channel: index / side_by_side % tiles * comptime!(tile.channels),
        group: index / comptime!(side_by_side * tiles) % groups,
        frame: index / comptime!(side_by_side * tiles * groups),
    }
}

/// Adds what `depth` planes of `x`, the first of them at `first`, make of a tile to its sums, those of a
/// channel side by side. `rows` says where the weights of each channel for these planes begin, `places` where
/// in a plane its vectors are.
#[cube]
pub fn accumulate<F: Float, N: Size, M: Size>(
    sums: &mut Array<Vector<F, N>>,
    x: &Array<Vector<F, N>>,
    first: usize,
    places: &Array<usize>,
    weights: &Array<Vector<F, M>>,
    rows: &Array<usize>,
    #[comptime] tile: Tile,
    #[comptime] area: usize,
    #[comptime] depth: usize,
) {
    let width = weights.vector_size();
    let mut plane = first;
    for block in 0..comptime!(depth / width) {
        let mut part = Array::<Vector<F, M>>::new(tile.channels);
        #[unroll]
        for o in 0..tile.channels {
            part[o] = weights[rows[o] + block];
        }
        #[unroll]
        for i in 0..width {
            #[unroll]
            for p in 0..tile.vectors {
                let value = x[plane + places[p]];
                #[unroll]
                for o in 0..tile.channels {
                    sums[comptime!(o * tile.vectors + p)] +=
                        value * Vector::<F, N>::new(part[o][i]);
                }
            }
            plane += area;
        }
    }
}

/// Where in a plane the vectors of a tile are. Those past the last one are computed in vain, and not stored.
#[cube]
pub fn places(position: usize, #[comptime] tile: Tile, #[comptime] area: usize) -> Array<usize> {
    let mut places = Array::<usize>::new(tile.vectors);
    #[unroll]
    for p in 0..tile.vectors {
        let place = position + comptime!(p * area.div_ceil(tile.vectors));
        places[p] = min(place, comptime!(area - 1));
    }
    places
}

/// Whether vector `p` of a tile that begins at `position` is one of the plane.
#[cube]
pub fn in_plane(
    position: usize,
    #[comptime] p: usize,
    #[comptime] tile: Tile,
    #[comptime] area: usize,
) -> bool {
    position < comptime!(area - p * area.div_ceil(tile.vectors))
}

/// `out = activation(start + bias + weights * (x | h))`, one thread a tile of one group.
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
    #[comptime] tile: Tile,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let area = comptime!(sizes.area);
    let outputs = comptime!(sizes.outputs);
    let spot = spot(ABSOLUTE_POS, tile, sizes.groups, outputs, area);
    let frame = spot.frame;
    let places = places(spot.position, tile, area);

    let mut sums = Array::<Vector<F, N>>::new(comptime!(tile.channels * tile.vectors));
    let mut channels = Array::<usize>::new(tile.channels);
    let mut rows = Array::<usize>::new(tile.channels);
    #[unroll]
    for o in 0..tile.channels {
        // Those past the last one are computed in vain, and not stored.
        let channel = min(spot.channel + o, comptime!(outputs - 1));
        channels[o] = spot.group * outputs + channel;
        rows[o] = channels[o] * comptime!(sizes.row);
        let mut sum = Vector::<F, N>::new(F::new(0.0));
        #[comptime]
        if let ComptimeOption::Some(bias) = bias {
            sum = Vector::new(bias[channels[o]]);
        }
        #[unroll]
        for p in 0..tile.vectors {
            sums[comptime!(o * tile.vectors + p)] = sum;
            #[comptime]
            if let ComptimeOption::Some(start) = start {
                let at = start_place.first + frame * start_place.frame;
                sums[comptime!(o * tile.vectors + p)] += start[at + channels[o] * area + places[p]];
            }
        }
    }
    #[comptime]
    if let ComptimeOption::Some(x) = x {
        let planes = spot.group * comptime!(sizes.x.group * sizes.area);
        let from = x_place.first + frame * x_place.frame + planes;
        accumulate::<F, N, M>(
            &mut sums,
            x,
            from,
            &places,
            weights,
            &rows,
            tile,
            area,
            sizes.x.depth,
        );
    }
    #[comptime]
    if let ComptimeOption::Some(h) = h {
        let planes = spot.group * comptime!(sizes.h.group * sizes.area);
        let from = h_place.first + frame * h_place.frame + planes;
        #[unroll]
        for o in 0..tile.channels {
            rows[o] += comptime!(sizes.h.before);
        }
        accumulate::<F, N, M>(
            &mut sums,
            h,
            from,
            &places,
            weights,
            &rows,
            tile,
            area,
            sizes.h.depth,
        );
    }
    #[unroll]
    for o in 0..tile.channels {
        #[unroll]
        for p in 0..tile.vectors {
            if spot.channel + o < outputs && in_plane(spot.position, p, tile, area) {
                let at = out_place.first + frame * out_place.frame + channels[o] * area + places[p];
                let sum = sums[comptime!(o * tile.vectors + p)];
                out[at] = activate::<F, N>(sum, sizes.activation);
            }
        }
    }
}
