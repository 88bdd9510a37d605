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
    /// Threads of a subgroup that have the same positions and neighbouring channels, and load what they
    /// multiply together; one if each loads for itself.
    pub lanes: usize,
}

impl Tile {
    /// Threads for so many groups of `channels` on planes of `area` vectors.
    pub fn threads(&self, groups: usize, channels: usize, area: usize) -> usize {
        let tiles = channels.div_ceil(self.channels * self.lanes);
        groups * tiles * area.div_ceil(self.vectors) * self.lanes
    }
}

/// Where in a frame a thread has its tile.
#[derive(CubeType)]
pub struct Spot {
    /// The first of its vectors of positions.
    pub position: usize,
    /// The first of its channels, in its group; the next one is as far away as there are lanes.
    pub channel: usize,
    pub group: usize,
    pub frame: usize,
}

/// The place of the thread of this index.
#[cube]
pub fn spot(
    index: usize,
    #[comptime] tile: Tile,
    #[comptime] groups: usize,
    #[comptime] channels: usize,
    #[comptime] area: usize,
) -> Spot {
    let side_by_side = comptime!(area.div_ceil(tile.vectors));
    let wide = comptime!(tile.channels * tile.lanes);
    let tiles = comptime!(channels.div_ceil(wide));
    let lane = index % comptime!(tile.lanes);
    let index = index / comptime!(tile.lanes);
    Spot {
        position: index % side_by_side,
        channel: index / side_by_side % tiles * wide + lane,
        group: index / comptime!(side_by_side * tiles) % groups,
        frame: index / comptime!(side_by_side * tiles * groups),
    }
}

/// Adds what `depth` planes of `x`, the first of them at `first`, make of a tile at `position` to its sums, those of
/// a channel side by side. `rows` says where the weights of each channel for these planes begin.
#[cube]
pub fn accumulate<F: Float, W: Float, N: Size, M: Size>(
    sums: &mut Array<Vector<F, N>>,
    x: &Array<Vector<F, N>>,
    first: usize,
    position: usize,
    weights: &Array<Vector<W, M>>,
    rows: &Array<usize>,
    #[comptime] tile: Tile,
    #[comptime] area: usize,
    #[comptime] depth: usize,
) {
    let width = weights.vector_size();
    // Vectors of `x` that go with a vector of weights, and how many of them each lane loads.
    let values = comptime!(width * tile.vectors);
    let loads = comptime!(values.div_ceil(tile.lanes));
    let mut places = Array::<usize>::new(loads);
    #[unroll]
    for l in 0..loads {
        let index = comptime!(l * tile.lanes).runtime();
        let mut plane = index / comptime!(tile.vectors);
        let mut p = index % comptime!(tile.vectors);
        if comptime!(tile.lanes > 1) {
            let index = min(index + UNIT_POS_PLANE as usize, comptime!(values - 1));
            plane = index / comptime!(tile.vectors);
            p = index % comptime!(tile.vectors);
        }
        places[l] = plane * area + place(position, p, tile, area);
    }
    let mut from = first;
    for block in 0..comptime!(depth / width) {
        let mut part = Array::<Vector<F, M>>::new(tile.channels);
        #[unroll]
        for o in 0..tile.channels {
            part[o] = Vector::cast_from(weights[rows[o] + block]);
        }
        let mut own = Array::<Vector<F, N>>::new(loads);
        #[unroll]
        for l in 0..loads {
            own[l] = x[from + places[l]];
        }
        #[unroll]
        for p in 0..tile.vectors {
            let mut values = Array::<Vector<F, N>>::new(width);
            #[unroll]
            for i in 0..width {
                let index = comptime!(i * tile.vectors + p);
                values[i] = own[comptime!(index / tile.lanes)];
                if comptime!(tile.lanes > 1) {
                    values[i] = plane_broadcast(values[i], comptime!((index % tile.lanes) as u32));
                }
            }
            // What a sum gets of a vector of weights all at once: it may not be in a register.
            #[unroll]
            for o in 0..tile.channels {
                let mut sum = sums[comptime!(o * tile.vectors + p)];
                #[unroll]
                for i in 0..width {
                    sum += values[i] * Vector::<F, N>::new(part[o][i]);
                }
                sums[comptime!(o * tile.vectors + p)] = sum;
            }
        }
        from += comptime!(width * area);
    }
}

/// Where in a plane vector `p` of a tile is. Those past the last one are computed in vain, and not stored.
#[cube]
pub fn place(position: usize, p: usize, #[comptime] tile: Tile, #[comptime] area: usize) -> usize {
    min(
        position + p * comptime!(area.div_ceil(tile.vectors)),
        comptime!(area - 1),
    )
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
pub fn product<F: Float, W: Float, N: Size, M: Size>(
    x: &ComptimeOption<Array<Vector<F, N>>>,
    h: &ComptimeOption<Array<Vector<F, N>>>,
    start: &ComptimeOption<Array<Vector<F, N>>>,
    weights: &Array<Vector<W, M>>,
    bias: &ComptimeOption<Array<F>>,
    out: &mut Array<Vector<F, N>>,
    count: usize,
    x_place: Place,
    h_place: Place,
    start_place: Place,
    out_place: Place,
    #[comptime] sizes: ProductSizes,
    #[comptime] tile: Tile,
    #[define(W)] _element: StorageType,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let area = comptime!(sizes.area);
    let outputs = comptime!(sizes.outputs);
    let spot = spot(ABSOLUTE_POS, tile, sizes.groups, outputs, area);
    let frame = spot.frame;

    let mut sums = Array::<Vector<F, N>>::new(comptime!(tile.channels * tile.vectors));
    let mut channels = Array::<usize>::new(tile.channels);
    let mut rows = Array::<usize>::new(tile.channels);
    #[unroll]
    for o in 0..tile.channels {
        // Those past the last one are computed in vain, and not stored.
        let channel = min(
            spot.channel + comptime!(o * tile.lanes),
            comptime!(outputs - 1),
        );
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
                let place = place(spot.position, p, tile, area);
                sums[comptime!(o * tile.vectors + p)] += start[at + channels[o] * area + place];
            }
        }
    }
    #[comptime]
    if let ComptimeOption::Some(x) = x {
        let planes = spot.group * comptime!(sizes.x.group * sizes.area);
        let from = x_place.first + frame * x_place.frame + planes;
        accumulate::<F, W, N, M>(
            &mut sums,
            x,
            from,
            spot.position,
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
        accumulate::<F, W, N, M>(
            &mut sums,
            h,
            from,
            spot.position,
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
            let inside = spot.channel + comptime!(o * tile.lanes) < outputs;
            if inside && in_plane(spot.position, p, tile, area) {
                let place = place(spot.position, p, tile, area);
                let at = out_place.first + frame * out_place.frame + channels[o] * area + place;
                let sum = sums[comptime!(o * tile.vectors + p)];
                out[at] = activate::<F, N>(sum, sizes.activation);
            }
        }
    }
}
