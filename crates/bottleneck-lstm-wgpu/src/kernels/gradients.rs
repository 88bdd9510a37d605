//! Gradients of weights: sums over all positions of all frames, each in one thread and so always in the
//! same order.

use cubecl::prelude::*;

use super::Strides;
use super::depthwise::{DepthwiseSizes, Map};

/// Rows and columns of weights that a thread of [`outer`] sums.
pub const TILE: usize = 4;

/// Sizes of the gradient of a pointwise convolution's weights, in vectors of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OuterSizes {
    /// Vectors of a plane.
    pub area: usize,
    pub groups: usize,
    /// Rows of a group, and the columns.
    pub rows: usize,
    pub columns: usize,
    /// Planes of the input from one group's first to the next group's.
    pub group: usize,
    /// Weights of a row in all, and of those before the columns.
    pub row: usize,
    pub before: usize,
}

impl OuterSizes {
    /// Threads in all.
    pub fn threads(&self) -> usize {
        self.groups * self.rows.div_ceil(TILE) * self.columns.div_ceil(TILE)
    }
}

/// The gradient of weights from those of their outputs `d`, `[frames, groups * rows, area]`, and from their
/// inputs `x`: one thread a few rows and columns.
#[cube(launch_unchecked)]
pub fn outer<F: Float, N: Size>(
    d: &Array<Vector<F, N>>,
    x: &Array<Vector<F, N>>,
    out: &mut Array<F>,
    count: usize,
    frames: usize,
    time: usize,
    d_strides: Strides,
    x_strides: Strides,
    #[comptime] sizes: OuterSizes,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let area = comptime!(sizes.area);
    let column_tiles = comptime!(sizes.columns.div_ceil(TILE));
    let row_tiles = comptime!(sizes.rows.div_ceil(TILE));
    let column = ABSOLUTE_POS % column_tiles * TILE;
    let row = ABSOLUTE_POS / column_tiles % row_tiles * TILE;
    let group = ABSOLUTE_POS / comptime!(column_tiles * row_tiles);

    let mut sums = Array::<Vector<F, N>>::new(comptime!(TILE * TILE));
    let mut rows = Array::<usize>::new(TILE);
    let mut columns = Array::<usize>::new(TILE);
    #[unroll]
    for i in 0..TILE {
        // Those past the last one are summed in vain, and not stored.
        rows[i] = (group * comptime!(sizes.rows) + min(row + i, comptime!(sizes.rows - 1))) * area;
        columns[i] =
            (group * comptime!(sizes.group) + min(column + i, comptime!(sizes.columns - 1))) * area;
        #[unroll]
        for j in 0..TILE {
            sums[comptime!(i * TILE + j)] = Vector::new(F::new(0.0));
        }
    }
    for frame in 0..frames {
        let d_from = d_strides.frame(frame, time);
        let x_from = x_strides.frame(frame, time);
        for position in 0..area {
            let mut values = Array::<Vector<F, N>>::new(TILE);
            #[unroll]
            for j in 0..TILE {
                values[j] = x[x_from + columns[j] + position];
            }
            #[unroll]
            for i in 0..TILE {
                let gradient = d[d_from + rows[i] + position];
                #[unroll]
                for j in 0..TILE {
                    sums[comptime!(i * TILE + j)] += gradient * values[j];
                }
            }
        }
    }
    #[unroll]
    for i in 0..TILE {
        #[unroll]
        for j in 0..TILE {
            if row + i < comptime!(sizes.rows) && column + j < comptime!(sizes.columns) {
                let line = sums[comptime!(i * TILE + j)];
                let mut sum = F::new(0.0);
                #[unroll]
                for v in 0..line.vector_size() {
                    sum += line[v];
                }
                let at = (group * comptime!(sizes.rows) + row + i) * comptime!(sizes.row);
                out[at + comptime!(sizes.before) + column + j] = sum;
            }
        }
    }
}

/// The gradient of depthwise kernels, from those of their outputs `d` and from their inputs `x`: one thread
/// a tap. Planes are as in [`depthwise_backward`](super::depthwise_backward::depthwise_backward).
#[cube(launch_unchecked)]
pub fn kernel_gradient<F: Float>(
    d: &Array<F>,
    x: &Array<F>,
    out: &mut Array<F>,
    count: usize,
    frames: usize,
    time: usize,
    d_strides: Strides,
    x_strides: Strides,
    #[comptime] sizes: DepthwiseSizes,
    #[comptime] of_input: bool,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let map = comptime!(sizes.map);
    let area = comptime!(map.area());
    let tap = ABSOLUTE_POS % comptime!(map.taps());
    let plane = ABSOLUTE_POS / comptime!(map.taps());
    let own = comptime!(if of_input { sizes.shared } else { sizes.own });
    let before = comptime!(if of_input {
        0
    } else {
        sizes.kernels - sizes.own
    });
    let kernel = plane / own * comptime!(sizes.kernels) + before + plane % own;
    let mut x_plane = plane * area;
    if comptime!(of_input) {
        x_plane = plane % own * area;
    }
    let mut sum = F::new(0.0);
    for frame in 0..frames {
        let d_from = d_strides.frame(frame, time) + plane * area;
        let x_from = x_strides.frame(frame, time) + x_plane;
        sum += correlate::<F>(d, x, d_from, x_from, tap, map);
    }
    out[kernel * comptime!(map.taps()) + tap] = sum;
}

/// What one frame adds to a tap.
#[cube]
fn correlate<F: Float>(
    d: &Array<F>,
    x: &Array<F>,
    d_from: usize,
    x_from: usize,
    tap: usize,
    #[comptime] map: Map,
) -> F {
    let reach = comptime!(map.side / 2);
    let i = tap / comptime!(map.side);
    let j = tap % comptime!(map.side);
    let mut sum = F::new(0.0);
    for row in 0..comptime!(map.height) {
        if row + i >= reach && row + i < comptime!(map.height + reach) {
            for column in 0..comptime!(map.width) {
                if column + j >= reach && column + j < comptime!(map.width + reach) {
                    // As in a convolution forward.
                    let line = max(row + i, reach) - reach;
                    let place = max(column + j, reach) - reach;
                    let at = line * comptime!(map.width) + place;
                    sum += d[d_from + row * comptime!(map.width) + column] * x[x_from + at];
                }
            }
        }
    }
    sum
}

/// Sizes of sums over planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SumSizes {
    /// Positions of a plane.
    pub area: usize,
    /// Whether each position has a sum of its own.
    pub pinned: bool,
    /// Planes of a group that are summed, from one group's first to the next group's, and before the first.
    pub own: usize,
    pub group: usize,
    pub before: usize,
}

/// The sums of planes of `d`, or of `d` times `x`, `[frames, groups * own, area]`, over frames and, unless
/// they are pinned, positions: one thread a sum.
#[cube(launch_unchecked)]
pub fn sums<F: Float>(
    d: &Array<F>,
    x: &ComptimeOption<Array<F>>,
    out: &mut Array<F>,
    count: usize,
    frames: usize,
    time: usize,
    d_strides: Strides,
    x_strides: Strides,
    #[comptime] sizes: SumSizes,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let area = comptime!(sizes.area);
    let positions = comptime!(if sizes.pinned { 1 } else { sizes.area });
    let each = comptime!(if sizes.pinned { sizes.area } else { 1 });
    let first = ABSOLUTE_POS % each;
    let channel = ABSOLUTE_POS / each;
    let plane = channel / comptime!(sizes.own) * comptime!(sizes.group)
        + comptime!(sizes.before)
        + channel % comptime!(sizes.own);
    let mut sum = F::new(0.0);
    for frame in 0..frames {
        let d_from = d_strides.frame(frame, time) + plane * area + first;
        let x_from = x_strides.frame(frame, time) + channel * area + first;
        for position in 0..positions {
            let value = d[d_from + position];
            #[comptime]
            let factor = match x {
                ComptimeOption::Some(x) => x[x_from + position],
                ComptimeOption::None => F::new(1.0),
            };
            sum += value * factor;
        }
    }
    out[ABSOLUTE_POS] = sum;
}

/// Copies `from` to `to`, from `first` on.
#[cube(launch_unchecked)]
pub fn copy<F: Float>(from: &Array<F>, to: &mut Array<F>, count: usize, first: usize) {
    if ABSOLUTE_POS < count {
        to[first + ABSOLUTE_POS] = from[ABSOLUTE_POS];
    }
}
