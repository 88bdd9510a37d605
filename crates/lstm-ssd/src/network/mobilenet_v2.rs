//! MobileNetV2 with SSD heads: one frame, no memory.

use bottleneck_lstm::checks::image_exactly;
use bottleneck_lstm::weights::Checkpoint;
use burn::config::Config;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::heads::{self, Heads, Predictions};
use super::weights::{self, WeightsError};
use super::{Block, Cost, Layer, NetworkError, Normalization};
use crate::detection::PriorsConfig;

/// Expansion, output channels, repetitions and first stride of the backbone's stages (Sandler et
/// al., *MobileNetV2*, 2018, table 2).
const STAGES: [(usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

/// Channels of the first and of the last convolution of the backbone.
const STEM: usize = 32;
const LAST: usize = 1280;

/// Channels between and after the two convolutions of each extra stage.
const EXTRAS: [(usize, usize); 4] = [(256, 512), (128, 256), (128, 256), (64, 128)];

/// Blocks before the map that [`early`](MobileNetV2Ssd::early) yields.
#[cfg(feature = "train")]
const EARLY: usize = 3;

/// The block whose expanded map, before its stride, feeds the first heads.
const FIRST_MAP: usize = 13;

/// The number of feature maps.
const MAPS: usize = 6;

/// Configuration of a [`MobileNetV2Ssd`].
///
/// ```
/// use lstm_ssd::network::MobileNetV2SsdConfig;
///
/// let config = MobileNetV2SsdConfig::new(24);
/// assert_eq!(config.cost().params, 4_951_996);
/// assert_eq!(config.priors().priors().len(), 1917);
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct MobileNetV2SsdConfig {
    /// Classes, the background among them.
    pub num_classes: usize,
    /// `[height, width]` of the picture that the network sees. 300 by 300, as published.
    #[config(default = "[300, 300]")]
    pub input: [usize; 2],
    /// What follows its convolutions.
    #[config(default = "Normalization::Batch")]
    pub normalization: Normalization,
}

impl MobileNetV2SsdConfig {
    /// Checks that there is a class beside the background, and that the picture has a size that
    /// can be addressed.
    ///
    /// # Errors
    ///
    /// [`NetworkError::Field`], naming the first field out of order.
    pub fn validate(&self) -> Result<(), NetworkError> {
        validate(self.num_classes, self.input)
    }

    /// All convolutions in the order in which they run, the heads last.
    pub fn layers(&self) -> Vec<Layer> {
        let (mut layers, maps) = self.backbone();
        layers.extend(heads::layers(
            &maps,
            &self.priors().per_cell(),
            self.num_classes,
        ));
        layers
    }

    /// Channels, height and width of the map behind which a [`Memory`](super::Memory) stands: that of
    /// [`try_trunk`](MobileNetV2Ssd::try_trunk).
    pub fn trunk(&self) -> [usize; 3] {
        let (layers, _) = self.backbone();
        let reader = format!("backbone.block{FIRST_MAP}.expand");
        let reader = layers.iter().find(|layer| layer.name == reader);
        let Layer { channels, map, .. } = reader.expect("the block that feeds the first heads");
        [channels[0], map[0], map[1]]
    }

    /// The prior boxes.
    pub fn priors(&self) -> PriorsConfig {
        let (_, maps) = self.backbone();
        PriorsConfig::new(maps.into_iter().map(|(_, map)| map).collect())
    }

    /// Parameters, with biases, and multiply-accumulates of one frame.
    pub fn cost(&self) -> Cost {
        let layers = self.layers();
        let biases: usize = layers.iter().map(|layer| layer.channels[1]).sum();
        let mut cost: Cost = layers.iter().map(Layer::cost).sum();
        cost.params += biases as u64;
        cost
    }

    /// A network with fresh weights.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) errs, with the same message.
    pub fn init<B: Backend>(&self, device: &B::Device) -> MobileNetV2Ssd<B> {
        self.try_init(device)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// A network with fresh weights.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub fn try_init<B: Backend>(
        &self,
        device: &B::Device,
    ) -> Result<MobileNetV2Ssd<B>, NetworkError> {
        self.validate()?;
        let layers = self.layers();
        let head = layers.len() - 2 * MAPS;
        let mut rest = layers[..head]
            .iter()
            .map(|layer| Block::new(layer, self.normalization, device));
        let mut take = |count: usize| -> Vec<Block<B>> { rest.by_ref().take(count).collect() };
        let stem = take(1);
        let mut input = STEM;
        let (mut front, mut middle, mut back) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (expansion, output, stride)) in repeated().enumerate() {
            let convolutions = take(if expansion == 1 { 2 } else { 3 });
            if index == FIRST_MAP {
                middle = convolutions;
            } else {
                let part = if index < FIRST_MAP {
                    &mut front
                } else {
                    &mut back
                };
                part.push(Inverted {
                    residual: stride == 1 && input == output,
                    convolutions,
                });
            }
            input = output;
        }
        let last = take(1);
        let extras = take(2 * EXTRAS.len());
        Ok(MobileNetV2Ssd {
            stem,
            front,
            middle,
            back,
            last,
            extras,
            heads: Heads::new(&layers[head..], self.num_classes, device),
            input: self.input,
        })
    }

    /// The convolutions of backbone and extras, and channels and sizes of the feature maps.
    fn backbone(&self) -> (Vec<Layer>, Vec<(usize, [usize; 2])>) {
        let mut layers = vec![Layer::dense(
            "backbone.conv0".into(),
            [3, STEM],
            2,
            self.input,
        )];
        let mut maps = Vec::new();
        let mut map = layers[0].output();
        let mut input = STEM;
        for (index, (expansion, output, stride)) in repeated().enumerate() {
            let name = |part| format!("backbone.block{index}.{part}");
            let wide = input * expansion;
            if expansion > 1 {
                layers.push(Layer::pointwise(name("expand"), [input, wide], map));
            }
            if index == FIRST_MAP {
                maps.push((wide, map));
            }
            let depthwise = Layer::depthwise(name("depthwise"), wide, stride, map);
            map = depthwise.output();
            layers.push(depthwise);
            layers.push(Layer::pointwise(name("project"), [wide, output], map).linear());
            input = output;
        }
        layers.push(Layer::pointwise(
            "backbone.conv1".into(),
            [input, LAST],
            map,
        ));
        maps.push((LAST, map));
        let mut input = LAST;
        for (index, (narrow, output)) in EXTRAS.into_iter().enumerate() {
            let name = |part| format!("extras.{index}.{part}");
            layers.push(Layer::pointwise(name("reduce"), [input, narrow], map));
            let conv = Layer::dense(name("conv"), [narrow, output], 2, map);
            map = conv.output();
            layers.push(conv);
            maps.push((output, map));
            input = output;
        }
        (layers, maps)
    }
}

/// That there is something to detect, and a picture to detect it in.
pub(super) fn validate(classes: usize, input: [usize; 2]) -> Result<(), NetworkError> {
    if !(2..=1 << 16).contains(&classes) {
        return Err(NetworkError::Field {
            field: "num_classes",
            expected: "from 2, the background and one more, to 65536",
            found: classes.to_string(),
        });
    }
    if input.iter().any(|side| !(1..=1 << 14).contains(side)) {
        return Err(NetworkError::Field {
            field: "input",
            expected: "[height, width] from 1 to 16384 each",
            found: format!("{input:?}"),
        });
    }
    Ok(())
}

/// Expansion, output channels and stride of every block.
fn repeated() -> impl Iterator<Item = (usize, usize, usize)> {
    STAGES
        .into_iter()
        .flat_map(|(expansion, output, count, stride)| {
            (0..count).map(move |index| (expansion, output, if index == 0 { stride } else { 1 }))
        })
}

/// An inverted residual: expand, unless the block is as wide as its input, depthwise, project.
#[derive(Module, Debug)]
pub(super) struct Inverted<B: Backend> {
    pub(super) convolutions: Vec<Block<B>>,
    pub(super) residual: bool,
}

impl<B: Backend> Inverted<B> {
    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let y = all(&self.convolutions, x.clone());
        if self.residual { y + x } else { y }
    }
}

/// A single-shot detector on MobileNetV2, for one frame at a time (Sandler et al., *MobileNetV2*,
/// 2018, section 6.2, with the dense extra stages of the TensorFlow Object Detection API).
///
/// ```
/// use burn::tensor::Tensor;
/// use burn_flex::Flex;
/// use lstm_ssd::network::MobileNetV2SsdConfig;
///
/// let device = Default::default();
/// let config = MobileNetV2SsdConfig::new(3).with_input([64, 64]);
/// let network = config.init::<Flex>(&device);
/// let predictions = network.forward(Tensor::zeros([1, 3, 64, 64], &device));
/// assert_eq!(predictions.boxes.dims(), [1, config.priors().priors().len(), 4]);
/// ```
#[derive(Module, Debug)]
pub struct MobileNetV2Ssd<B: Backend> {
    pub(super) stem: Vec<Block<B>>,
    /// Blocks before the one whose expanded map feeds the first heads.
    pub(super) front: Vec<Inverted<B>>,
    /// That one, which is not residual.
    pub(super) middle: Vec<Block<B>>,
    /// Blocks after it.
    pub(super) back: Vec<Inverted<B>>,
    pub(super) last: Vec<Block<B>>,
    pub(super) extras: Vec<Block<B>>,
    pub(super) heads: Heads<B>,
    pub(super) input: [usize; 2],
}

impl<B: Backend> MobileNetV2Ssd<B> {
    /// A network with the weights of a file, with batch normalisation folded into them: what
    /// `cargo xtask weights` writes.
    ///
    /// # Errors
    ///
    /// If the configuration is not legal, or the file lacks a tensor, has one too many, or one of
    /// another shape or no floating-point numbers.
    pub fn from_checkpoint(
        config: &MobileNetV2SsdConfig,
        checkpoint: &Checkpoint,
        device: &B::Device,
    ) -> Result<Self, WeightsError> {
        let config = config.clone().with_normalization(Normalization::Bias);
        let mut network = config.try_init(device)?;
        weights::load(&config.layers(), network.blocks_mut(), checkpoint, device)?;
        Ok(network)
    }

    /// Predictions of `frames`, `[batch, 3, height, width]` of the configured size: red, green,
    /// blue from -1 to 1.
    ///
    /// # Panics
    ///
    /// If the frames are of another shape.
    pub fn forward(&self, frames: Tensor<B, 4>) -> Predictions<B> {
        self.heads.forward(&self.features(frames))
    }

    /// As [`forward`](Self::forward).
    ///
    /// # Errors
    ///
    /// If the frames are of another shape.
    pub fn try_forward(&self, frames: Tensor<B, 4>) -> Result<Predictions<B>, NetworkError> {
        Ok(self.heads.forward(&self.try_features(frames)?))
    }

    /// What the heads read of `frames`, as [`forward`](Self::forward) takes them: six maps, finest
    /// first, each `[batch, channels, height, width]`. At 300 by 300 pixels they have 576 channels at
    /// 19x19, 1280 at 10x10, 512 at 5x5, 256 at 3x3, 256 at 2x2 and 128 at 1x1.
    ///
    /// # Panics
    ///
    /// If the frames are of another shape.
    pub fn features(&self, frames: Tensor<B, 4>) -> Vec<Tensor<B, 4>> {
        self.try_features(frames)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`features`](Self::features).
    ///
    /// # Errors
    ///
    /// If the frames are of another shape.
    pub fn try_features(&self, frames: Tensor<B, 4>) -> Result<Vec<Tensor<B, 4>>, NetworkError> {
        Ok(self.features_of_trunk(self.try_trunk(frames)?))
    }

    /// The map after block 12, the last one that all heads depend on, of `frames` as [`forward`](Self::forward)
    /// takes them: `[batch, 96, ceil(height / 16), ceil(width / 16)]`, not activated. A [`Memory`](super::Memory)
    /// stands here.
    ///
    /// # Errors
    ///
    /// If the frames are of another shape.
    pub fn try_trunk(&self, frames: Tensor<B, 4>) -> Result<Tensor<B, 4>, NetworkError> {
        let dims = frames.dims();
        let [height, width] = self.input;
        image_exactly("frames", [dims[0], 3, height, width], dims)?;
        let stem = all(&self.stem, frames);
        Ok(self.front.iter().fold(stem, |x, block| block.forward(x)))
    }

    /// The map after block 2, of frames of any size that is a multiple of 4:
    /// `[batch, 24, height / 4, width / 4]`, not activated.
    #[cfg(feature = "train")]
    pub(crate) fn early(&self, frames: Tensor<B, 4>) -> Tensor<B, 4> {
        let stem = all(&self.stem, frames);
        let early = self.front.iter().take(EARLY);
        early.fold(stem, |x, block| block.forward(x))
    }

    /// What the heads read, as [`features`](Self::features), of the map that [`try_trunk`](Self::try_trunk) yields.
    ///
    /// # Panics
    ///
    /// If the map has another number of channels.
    pub fn features_of_trunk(&self, trunk: Tensor<B, 4>) -> Vec<Tensor<B, 4>> {
        let (expand, rest) = self.middle.split_at(1);
        let wide = all(expand, trunk);
        let x = all(rest, wide.clone());
        let x = self.back.iter().fold(x, |x, block| block.forward(x));
        let mut map = all(&self.last, x);
        let mut maps = vec![wide, map.clone()];
        for stage in self.extras.chunks(2) {
            map = all(stage, map);
            maps.push(map.clone());
        }
        maps
    }

    /// Predictions of the priors on the finest map, the first ones, of the map that [`try_trunk`](Self::try_trunk)
    /// yields: nothing but products of matrices lies between the two.
    ///
    /// # Panics
    ///
    /// If the map has another number of channels.
    pub fn finest_of_trunk(&self, trunk: Tensor<B, 4>) -> Predictions<B> {
        self.heads.finest(self.middle[0].forward_pointwise(trunk))
    }

    /// The heads, which turn feature maps into predictions.
    pub fn heads(&self) -> &Heads<B> {
        &self.heads
    }

    /// `[height, width]` of the frames that it takes.
    pub fn input(&self) -> [usize; 2] {
        self.input
    }

    /// Its convolutions in the order of [`MobileNetV2SsdConfig::layers`].
    #[cfg(feature = "cpu")]
    pub(super) fn blocks(&self) -> impl Iterator<Item = &Block<B>> {
        let (front, back) = (self.front.iter(), self.back.iter());
        self.stem
            .iter()
            .chain(front.flat_map(|block| &block.convolutions))
            .chain(&self.middle)
            .chain(back.flat_map(|block| &block.convolutions))
            .chain(&self.last)
            .chain(&self.extras)
            .chain(self.heads.blocks())
    }

    /// As [`blocks`](Self::blocks).
    fn blocks_mut(&mut self) -> impl Iterator<Item = &mut Block<B>> {
        self.stem
            .iter_mut()
            .chain(
                self.front
                    .iter_mut()
                    .flat_map(|block| &mut block.convolutions),
            )
            .chain(&mut self.middle)
            .chain(
                self.back
                    .iter_mut()
                    .flat_map(|block| &mut block.convolutions),
            )
            .chain(&mut self.last)
            .chain(&mut self.extras)
            .chain(self.heads.blocks_mut())
    }
}

fn all<B: Backend>(blocks: &[Block<B>], x: Tensor<B, 4>) -> Tensor<B, 4> {
    blocks.iter().fold(x, |x, block| block.forward(x))
}
