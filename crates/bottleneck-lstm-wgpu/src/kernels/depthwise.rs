//! Depthwise convolutions, 'same' padding, stride 1.

use cubecl::prelude::*;

use super::Place;

/// Sizes of a map and of the square kernels that go over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Map {
    pub height: usize,
    pub width: usize,
    /// Side of the kernels.
    pub side: usize,
}

impl Map {
    /// Positions.
    pub fn area(&self) -> usize {
        self.height * self.width
    }

    /// Taps of a kernel.
    pub fn taps(&self) -> usize {
        self.side * self.side
    }
}

/// The planes that a depthwise convolution goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DepthwiseSizes {
    pub map: Map,
    pub groups: usize,
    /// Channels of the input, of which every group has its own convolution.
    pub shared: usize,
    /// Channels that each group has to itself.
    pub own: usize,
    /// Kernels of a group, those over its own channels last.
    pub kernels: usize,
}

impl DepthwiseSizes {
    /// Values of the convolutions of one frame of the input.
    pub fn input(&self) -> usize {
        self.groups * self.shared * self.map.area()
    }

    /// Values of the convolutions of one frame of what groups have to themselves.
    pub fn hidden(&self) -> usize {
        self.groups * self.own * self.map.area()
    }
}

/// The value of the convolution of the plane that begins at `plane`, at `position`, with a kernel that may be
/// turned by half a turn; a vector is one value.
#[cube]
pub fn convolve<F: Float, N: Size>(
    x: &Array<Vector<F, N>>,
    plane: usize,
    position: usize,
    kernels: &Array<F>,
    kernel: usize,
    #[comptime] map: Map,
    #[comptime] turned: bool,
) -> Vector<F, N> {
    let reach = comptime!(map.side / 2);
    let row = position / comptime!(map.width);
    let column = position % comptime!(map.width);
    let mut sum = Vector::<F, N>::new(F::new(0.0));
    #[unroll]
    for i in 0..comptime!(map.side) {
        #[unroll]
        for j in 0..comptime!(map.side) {
            let inside = row + i >= reach
                && row + i < comptime!(map.height + reach)
                && column + j >= reach
                && column + j < comptime!(map.width + reach);
            if inside {
                // Nothing less than zero, even where it is not used: CubeCL computes with constants itself.
                let line = max(row + i, reach) - reach;
                let place = max(column + j, reach) - reach;
                let at = plane + line * comptime!(map.width) + place;
                let tap = comptime!(i * map.side + j);
                let tap = comptime!(if turned { map.taps() - 1 - tap } else { tap });
                let weight = kernels[kernel * comptime!(map.taps()) + tap];
                sum += x[at] * Vector::<F, N>::new(weight);
            }
        }
    }
    sum
}

/// What a thread of a convolution computes: so many rows of so many vectors of neighbouring positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Patch {
    pub rows: usize,
    pub vectors: usize,
}

impl Patch {
    /// Threads for a plane, on vectors of `n` positions.
    pub fn threads(&self, map: Map, n: usize) -> usize {
        map.height.div_ceil(self.rows) * (map.width / n).div_ceil(self.vectors)
    }
}

/// Convolves the patch of index `patch` of the plane that begins at `from` in `x`, and writes it to the plane
/// that begins at `to` in `out`, both in vectors of neighbouring positions of a row.
#[cube]
fn convolve_patch<F: Float, N: Size>(
    x: &Array<Vector<F, N>>,
    from: usize,
    kernels: &Array<F>,
    kernel: usize,
    bias: F,
    out: &mut Array<Vector<F, N>>,
    to: usize,
    index: usize,
    #[comptime] map: Map,
    #[comptime] patch: Patch,
) {
    let n = out.vector_size();
    let reach = comptime!(map.side / 2);
    let side = comptime!(map.side);
    // Vectors of a row, and those to either side of the patch that its convolution looks at.
    let across = comptime!(map.width / n);
    let margin = comptime!(reach.div_ceil(n));
    let patches = comptime!(across.div_ceil(patch.vectors));
    let row = index / patches * comptime!(patch.rows);
    let column = index % patches * comptime!(patch.vectors);
    let width = comptime!(patch.vectors * n);

    let mut taps = Array::<F>::new(comptime!(map.taps()));
    #[unroll]
    for tap in 0..comptime!(map.taps()) {
        taps[tap] = kernels[kernel * comptime!(map.taps()) + tap];
    }
    let mut sums = Array::<F>::new(comptime!(patch.rows * width));
    #[unroll]
    for at in 0..comptime!(patch.rows * width) {
        sums[at] = bias;
    }
    #[unroll]
    for i in 0..comptime!(patch.rows + 2 * reach) {
        let in_rows = row + i >= reach && row + i < comptime!(map.height + reach);
        let line_row = min(max(row + i, reach) - reach, comptime!(map.height - 1));
        let mut line = Array::<F>::new(comptime!((patch.vectors + 2 * margin) * n));
        #[unroll]
        for v in 0..comptime!(patch.vectors + 2 * margin) {
            // Where the patch is as wide as the map, what lies beside it is known to be nothing.
            let beside =
                comptime!(patch.vectors == across && (v < margin || v >= patch.vectors + margin));
            let mut value = Vector::<F, N>::new(F::new(0.0));
            if comptime!(!beside) {
                let inside =
                    in_rows && column + v >= margin && column + v < comptime!(across + margin);
                let place = min(max(column + v, margin) - margin, comptime!(across - 1));
                value = select(inside, x[from + line_row * across + place], value);
            }
            #[unroll]
            for l in 0..n {
                line[comptime!(v * n + l)] = value[l];
            }
        }
        #[unroll]
        for r in 0..comptime!(patch.rows) {
            if comptime!(i >= r && i < r + side) {
                #[unroll]
                for c in 0..width {
                    let mut sum = sums[comptime!(r * width + c)];
                    #[unroll]
                    for j in 0..side {
                        let of_line = comptime!(margin * n + c + j - reach);
                        sum += line[of_line] * taps[comptime!((i - r) * side + j)];
                    }
                    sums[comptime!(r * width + c)] = sum;
                }
            }
        }
    }
    #[unroll]
    for r in 0..comptime!(patch.rows) {
        #[unroll]
        for v in 0..comptime!(patch.vectors) {
            if row + r < comptime!(map.height) && column + v < across {
                let mut value = RuntimeCell::<Vector<F, N>>::new(Vector::new(F::new(0.0)));
                #[unroll]
                for l in 0..n {
                    value.store_at(l, sums[comptime!(r * width + v * n + l)]);
                }
                out[to + (row + r) * across + column + v] = value.consume();
            }
        }
    }
}

/// Convolves planes of `x`, `[frames, shared, area]`, and of `h`, `[frames, groups * own, area]`, into
/// `out`: first those of `x`, `[frames, groups, shared, area]`, then those of `h`,
/// `[frames, groups * own, area]`. One thread a patch of a plane; `x_count` and `h_count` are threads.
#[cube(launch_unchecked)]
pub fn depthwise<F: Float, N: Size>(
    x: &ComptimeOption<Array<Vector<F, N>>>,
    h: &ComptimeOption<Array<Vector<F, N>>>,
    kernels: &Array<F>,
    bias: &ComptimeOption<Array<F>>,
    out: &mut Array<Vector<F, N>>,
    x_count: usize,
    h_count: usize,
    x_place: Place,
    h_place: Place,
    out_first: usize,
    #[comptime] sizes: DepthwiseSizes,
    #[comptime] patch: Patch,
) {
    let n = out.vector_size();
    let map = comptime!(sizes.map);
    let area = comptime!(map.area() / n);
    let patches = comptime!(patch.threads(map, n));
    let plane = ABSOLUTE_POS / patches;
    let to = out_first + plane * area;
    #[comptime]
    if let ComptimeOption::Some(x) = x {
        if ABSOLUTE_POS < x_count {
            let channel = plane % comptime!(sizes.shared);
            let group = plane / comptime!(sizes.shared) % comptime!(sizes.groups);
            let frame = plane / comptime!(sizes.shared * sizes.groups);
            let from = x_place.first + frame * x_place.frame + channel * area;
            let kernel = group * comptime!(sizes.kernels) + channel;
            let mut start = F::new(0.0);
            #[comptime]
            if let ComptimeOption::Some(bias) = bias {
                start = bias[channel];
            }
            let index = ABSOLUTE_POS % patches;
            convolve_patch::<F, N>(x, from, kernels, kernel, start, out, to, index, map, patch);
        }
    }
    #[comptime]
    if let ComptimeOption::Some(h) = h {
        if ABSOLUTE_POS >= x_count && ABSOLUTE_POS < x_count + h_count {
            let plane = (ABSOLUTE_POS - x_count) / patches;
            let channel = plane % comptime!(sizes.groups * sizes.own);
            let frame = plane / comptime!(sizes.groups * sizes.own);
            let from = h_place.first + frame * h_place.frame + channel * area;
            let group = channel / comptime!(sizes.own);
            let kernel = group * comptime!(sizes.kernels)
                + comptime!(sizes.kernels - sizes.own)
                + channel % comptime!(sizes.own);
            let index = ABSOLUTE_POS % patches;
            let zero = F::new(0.0);
            convolve_patch::<F, N>(h, from, kernels, kernel, zero, out, to, index, map, patch);
        }
    }
}
