//! Convolutions as the cells have them: 'same' padding, stride 1.

use burn::module::{Initializer, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

use crate::Initialization;

/// Convolves `x`, `[batch, in, height, width]`, with `weight`, `[out, in / groups, k, k]`, `k` odd.
pub(crate) fn same<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    groups: usize,
) -> Tensor<B, 4> {
    let reach = weight.dims()[2] / 2;
    conv2d(
        x,
        weight,
        bias,
        ConvOptions::new([1, 1], [reach, reach], [1, 1], groups),
    )
}

impl Initialization {
    /// Fresh weights, `[out, in / groups, k, k]`, of convolutions of `outputs` channels each.
    pub(crate) fn draw<B: Backend>(
        self,
        shape: [usize; 4],
        gain: f64,
        outputs: usize,
        device: &B::Device,
    ) -> Param<Tensor<B, 4>> {
        let [_, inputs, k, _] = shape;
        let area = (k * k) as f64;
        let std = match self {
            Self::FanIn => gain / (area * inputs as f64).sqrt(),
            Self::PyTorch => (2.0 / (area * outputs as f64)).sqrt(),
        };
        let weights = Initializer::Normal { mean: 0.0, std }.init(shape, device);
        // Burn draws on first use, so that a clone made before would draw weights of its own.
        let _ = weights.val();
        weights
    }
}
