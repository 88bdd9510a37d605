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
                let at = plane + (row + i - reach) * comptime!(map.width) + column + j - reach;
                let tap = comptime!(i * map.side + j);
                let tap = comptime!(if turned { map.taps() - 1 - tap } else { tap });
                let weight = kernels[kernel * comptime!(map.taps()) + tap];
                sum += x[at] * Vector::<F, N>::new(weight);
            }
        }
    }
    sum
}

/// Convolves planes of `x`, `[frames, shared, area]`, and of `h`, `[frames, groups * own, area]`, into
/// `out`: first `x_count` values, `[frames, groups, shared, area]`, then `h_count` values,
/// `[frames, groups * own, area]`. One thread a value; a vector is one.
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
) {
    let area = comptime!(sizes.map.area());
    #[comptime]
    if let ComptimeOption::Some(x) = x {
        if ABSOLUTE_POS < x_count {
            let position = ABSOLUTE_POS % area;
            let channel = ABSOLUTE_POS / area % comptime!(sizes.shared);
            let group = ABSOLUTE_POS / comptime!(area * sizes.shared) % comptime!(sizes.groups);
            let frame = ABSOLUTE_POS / comptime!(sizes.input());
            let plane = x_place.first + frame * x_place.frame + channel * area;
            let kernel = group * comptime!(sizes.kernels) + channel;
            let mut sum = convolve::<F, N>(x, plane, position, kernels, kernel, sizes.map, false);
            #[comptime]
            if let ComptimeOption::Some(bias) = bias {
                sum += Vector::<F, N>::new(bias[channel]);
            }
            out[out_first + ABSOLUTE_POS] = sum;
        }
    }
    #[comptime]
    if let ComptimeOption::Some(h) = h {
        if ABSOLUTE_POS >= x_count && ABSOLUTE_POS < x_count + h_count {
            let index = ABSOLUTE_POS - x_count;
            let position = index % area;
            let channel = index / area % comptime!(sizes.groups * sizes.own);
            let frame = index / comptime!(sizes.hidden());
            let plane = h_place.first + frame * h_place.frame + channel * area;
            let group = channel / comptime!(sizes.own);
            let kernel = group * comptime!(sizes.kernels)
                + comptime!(sizes.kernels - sizes.own)
                + channel % comptime!(sizes.own);
            out[out_first + ABSOLUTE_POS] =
                convolve::<F, N>(h, plane, position, kernels, kernel, sizes.map, false);
        }
    }
}
