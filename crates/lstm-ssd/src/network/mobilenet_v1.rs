//! MobileNetV1: the backbone of the paper's detector.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{Block, Cost, Layer, NetworkError, Normalization};

/// Output channels, at full width, and strides of the separable convolutions (Howard et al.,
/// *MobileNets*, 2017, table 1).
const SEPARABLE: [(usize, usize); 13] = [
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
];

/// Channels of the first convolution at full width.
const STEM: usize = 32;

/// Channels that no width multiplier goes below.
const LEAST: usize = 8;

/// Configuration of a [`MobileNetV1`]: all of MobileNetV1 up to its last convolution, of stride 32.
///
/// # Cost
///
/// ```
/// use lstm_ssd::network::MobileNetV1Config;
///
/// let full = MobileNetV1Config::new();
/// assert_eq!(full.cost().params, 3_185_088);
/// assert_eq!(full.cost().macs, 1_158_604_800);
///
/// let half = MobileNetV1Config::new().with_alpha(0.5);
/// assert_eq!(half.cost().params, 807_648);
/// assert_eq!(half.cost().macs, 304_051_200);
/// ```
///
/// Liu & Zhu (2018, section 4) state 3.24 million parameters and 1.13 billion multiply-accumulates
/// for their whole detector with a Bottleneck-LSTM at width 1, and 0.86 million and 0.19 billion at
/// width 0.5. They do not say what they count, and their figures cannot be reproduced to the digit:
/// the backbone alone, without heads and memory, takes more multiply-accumulates than either. Nor
/// can they be those of one network at two widths. Halving a convolution's channels leaves a
/// quarter of it, or half of it where it is depthwise or reads the picture; 0.19 of 1.13 is a sixth.
#[derive(Config, Debug, PartialEq)]
pub struct MobileNetV1Config {
    /// The width multiplier, from 0.25 to 1.
    #[config(default = 1.0)]
    pub alpha: f64,
    /// `[height, width]` of the picture. 320 by 320, as in the paper.
    #[config(default = "[320, 320]")]
    pub input: [usize; 2],
    /// What follows its convolutions.
    #[config(default = "Normalization::Batch")]
    pub normalization: Normalization,
}

impl MobileNetV1Config {
    /// Checks that the width is legal, and that the picture has a size that can be addressed.
    ///
    /// # Errors
    ///
    /// [`NetworkError::Field`], naming the first field out of order.
    pub fn validate(&self) -> Result<(), NetworkError> {
        if !(0.25..=1.0).contains(&self.alpha) {
            return Err(NetworkError::Field {
                field: "alpha",
                expected: "from 0.25 to 1",
                found: self.alpha.to_string(),
            });
        }
        super::mobilenet_v2::validate(2, self.input)
    }

    /// All convolutions in the order in which they run.
    pub fn layers(&self) -> Vec<Layer> {
        let mut input = scaled(STEM, self.alpha);
        let stem = Layer::dense("backbone.conv0".into(), [3, input], 2, self.input);
        let mut map = stem.output();
        let mut layers = vec![stem];
        for (index, (output, stride)) in SEPARABLE.into_iter().enumerate() {
            let output = scaled(output, self.alpha);
            let name = |part| format!("backbone.conv{}.{part}", index + 1);
            let depthwise = Layer::depthwise(name("depthwise"), input, stride, map);
            map = depthwise.output();
            layers.push(depthwise);
            layers.push(Layer::pointwise(name("pointwise"), [input, output], map));
            input = output;
        }
        layers
    }

    /// Weights and multiply-accumulates of its convolutions. Normalisation is not counted.
    pub fn cost(&self) -> Cost {
        self.layers().iter().map(Layer::cost).sum()
    }

    /// Channels and `[height, width]` of the map that it makes.
    pub fn output(&self) -> (usize, [usize; 2]) {
        let channels = scaled(SEPARABLE[SEPARABLE.len() - 1].0, self.alpha);
        let strides = [2].into_iter().chain(SEPARABLE.map(|(_, stride)| stride));
        let map = strides.fold(self.input, |map, stride| {
            map.map(|side| side.div_ceil(stride))
        });
        (channels, map)
    }

    /// A backbone with fresh weights.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub fn try_init<B: Backend>(&self, device: &B::Device) -> Result<MobileNetV1<B>, NetworkError> {
        self.validate()?;
        let block = |layer| Block::new(layer, self.normalization, device);
        Ok(MobileNetV1 {
            blocks: self.layers().iter().map(block).collect(),
        })
    }
}

/// Channels at a width.
pub(super) fn scaled(channels: usize, alpha: f64) -> usize {
    ((channels as f64 * alpha) as usize).max(LEAST)
}

/// The backbone (Howard et al., *MobileNets*, 2017). Made by [`MobileNetV1Config::try_init`].
#[derive(Module, Debug)]
pub struct MobileNetV1<B: Backend> {
    blocks: Vec<Block<B>>,
}

impl<B: Backend> MobileNetV1<B> {
    /// From `[batch, 3, height, width]` to `[batch, 1024 alpha, ceil(height / 32), ceil(width /
    /// 32)]`.
    pub fn forward(&self, frames: Tensor<B, 4>) -> Tensor<B, 4> {
        self.blocks.iter().fold(frames, |x, block| block.forward(x))
    }
}
