//! Convolutions as the cells have them: 'same' padding, stride 1.

use burn::module::{Initializer, Param};
use burn::tensor::backend::Backend;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Distribution, Tensor};

use crate::Initialization;

/// Convolves `x`, `[batch, in, height, width]`, with `weight`, `[out, in / groups, k, k]`, `k` odd.
pub(crate) fn same<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    groups: usize,
) -> Tensor<B, 4> {
    let reach = weight.dims()[2] / 2;
    let y = conv2d(
        x,
        weight,
        bias,
        ConvOptions::new([1, 1], [reach, reach], [1, 1], groups),
    );
    // On wgpu Burn 0.21 yields channels last, and takes wrong strides when it reshapes that on a map of
    // width 1; what is selected is laid out anew.
    match y.dims() {
        [batch, _, _, 1] => {
            let all = Tensor::arange(0..batch as i64, &y.device());
            y.select(0, all)
        }
        _ => y,
    }
}

/// The gain of a pointwise convolution, which makes up for what depthwise ones lose.
pub(crate) const POINTWISE_GAIN: f64 = core::f64::consts::SQRT_2;

/// The hidden state's share of the variance of a fresh bottleneck, which is what plain fan-in gives
/// it behind four times as many input channels. With a half the loop through the gates amplifies
/// until a fresh cell explodes, and with a tenth little of a frame is left after twenty.
const HIDDEN_SHARE: f64 = 0.2;

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

    /// Fresh weights, `[outputs, input + hidden, 1, 1]`, of a pointwise convolution over input and
    /// hidden state.
    pub(crate) fn draw_recurrent<B: Backend>(
        self,
        [outputs, input, hidden]: [usize; 3],
        device: &B::Device,
    ) -> Param<Tensor<B, 4>> {
        let shape = [outputs, input + hidden, 1, 1];
        match self {
            Self::FanIn => {
                let column = |channels: usize, share: f64| {
                    let std = POINTWISE_GAIN * (share / channels as f64).sqrt();
                    Tensor::full([1, channels, 1, 1], std, device)
                };
                let columns = vec![
                    column(input, 1.0 - HIDDEN_SHARE),
                    column(hidden, HIDDEN_SHARE),
                ];
                let noise = Tensor::random(shape, Distribution::Normal(0.0, 1.0), device);
                Param::from_tensor(noise * Tensor::cat(columns, 1))
            }
            Self::PyTorch => self.draw(shape, POINTWISE_GAIN, outputs, device),
        }
    }
}
