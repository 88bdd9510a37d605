//! From frames to feature maps.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::module::unfold4d;
use burn::tensor::ops::UnfoldOptions;

use crate::frame::SIDE;

/// Channels of the feature maps.
pub const FEATURES: usize = 64;

/// Channels and stride of the encoder's separable blocks; a block's input channels are those of
/// the block before it.
const BLOCKS: [(usize, usize); 3] = [(32, 2), (FEATURES, 2), (FEATURES, 1)];

/// Channels of the stem, which has stride 2.
const STEM: usize = 16;

/// A small convolutional network of stride 8: an eighth of the frame's height and width,
/// [`FEATURES`] channels. It looks at every frame by itself.
#[derive(Module, Debug)]
pub struct Encoder<B: Backend> {
    stem: Pointwise<B>,
    blocks: Vec<Separable<B>>,
}

impl<B: Backend> Encoder<B> {
    /// A fresh encoder.
    pub fn new(device: &B::Device) -> Self {
        let mut input = STEM;
        let block = |(output, stride)| {
            Separable::new(
                std::mem::replace(&mut input, output),
                output,
                stride,
                device,
            )
        };
        Self {
            stem: Pointwise::new(9, STEM, device),
            blocks: BLOCKS.map(block).into(),
        }
    }

    /// From `[batch, 1, height, width]` to `[batch, FEATURES, height / 8, width / 8]`.
    pub fn forward(&self, frames: Tensor<B, 4>) -> Tensor<B, 4> {
        let [batch, _, height, width] = frames.dims();
        // A 3 by 3 convolution of stride 2 as a product with the picture's patches: no gradient is
        // asked of the picture, so this is much cheaper to train than a convolution.
        let patches = unfold4d(frames, [3, 3], UnfoldOptions::new([2, 2], [1, 1], [1, 1]));
        let patches = patches.reshape([batch, 9, height / 2, width / 2]);
        let features = relu(self.stem.forward(patches));
        self.blocks
            .iter()
            .fold(features, |features, block| block.forward(features))
    }
}

/// Trainable parameters of the encoder.
pub fn parameters() -> usize {
    let mut input = STEM;
    let mut parameters = 9 * STEM;
    for (output, _) in BLOCKS {
        // The last two are a normalisation's.
        parameters += 9 * input + input * output + 2 * output;
        input = output;
    }
    parameters
}

/// Multiply-accumulates of the encoder on one frame.
pub fn macs() -> u64 {
    let mut side = SIDE / 2;
    let mut input = STEM;
    let mut macs = 9 * STEM * side * side;
    for (output, stride) in BLOCKS {
        side /= stride;
        macs += (9 * input + input * output) * side * side;
        input = output;
    }
    macs as u64
}

/// A depthwise and a pointwise convolution, batch normalisation and ReLU.
#[derive(Module, Debug)]
struct Separable<B: Backend> {
    depthwise: Conv2d<B>,
    pointwise: Pointwise<B>,
    norm: BatchNorm<B>,
}

impl<B: Backend> Separable<B> {
    fn new(input: usize, output: usize, stride: usize, device: &B::Device) -> Self {
        Self {
            depthwise: Conv2dConfig::new([input, input], [3, 3])
                .with_groups(input)
                .with_stride([stride, stride])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_bias(false)
                .init(device),
            pointwise: Pointwise::new(input, output, device),
            norm: BatchNormConfig::new(output).init(device),
        }
    }

    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        relu(normalize(
            &self.norm,
            self.pointwise.forward(self.depthwise.forward(x)),
        ))
    }
}

/// What [`BatchNorm::forward`] computes, with scale and shift spread over the batch first: Flex is
/// ten times faster at products of rows with a number each than at those of `[1, channels, 1, 1]`.
fn normalize<B: Backend>(norm: &BatchNorm<B>, x: Tensor<B, 4>) -> Tensor<B, 4> {
    let [batch, channels, height, width] = x.dims();
    let rows = x.reshape([batch, channels, height * width]);
    let (mean, variance) = if B::ad_enabled(&rows.device()) {
        let mean = rows.clone().mean_dim(2).mean_dim(0);
        let square = rows.clone().square().mean_dim(2).mean_dim(0);
        let variance = (square - mean.clone().square()).clamp_min(0.0);
        for (running, new) in [(&norm.running_mean, &mean), (&norm.running_var, &variance)] {
            let kept = running.value_sync() * (1.0 - norm.momentum);
            running.update(kept + new.clone().detach().reshape([channels]) * norm.momentum);
        }
        (mean, variance)
    } else {
        let running = [&norm.running_mean, &norm.running_var].map(|running| running.value());
        let [mean, variance] = running.map(|running| running.reshape([1, channels, 1]));
        (mean, variance)
    };
    let gamma = norm.gamma.val().reshape([1, channels, 1]);
    let scale = gamma / (variance + norm.epsilon).sqrt();
    let shift = norm.beta.val().reshape([1, channels, 1]) - mean * scale.clone();
    let [scale, shift] = [scale, shift].map(|factor| factor.repeat_dim(0, batch));
    (rows * scale + shift).reshape([batch, channels, height, width])
}

/// A convolution of kernel size 1 without a bias, as a matrix product: its gradient is several
/// times cheaper on a CPU than that of Burn's convolution.
#[derive(Module, Debug)]
struct Pointwise<B: Backend> {
    /// `[output, input, 1, 1]`
    weight: Param<Tensor<B, 4>>,
}

impl<B: Backend> Pointwise<B> {
    fn new(input: usize, output: usize, device: &B::Device) -> Self {
        let initializer = Initializer::Normal {
            mean: 0.0,
            std: (2.0 / input as f64).sqrt(),
        };
        Self {
            weight: initializer.init([output, input, 1, 1], device),
        }
    }

    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let [batch, input, height, width] = x.dims();
        let [output, ..] = self.weight.dims();
        self.weight
            .val()
            .reshape([1, output, input])
            .matmul(x.reshape([batch, input, height * width]))
            .reshape([batch, output, height, width])
    }
}
