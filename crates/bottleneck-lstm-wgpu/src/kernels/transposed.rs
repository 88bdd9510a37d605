//! Pointwise convolutions backward: products with their weights transposed.

use cubecl::prelude::*;

use super::Strides;

/// Sizes of a product with transposed weights, in vectors of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransposedSizes {
    /// Vectors of a plane.
    pub area: usize,
    pub groups: usize,
    /// Rows of weights of a group: planes that are multiplied.
    pub rows: usize,
    /// Planes of the result of a group.
    pub columns: usize,
    /// Vectors of weights that a thread multiplies by: a divisor of those of a row.
    pub tile: usize,
    /// Weights of a row in all, and of those before the columns, in their vectors.
    pub row: usize,
    pub before: usize,
}

/// The transposed weights times `y`, `[frames, groups * rows, area]`, into `out`,
/// `[frames, groups * columns, area]`: one thread a vector of positions of `tile` vectors of columns.
#[cube(launch_unchecked)]
pub fn transposed<F: Float, N: Size, M: Size>(
    y: &Array<Vector<F, N>>,
    weights: &Array<Vector<F, M>>,
    out: &mut Array<Vector<F, N>>,
    count: usize,
    time: usize,
    y_strides: Strides,
    out_strides: Strides,
    #[comptime] sizes: TransposedSizes,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let area = comptime!(sizes.area);
    let width = weights.vector_size();
    let columns = comptime!(sizes.tile * width);
    let tiles = comptime!(sizes.columns / columns);
    let position = ABSOLUTE_POS % area;
    let first = ABSOLUTE_POS / area % tiles;
    let group = ABSOLUTE_POS / comptime!(area * tiles) % comptime!(sizes.groups);
    let frame = ABSOLUTE_POS / comptime!(area * tiles * sizes.groups);

    let mut sums = Array::<Vector<F, N>>::new(columns);
    #[unroll]
    for column in 0..columns {
        sums[column] = Vector::new(F::new(0.0));
    }
    let mut from = y_strides.frame(frame, time) + group * comptime!(sizes.rows * area) + position;
    let mut weight = (group * comptime!(sizes.rows)) * comptime!(sizes.row)
        + comptime!(sizes.before)
        + first * comptime!(sizes.tile);
    for _ in 0..comptime!(sizes.rows) {
        let value = y[from];
        #[unroll]
        for v in 0..comptime!(sizes.tile) {
            let part = weights[weight + v];
            #[unroll]
            for i in 0..width {
                sums[comptime!(v * width + i)] += value * Vector::<F, N>::new(part[i]);
            }
        }
        from += area;
        weight += comptime!(sizes.row);
    }
    let plane = group * comptime!(sizes.columns) + first * columns;
    let to = out_strides.frame(frame, time) + plane * area + position;
    #[unroll]
    for column in 0..columns {
        out[to + comptime!(column * area)] = sums[column];
    }
}
