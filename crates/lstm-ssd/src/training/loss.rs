//! How far maps are from what they should be.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::network::column;

/// How much more a cell counts where something is to be seen for sure, and the mean of that weight on footage of
/// people, by which it is divided.
const SEEN: f64 = 8.0;
const USUAL: f64 = 1.0 + SEEN * 0.28;

/// The smooth L1 loss of maps, `[frames, channels, height, width]` both, in units of the channels' deviations `scale`:
/// a mean over channels and, weighted by `attention`, `[frames, height, width]` from 0 to 1, over cells. One number a
/// frame, `[frames]`.
pub(super) fn feature_loss<B: Backend>(
    maps: Tensor<B, 4>,
    truth: Tensor<B, 4>,
    attention: Tensor<B, 3>,
    scale: Tensor<B, 1>,
) -> Tensor<B, 1> {
    let [frames, channels, height, width] = maps.dims();
    let positions = height * width;
    let difference = (maps - truth).reshape([frames * channels, positions]);
    let loss = smooth_l1(difference / column(scale, frames));
    let loss = loss.reshape([frames, channels, positions]).mean_dim(1);
    let weight = attention.mul_scalar(SEEN).add_scalar(1.0).div_scalar(USUAL);
    let loss = loss.reshape([frames, positions]) * weight.reshape([frames, positions]);
    loss.mean_dim(1).reshape([frames])
}

/// `x * x / 2` up to a size of 1, and `|x| - 1/2` from there on.
pub(super) fn smooth_l1<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let size = x.abs();
    let near = size.clone().clamp_max(1.0);
    near.clone() * (size - near.mul_scalar(0.5))
}

#[cfg(test)]
mod tests {
    use burn_flex::Flex;

    use super::*;

    #[test]
    fn losses_by_hand() {
        let device = Default::default();
        // Two channels of a cell and its neighbour: off by 0.5 and 4 in units of their deviations, then by nothing.
        let maps = Tensor::<Flex, 4>::from_data([[[[1.0, 3.0]], [[-4.0, 2.0]]]], &device);
        let truth = Tensor::from_data([[[[0.0, 3.0]], [[4.0, 2.0]]]], &device);
        let attention = Tensor::from_data([[[0.25, 1.0]]], &device);
        let scale = Tensor::from_data([2.0, 2.0], &device);
        let loss = feature_loss(maps, truth, attention, scale).into_scalar();
        let expected = (0.125 + 3.5) / 2.0 * (3.0 / 3.24) / 2.0;
        assert!((loss - expected).abs() < 1e-6, "{loss} for {expected}");
    }
}
