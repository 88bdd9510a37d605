//! Depthwise convolutions backward: the gradient of their input.

use bottleneck_lstm::Activation;
use cubecl::prelude::*;

use super::Strides;
use super::activation::differentiate;
use super::depthwise::{DepthwiseSizes, convolve};

/// From `d`, the gradient of a depthwise convolution's output, to that of its input, one thread a value; a
/// vector is one.
///
/// With `of_input` the input is what all groups share, `[frames, shared, area]`, and `d` is
/// `[frames, groups, shared, area]`; else both are `[frames, groups * own, area]`. `more` is added to the
/// result, which is then multiplied by the derivative of `activation` where it takes the values `y`.
#[cube(launch_unchecked)]
pub fn depthwise_backward<F: Float, N: Size>(
    d: &Array<Vector<F, N>>,
    kernels: &Array<F>,
    more: &ComptimeOption<Array<Vector<F, N>>>,
    y: &ComptimeOption<Array<Vector<F, N>>>,
    out: &mut Array<Vector<F, N>>,
    count: usize,
    time: usize,
    d_strides: Strides,
    more_strides: Strides,
    y_strides: Strides,
    out_strides: Strides,
    #[comptime] sizes: DepthwiseSizes,
    #[comptime] of_input: bool,
    #[comptime] activation: Activation,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let area = comptime!(sizes.map.area());
    let planes = comptime!(if of_input {
        sizes.shared
    } else {
        sizes.groups * sizes.own
    });
    let position = ABSOLUTE_POS % area;
    let channel = ABSOLUTE_POS / area % planes;
    let frame = ABSOLUTE_POS / comptime!(area * planes);
    let from = d_strides.frame(frame, time);
    let mut sum = Vector::<F, N>::new(F::new(0.0));
    if comptime!(of_input) {
        for group in 0..comptime!(sizes.groups) {
            let plane = from + (group * comptime!(sizes.shared) + channel) * area;
            let kernel = group * comptime!(sizes.kernels) + channel;
            sum += convolve::<F, N>(d, plane, position, kernels, kernel, sizes.map, true);
        }
    } else {
        let kernel = channel / comptime!(sizes.own) * comptime!(sizes.kernels)
            + comptime!(sizes.kernels - sizes.own)
            + channel % comptime!(sizes.own);
        let plane = from + channel * area;
        sum = convolve::<F, N>(d, plane, position, kernels, kernel, sizes.map, true);
    }
    let at = channel * area + position;
    #[comptime]
    if let ComptimeOption::Some(more) = more {
        sum += more[more_strides.frame(frame, time) + at];
    }
    #[comptime]
    if let ComptimeOption::Some(y) = y {
        let value = y[y_strides.frame(frame, time) + at];
        sum = differentiate::<F, N>(value, sum, activation);
    }
    out[out_strides.frame(frame, time) + at] = sum;
}
