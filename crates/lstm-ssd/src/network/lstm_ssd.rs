//! The paper's detector: MobileNetV1, Bottleneck-LSTM memories, SSD heads.

use bottleneck_lstm::checks::image_exactly;
use bottleneck_lstm::{
    BottleneckLstm, BottleneckLstmConfig, BottleneckLstmState, CellRunner, Reference,
};
use burn::config::Config;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::heads::{self, Heads, Predictions};
use super::mobilenet_v1::{MobileNetV1, MobileNetV1Config, scaled};
use super::{Block, Cost, Layer, NetworkError, Normalization};
use crate::detection::PriorsConfig;

/// Feature maps of the detector: the backbone's, and four extra ones, each half as high and wide.
pub const MAPS: usize = 5;

/// Channels of the extra maps at full width.
const EXTRAS: [usize; MAPS - 1] = [512, 256, 256, 128];

/// Width of the extra maps, and channels of a memory, relative to the detector's width and to the
/// map that the memory reads (Liu & Zhu, 2018, extended width multiplier).
const SSD_WIDTH: f64 = 0.5;
const MEMORY_WIDTH: f64 = 0.25;

/// Configuration of an [`LstmSsd`].
///
/// ```
/// use lstm_ssd::network::LstmSsdConfig;
///
/// let config = LstmSsdConfig::new(31).with_memories(1);
/// assert_eq!(config.memory(0).unwrap().hidden_channels, 256);
/// assert!(config.with_memories(6).validate().is_err());
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct LstmSsdConfig {
    /// Classes, the background among them.
    pub num_classes: usize,
    /// The width multiplier, from 0.25 to 1.
    #[config(default = 1.0)]
    pub alpha: f64,
    /// `[height, width]` of the picture. 320 by 320, as in the paper.
    #[config(default = "[320, 320]")]
    pub input: [usize; 2],
    /// How many maps, the backbone's first, have a memory behind them: 0 to 5. What reads such a map
    /// reads the memory instead.
    #[config(default = 1)]
    pub memories: usize,
    /// What follows its convolutions.
    #[config(default = "Normalization::Batch")]
    pub normalization: Normalization,
}

impl LstmSsdConfig {
    /// Checks width, classes, picture and memories.
    ///
    /// # Errors
    ///
    /// [`NetworkError`], naming the first field out of order.
    pub fn validate(&self) -> Result<(), NetworkError> {
        self.backbone().validate()?;
        super::mobilenet_v2::validate(self.num_classes, self.input)?;
        if self.memories > MAPS {
            return Err(NetworkError::Field {
                field: "memories",
                expected: "at most 5, one behind each map",
                found: self.memories.to_string(),
            });
        }
        for map in 0..self.memories {
            if let Some(memory) = self.memory(map) {
                memory
                    .validate()
                    .map_err(|source| NetworkError::Memory { map, source })?;
            }
        }
        Ok(())
    }

    /// The backbone's configuration.
    pub fn backbone(&self) -> MobileNetV1Config {
        MobileNetV1Config::new()
            .with_alpha(self.alpha)
            .with_input(self.input)
            .with_normalization(self.normalization)
    }

    /// The configuration of the memory behind a map, counted from 0, if there is one: a quarter of
    /// its channels, the paper's cell.
    pub fn memory(&self, map: usize) -> Option<BottleneckLstmConfig> {
        (map < self.memories).then(|| {
            let input = self.map_channels(map);
            BottleneckLstmConfig::paper(input, memory_channels(input))
        })
    }

    /// All convolutions in the order in which they run, those of memories left out and the heads
    /// last.
    pub fn layers(&self) -> Vec<Layer> {
        let mut layers = self.backbone().layers();
        let maps = self.maps();
        let before = maps.iter().copied().take(EXTRAS.len());
        for (index, (input, map)) in before.enumerate() {
            let name = |part| format!("extras.{index}.{part}");
            let output = self.map_channels(index + 1);
            let narrow = (output / 2).max(1);
            layers.push(Layer::pointwise(name("reduce"), [input, narrow], map));
            let depthwise = Layer::depthwise(name("depthwise"), narrow, 2, map);
            let map = depthwise.output();
            layers.push(depthwise);
            layers.push(Layer::pointwise(name("pointwise"), [narrow, output], map));
        }
        layers.extend(heads::layers(
            &maps,
            &self.priors().per_cell(),
            self.num_classes,
        ));
        layers
    }

    /// The prior boxes: six in each cell of all five maps.
    pub fn priors(&self) -> PriorsConfig {
        let sizes = self.sizes().to_vec();
        PriorsConfig::new(sizes).with_reduce_finest(false)
    }

    /// Parameters and multiply-accumulates of one frame, with memories and heads and their biases.
    /// Normalisation is not counted.
    pub fn cost(&self) -> Cost {
        let layers = self.layers();
        let heads = &layers[layers.len() - 2 * MAPS..];
        let biases: usize = heads.iter().map(|layer| layer.channels[1]).sum();
        let sizes = self.sizes();
        let memories = (0..self.memories.min(MAPS)).filter_map(|map| {
            self.memory(map).map(|memory| Cost {
                params: memory.num_params() as u64,
                macs: memory.macs(sizes[map]),
            })
        });
        let mut cost: Cost = layers.iter().map(Layer::cost).chain(memories).sum();
        cost.params += biases as u64;
        cost
    }

    /// A network with fresh weights.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) errs, with the same message.
    pub fn init<B: Backend>(&self, device: &B::Device) -> LstmSsd<B> {
        self.try_init(device)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// A network with fresh weights.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub fn try_init<B: Backend>(&self, device: &B::Device) -> Result<LstmSsd<B>, NetworkError> {
        self.validate()?;
        let layers = self.layers();
        let extras = self.backbone().layers().len()..layers.len() - 2 * MAPS;
        let memory = |map| match self.memory(map) {
            None => Ok(None),
            Some(memory) => memory
                .try_init(device)
                .map(Some)
                .map_err(|source| NetworkError::Memory { map, source }),
        };
        let block = |layer| Block::new(layer, self.normalization, device);
        Ok(LstmSsd {
            backbone: self.backbone().try_init(device)?,
            memories: (0..MAPS).map(memory).collect::<Result<_, _>>()?,
            heads: Heads::new(&layers[extras.end..], self.num_classes, device),
            extras: layers[extras].iter().map(block).collect(),
            input: self.input,
        })
    }

    /// Channels of a map before its memory.
    fn map_channels(&self, map: usize) -> usize {
        match map {
            0 => self.backbone().output().0,
            _ => scaled(EXTRAS[map - 1], self.alpha * SSD_WIDTH),
        }
    }

    /// Channels, after a memory if there is one, and sizes of the maps.
    fn maps(&self) -> Vec<(usize, [usize; 2])> {
        let channels = |map| {
            self.memory(map)
                .map_or(self.map_channels(map), |memory| memory.output_channels())
        };
        let sizes = self.sizes().into_iter().enumerate();
        sizes.map(|(map, size)| (channels(map), size)).collect()
    }

    fn sizes(&self) -> [[usize; 2]; MAPS] {
        let mut size = self.backbone().output().1;
        core::array::from_fn(|map| {
            if map > 0 {
                size = size.map(|side| side.div_ceil(2));
            }
            size
        })
    }
}

/// Channels of a memory behind a map: an even number, at least two.
fn memory_channels(input: usize) -> usize {
    let quarter = (input as f64 * MEMORY_WIDTH) as usize;
    (quarter / 2 * 2).max(2)
}

/// What a detector remembers of a video: a state for each memory, the one behind the finest map
/// first.
#[derive(Debug, Clone)]
pub struct LstmSsdState<B: Backend> {
    /// The states.
    pub memories: Vec<BottleneckLstmState<B>>,
}

/// The single-shot detector with memories of the paper (Liu & Zhu, 2018, sections 3 and 4).
///
/// ```
/// use burn::tensor::Tensor;
/// use burn_flex::Flex;
/// use lstm_ssd::network::LstmSsdConfig;
///
/// let device = Default::default();
/// let config = LstmSsdConfig::new(3).with_alpha(0.25).with_input([64, 64]);
/// let detector = config.init::<Flex>(&device);
///
/// let mut state = None; // a new video starts with no state
/// for _frame in 0..2 {
///     let frame = Tensor::zeros([1, 3, 64, 64], &device);
///     let (predictions, next) = detector.step(frame, state);
///     assert_eq!(predictions.logits.dims()[2], 3);
///     state = Some(next);
/// }
/// ```
#[derive(Module, Debug)]
pub struct LstmSsd<B: Backend> {
    backbone: MobileNetV1<B>,
    memories: Vec<Option<BottleneckLstm<B>>>,
    extras: Vec<Block<B>>,
    heads: Heads<B>,
    input: [usize; 2],
}

impl<B: Backend> LstmSsd<B> {
    /// One frame of each video, `[batch, 3, height, width]` of the configured size: red, green,
    /// blue from -1 to 1. Predictions, and what is remembered; no state starts new videos.
    ///
    /// # Panics
    ///
    /// If frames or state are of another shape.
    pub fn step(
        &self,
        frames: Tensor<B, 4>,
        state: Option<LstmSsdState<B>>,
    ) -> (Predictions<B>, LstmSsdState<B>) {
        self.step_with(&Reference, frames, state)
    }

    /// As [`step`](Self::step), with another runner for the memories.
    ///
    /// # Panics
    ///
    /// If frames or state are of another shape.
    pub fn step_with<R: CellRunner<B>>(
        &self,
        runner: &R,
        frames: Tensor<B, 4>,
        state: Option<LstmSsdState<B>>,
    ) -> (Predictions<B>, LstmSsdState<B>) {
        self.try_step_with(runner, frames, state)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`step_with`](Self::step_with).
    ///
    /// # Errors
    ///
    /// If frames or state are of another shape.
    pub fn try_step_with<R: CellRunner<B>>(
        &self,
        runner: &R,
        frames: Tensor<B, 4>,
        state: Option<LstmSsdState<B>>,
    ) -> Result<(Predictions<B>, LstmSsdState<B>), NetworkError> {
        let dims = frames.dims();
        let [height, width] = self.input;
        image_exactly("frames", [dims[0], 3, height, width], dims)?;
        let expected = self.memories.iter().flatten().count();
        let mut states = match state {
            None => vec![None; expected],
            Some(state) if state.memories.len() == expected => {
                state.memories.into_iter().map(Some).collect()
            }
            Some(state) => {
                return Err(NetworkError::Memories {
                    expected,
                    found: state.memories.len(),
                });
            }
        }
        .into_iter();

        let mut x = self.backbone.forward(frames);
        let mut extras = self.extras.chunks(3);
        let mut maps = Vec::with_capacity(MAPS);
        let mut remembered = Vec::with_capacity(expected);
        for (index, memory) in self.memories.iter().enumerate() {
            if index > 0 {
                let stage = extras.next().unwrap_or_default();
                x = stage.iter().fold(x, |x, block| block.forward(x));
            }
            if let Some(memory) = memory {
                let next = memory.try_step_with(runner, x, states.next().flatten())?;
                x = next.hidden.clone();
                remembered.push(next);
            }
            maps.push(x.clone());
        }
        let state = LstmSsdState {
            memories: remembered,
        };
        Ok((self.heads.forward(&maps), state))
    }
}
