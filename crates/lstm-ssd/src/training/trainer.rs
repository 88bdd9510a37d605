//! Training by truncated back-propagation through time, one iteration at a time, so that it can stop after any of them
//! and go on to the same bits.

use std::path::Path;

use bottleneck_lstm::{BottleneckLstmState, CellRunner};
use burn::module::{AutodiffModule, Module};
use burn::record::{FullPrecisionSettings, NamedMpkBytesRecorder, Recorder};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{ElementConversion, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::TrainingError;
use super::clip::FRAMES;
use super::detection::{DetectionLoss, some_of};
use super::frame_loss::{FrameLoss, PATCH};
use super::loss::feature_loss;
use super::maps::Maps;
use super::optimizer::{MemoryOptimizer, Moments};
use super::random::{Purpose, Random};
use super::student::Student;
use super::unroll::{Chunk, Slot};
use super::{schedule, start};
use crate::network::{
    FrameMemory, FrameMemoryConfig, Memory, MemoryConfig, MemoryState, MobileNetV2Ssd,
};
use crate::whole_file;

/// The share of the iterations before the loss of detections comes in.
const FEATURES_ALONE: f64 = 0.05;

/// Frames of a chunk whose pixels count in an iteration.
const FRAMES_LOOKED_AT: usize = 8;

/// All that decides what comes of a training, beside the maps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingConfig {
    /// What the memory starts with, and what it learns from when, are drawn from it.
    pub seed: u64,
    /// Iterations in all.
    pub iterations: usize,
    /// Clips in an iteration.
    pub batch: usize,
    /// Channels of the memory's states.
    pub hidden: usize,
    /// The highest learning rate.
    pub rate: f64,
    /// The weight of the loss of detections beside that of features. With 0 there is none, and an iteration takes half
    /// the time. A frame memory has none.
    pub detection: f64,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            iterations: 600,
            batch: 2,
            hidden: 64,
            rate: 3e-3,
            detection: 0.1,
        }
    }
}

impl TrainingConfig {
    /// What a [`FrameMemory`] is trained with.
    pub fn of_frames() -> Self {
        Self {
            iterations: 400,
            hidden: 16,
            rate: 5e-3,
            detection: 0.0,
            ..Self::default()
        }
    }
}

/// What came of an iteration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its number, from 1.
    pub iteration: usize,
    /// The loss of the maps that were shown.
    pub shown: f64,
    /// That of what the memory made of them.
    pub features: f64,
    /// The loss of detections, once there is one.
    pub detection: Option<f64>,
    /// The learning rate.
    pub rate: f64,
    /// The mean of the amounts, from -1 to 1: how much of what it remembers the memory may put in.
    pub amount: f64,
}

/// How far a training is.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Progress {
    /// What was set, and what the maps are of.
    config: TrainingConfig,
    maps: String,
    slots: Vec<Option<Slot>>,
    steps: Vec<Step>,
}

/// A training under way: of a [`Memory`], or of the [`FrameMemory`] that is its part in front of the detector.
pub struct Trainer<B: AutodiffBackend, R, S: AutodiffModule<B> = Memory<B>> {
    maps: Maps,
    runner: R,
    device: B::Device,
    loss: Loss<B>,
    memory: S,
    optimizer: MemoryOptimizer<B, S>,
    state: Option<MemoryState<B>>,
    progress: Progress,
}

/// What a part of a memory learns from.
enum Loss<B: AutodiffBackend> {
    Map {
        scale: Tensor<B, 1>,
        detection: Option<DetectionLoss<B>>,
    },
    Frame(FrameLoss<B>),
}

/// What a checkpoint holds: all that changes from iteration to iteration.
type Checkpoint<B, S> = (
    <S as Module<B>>::Record,
    Moments<B, S>,
    Option<(BottleneckLstmState<B>, Tensor<B, 4>)>,
    String,
);

impl<B: AutodiffBackend, R: CellRunner<B>> Trainer<B, R> {
    /// The training of a memory behind block 12, at its start. The detector is the one that the maps were made with.
    ///
    /// # Errors
    ///
    /// If the memory's configuration is not legal, or there is no iteration or no clip in it.
    pub fn new(
        config: TrainingConfig,
        maps: Maps,
        detector: MobileNetV2Ssd<B>,
        runner: R,
        device: B::Device,
    ) -> Result<Self, TrainingError> {
        let [channels, ..] = maps.map();
        let memory = MemoryConfig::new()
            .with_channels(channels)
            .with_hidden(config.hidden);
        let scale = Tensor::<B, 1>::from_floats(maps.scale(), &device);
        let memory = start::draw(memory.try_init(&device)?, channels, config.seed);
        let loss = Loss::Map {
            scale: scale.clone(),
            detection: (config.detection > 0.0).then(|| DetectionLoss::new(detector)),
        };
        Self::start(config, maps, memory.with_scale(scale), loss, runner, device)
    }
}

impl<B: AutodiffBackend, R: CellRunner<B>> Trainer<B, R, FrameMemory<B>> {
    /// The training of a frame memory, at its start. The detector is the one that the frames were made with.
    ///
    /// # Errors
    ///
    /// If the memory's configuration is not legal, there is no iteration or no clip in it, or the frames cannot be read.
    pub fn of_frames(
        config: TrainingConfig,
        frames: Maps,
        detector: MobileNetV2Ssd<B>,
        runner: R,
        device: B::Device,
    ) -> Result<Self, TrainingError> {
        let memory = FrameMemoryConfig::new()
            .with_patch(PATCH)
            .with_hidden(config.hidden);
        let inputs = memory.cell().input_channels;
        let memory = start::draw(memory.try_init(&device)?, inputs, config.seed);
        let loss = Loss::Frame(FrameLoss::new(detector, &frames, &device)?);
        Self::start(config, frames, memory, loss, runner, device)
    }
}

impl<B, R, S> Trainer<B, R, S>
where
    B: AutodiffBackend,
    R: CellRunner<B>,
    S: Student<B> + AutodiffModule<B>,
{
    fn start(
        config: TrainingConfig,
        maps: Maps,
        memory: S,
        loss: Loss<B>,
        runner: R,
        device: B::Device,
    ) -> Result<Self, TrainingError> {
        for (setting, value) in [
            ("iterations", config.iterations),
            ("clips at a time", config.batch),
        ] {
            if value == 0 {
                return Err(TrainingError::Setting {
                    setting,
                    expected: "at least 1",
                    found: value.to_string(),
                });
            }
        }
        if !(config.rate > 0.0 && config.rate.is_finite()) {
            return Err(TrainingError::Setting {
                setting: "the learning rate",
                expected: "a number above 0",
                found: config.rate.to_string(),
            });
        }
        Ok(Self {
            memory,
            loss,
            optimizer: MemoryOptimizer::new(),
            state: None,
            progress: Progress {
                maps: maps.identity(),
                slots: vec![None; config.batch],
                steps: Vec::new(),
                config,
            },
            runner,
            device,
            maps,
        })
    }

    /// The iterations so far.
    pub fn steps(&self) -> &[Step] {
        &self.progress.steps
    }

    /// The iterations in all.
    pub fn iterations(&self) -> usize {
        self.progress.config.iterations
    }

    /// Whether it is done.
    pub fn is_done(&self) -> bool {
        self.steps().len() >= self.progress.config.iterations
    }

    /// The memory as it is now.
    pub fn memory(&self) -> S::InnerModule {
        self.memory.valid()
    }

    /// Learns from the next chunks.
    ///
    /// # Errors
    ///
    /// If the maps cannot be read, or the loss is not finite.
    pub fn step(&mut self) -> Result<Step, TrainingError> {
        let TrainingConfig {
            seed,
            iterations,
            batch,
            rate,
            detection,
            ..
        } = self.progress.config;
        let iteration = self.steps().len();
        let mut chunks = Vec::with_capacity(batch);
        for (row, slot) in self.progress.slots.iter_mut().enumerate() {
            let place = (iteration * batch + row) as u64;
            chunks.push(Slot::next(slot, seed, place, &self.maps)?);
        }
        let [channels, height, width] = self.maps.map();
        let dims = [batch, FRAMES, channels, height, width];
        let flat = [batch * FRAMES, channels, height, width];
        let shown: Tensor<B, 5> = self.tensor(&chunks, dims, |chunk| &chunk.shown);
        let truth: Tensor<B, 4> = self.tensor(&chunks, flat, |chunk| &chunk.truth);
        let attention: Tensor<B, 3> =
            self.tensor(&chunks, [flat[0], height, width], |chunk| &chunk.attention);

        let state = self.state(&chunks, &shown);
        let (maps, state) = self
            .memory
            .repair(&self.runner, shown.clone(), Some(state))?;
        let before = shown.reshape(flat);
        let after = maps.clone().reshape(flat);
        // Numbers of their own, beyond those of all chunks.
        let place = (iterations * batch + iteration) as u64;
        let mut random = Random::new(seed, Purpose::Unroll, place);
        let (before, features, detections) = match &self.loss {
            Loss::Map { scale, detection } => {
                let loss = |maps| {
                    feature_loss(maps, truth.clone(), attention.clone(), scale.clone()).mean()
                };
                let early = (iteration as f64) < FEATURES_ALONE * iterations as f64;
                let detections = match detection {
                    Some(loss) if !early => {
                        Some(loss.forward(&maps, &chunks, &self.maps, &mut random)?)
                    }
                    _ => None,
                };
                (loss(before), loss(after), detections)
            }
            Loss::Frame(loss) => {
                let steps = some_of(&mut random, FRAMES_LOOKED_AT);
                let rows = (0..batch).flat_map(|row| {
                    let steps = steps.iter();
                    steps.map(move |step| (row * FRAMES + step) as i32)
                });
                let rows: Vec<i32> = rows.collect();
                let rows = Tensor::<B, 1, Int>::from_ints(rows.as_slice(), &self.device);
                let [before, after, truth] =
                    [before, after, truth].map(|maps| maps.select(0, rows.clone()));
                let aim = loss.aim(truth, attention.select(0, rows));
                let loss = |maps| loss.forward(maps, &aim);
                (loss(before), loss(after), None)
            }
        };
        let value = |loss: &Tensor<B, 1>| loss.clone().into_scalar().elem::<f64>();
        let rate = rate * schedule::share(iteration, iterations);
        let mut step = Step {
            iteration: iteration + 1,
            shown: value(&before),
            features: value(&features),
            detection: detections.as_ref().map(value),
            rate,
            amount: 0.0,
        };
        if !(step.features + step.detection.unwrap_or(0.0)).is_finite() {
            return Err(TrainingError::Diverged {
                iteration: iteration + 1,
            });
        }
        let loss = match detections {
            Some(detections) => features + detections * detection,
            None => features,
        };
        let gradients = loss.backward();
        let memory = self.memory.clone();
        self.memory = self.optimizer.step(rate, memory, gradients);
        self.state = Some(state.detach());
        step.amount = self.memory.amounts().mean().into_scalar().elem();
        self.progress.steps.push(step);
        Ok(step)
    }

    /// One part of all chunks.
    fn tensor<const D: usize>(
        &self,
        chunks: &[Chunk],
        dims: [usize; D],
        part: impl Fn(&Chunk) -> &Vec<f32>,
    ) -> Tensor<B, D> {
        let values: Vec<f32> = chunks.iter().flat_map(part).copied().collect();
        Tensor::from_data(TensorData::new(values, dims), &self.device)
    }

    /// The states that chunks begin with: carried on, or forgotten where a new clip begins.
    fn state(&self, chunks: &[Chunk], shown: &Tensor<B, 5>) -> MemoryState<B> {
        let [_, height, width] = self.maps.map();
        let (mut cells, mut hiddens, mut maps) = (Vec::new(), Vec::new(), Vec::new());
        for (row, chunk) in chunks.iter().enumerate() {
            match &self.state {
                Some(state) if !chunk.begins => {
                    cells.push(state.cell.cell.clone().narrow(0, row, 1));
                    hiddens.push(state.cell.hidden.clone().narrow(0, row, 1));
                    maps.push(state.map.clone().narrow(0, row, 1));
                }
                _ => {
                    let fresh = self.memory.cell().init_state(1, [height, width]);
                    cells.push(fresh.cell);
                    hiddens.push(fresh.hidden);
                    let first = shown.clone().slice([row..row + 1, 0..1]);
                    maps.push(self.memory.first(first.squeeze_dim::<4>(1)));
                }
            }
        }
        MemoryState {
            cell: BottleneckLstmState::new(Tensor::cat(cells, 0), Tensor::cat(hiddens, 0)),
            map: Tensor::cat(maps, 0),
        }
    }

    /// Saves all that is needed to go on.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), TrainingError> {
        let path = path.as_ref();
        let state = self.state.clone();
        let checkpoint: Checkpoint<B, S> = (
            self.memory.clone().into_record(),
            self.optimizer.to_record(),
            state.map(|state| (state.cell, state.map)),
            serde_json::to_string(&self.progress).expect("numbers and text become JSON"),
        );
        let recorder = NamedMpkBytesRecorder::<FullPrecisionSettings>::default();
        let bytes = Recorder::<B>::record(&recorder, checkpoint, ());
        let bytes = bytes.map_err(|source| TrainingError::Checkpoint {
            path: path.to_owned(),
            source,
        })?;
        whole_file::write(path, &bytes).map_err(TrainingError::io(path))
    }

    /// Goes on from where [`save`](Self::save) left off.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is no checkpoint, or one of another training.
    pub fn resume(mut self, path: impl AsRef<Path>) -> Result<Self, TrainingError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(TrainingError::io(path))?;
        let recorder = NamedMpkBytesRecorder::<FullPrecisionSettings>::default();
        let checkpoint: Checkpoint<B, S> =
            recorder
                .load(bytes, &self.device)
                .map_err(|source| TrainingError::Checkpoint {
                    path: path.to_owned(),
                    source,
                })?;
        let (memory, moments, state, progress) = checkpoint;
        let progress: Option<Progress> = serde_json::from_str(&progress).ok();
        let own = &self.progress;
        let progress = progress
            .filter(|found| found.config == own.config && found.maps == own.maps)
            .ok_or_else(|| TrainingError::OtherTraining {
                path: path.to_owned(),
            })?;
        self.memory = self.memory.load_record(memory);
        self.optimizer = self.optimizer.load_record(moments);
        self.state = state.map(|(cell, map)| MemoryState { cell, map });
        self.progress = progress;
        Ok(self)
    }
}
