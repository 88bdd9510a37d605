//! Convolutions over single positions as products of matrices.
//!
//! Maps are matrices here, `[frames * channels, positions]`: with Burn's own convolutions, and with values for each
//! channel of maps of rank 4, training takes several times as long.

use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// A convolution over single positions.
pub(crate) fn pointwise<B: Backend>(
    conv: &Conv2d<B>,
    x: Tensor<B, 2>,
    frames: usize,
) -> Tensor<B, 2> {
    let [rows, positions] = x.dims();
    let [outputs, inputs, ..] = conv.weight.dims();
    debug_assert_eq!(rows, frames * inputs, "the input's channels");
    let weight = conv.weight.val().reshape([1, outputs, inputs]);
    let y = weight.matmul(x.reshape([frames, inputs, positions]));
    let y = y.reshape([frames * outputs, positions]);
    match &conv.bias {
        Some(bias) => y + column(bias.val(), frames),
        None => y,
    }
}

/// Values for the channels of each frame, `[frames * channels, 1]`.
pub(crate) fn column<B: Backend>(values: Tensor<B, 1>, frames: usize) -> Tensor<B, 2> {
    let values: Tensor<B, 2> = values.unsqueeze();
    values.repeat_dim(0, frames).reshape([-1, 1])
}

/// The means of each frame's channels, `[frames, channels]`.
pub(crate) fn means<B: Backend>(x: Tensor<B, 2>, frames: usize) -> Tensor<B, 2> {
    let channels = x.dims()[0] / frames;
    x.mean_dim(1).reshape([frames, channels])
}
