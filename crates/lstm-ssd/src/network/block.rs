//! A convolution with what follows it.

use burn::module::{Initializer, Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::Layer;
use super::pointwise::pointwise;

/// What follows a convolution, before its activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Normalization {
    /// Batch normalisation: to train from scratch.
    #[default]
    Batch,
    /// A bias: the form of a trained network, with its batch normalisation folded into the weights.
    Bias,
}

/// A convolution with 'same' padding, batch normalisation or a bias, and a ReLU6 where the layer
/// has one.
#[derive(Module, Debug)]
pub struct Block<B: Backend> {
    /// The convolution.
    pub conv: Conv2d<B>,
    /// Batch normalisation, instead of a bias.
    pub norm: Option<BatchNorm<B>>,
    activated: bool,
}

impl<B: Backend> Block<B> {
    /// Fresh weights, normal with deviation `sqrt(2 / fan_in)`, and a bias of zero.
    pub fn new(layer: &Layer, normalization: Normalization, device: &B::Device) -> Self {
        let std = (2.0 / layer.weight_shape()[1..].iter().product::<usize>() as f64).sqrt();
        let mut conv = Conv2dConfig::new(layer.channels, [layer.kernel; 2])
            .with_stride([layer.stride; 2])
            .with_groups(layer.groups())
            // Burn's is TensorFlow's: the larger half below and to the right.
            .with_padding(PaddingConfig2d::Same)
            .with_bias(false)
            .with_initializer(Initializer::Normal { mean: 0.0, std })
            .init(device);
        let outputs = layer.channels[1];
        let norm = match normalization {
            Normalization::Batch => Some(BatchNormConfig::new(outputs).init(device)),
            Normalization::Bias => {
                conv.bias = Some(Initializer::Zeros.init([outputs], device));
                None
            }
        };
        Self {
            conv,
            norm,
            activated: layer.activated,
        }
    }

    /// From `[batch, in, height, width]` to `[batch, out, ceil(height / stride), ceil(width /
    /// stride)]`.
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        self.finish(self.conv.forward(x))
    }

    /// As [`forward`](Self::forward), of a convolution over single positions, as a product of matrices: trains faster.
    pub(crate) fn forward_pointwise(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let [frames, channels, height, width] = x.dims();
        let [outputs, ..] = self.conv.weight.dims();
        let x = x.reshape([frames * channels, height * width]);
        let y = pointwise(&self.conv, x, frames);
        self.finish(y.reshape([frames, outputs, height, width]))
    }

    fn finish(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let x = match &self.norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        if self.activated { x.clamp(0.0, 6.0) } else { x }
    }

    /// Puts trained weights in the place of its own.
    pub(crate) fn set(&mut self, weight: Tensor<B, 4>, bias: Tensor<B, 1>) {
        self.conv.weight = Param::from_tensor(weight);
        self.conv.bias = Some(Param::from_tensor(bias));
        self.norm = None;
    }
}
