//! Training by truncated back-propagation through time, one step at a time, so that it can stop
//! after any of them and go on to the same bits.

use std::path::Path;

use bottleneck_lstm::CellRunner;
use burn::grad_clipping::GradientClippingConfig;
use burn::module::{AutodiffModule, Module};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{Adam, AdamConfig, GradientsParams, Optimizer};
use burn::record::Record;
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{ElementConversion, Int, Tensor};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::checkpoint::{self, FileError};
use crate::clip::{Clip, Clips, pixels, targets};
use crate::digits::{CLASSES, Digits, Split};
use crate::evaluation::believe;
use crate::network::Network;
use crate::recurrent::{Layer, RecurrentState};
use crate::schedule::Schedule;
use crate::score::choose_threshold;

/// Weight of a cell with a digit in the loss; one without has 1.
const DIGIT_WEIGHT: f32 = 3.0;

/// Largest norm of a parameter's gradient.
const GRADIENT_NORM: f32 = 1.0;

/// How long a network trains.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duration {
    /// So many steps; the learning rate decays over all of them.
    Steps(usize),
    /// Until the validation score has not risen for `patience` evaluations, or for `limit` steps;
    /// then the learning rate decays.
    Plateau {
        /// Evaluations to wait for.
        patience: usize,
        /// Steps before the decay, at most.
        limit: usize,
    },
}

/// All that decides what comes out of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingConfig {
    /// The recurrent layer.
    pub layer: Layer,
    /// What weights and videos are derived from.
    pub seed: u64,
    /// The learning rate.
    pub schedule: Schedule,
    /// How long it trains.
    pub duration: Duration,
    /// Videos in a batch.
    pub batch: usize,
    /// Frames of a step: gradients go back in time no further than its first.
    pub chunk: usize,
    /// Steps that a video lasts for: the state is carried from one to the next.
    pub chunks: usize,
    /// Steps between two evaluations.
    pub evaluate_every: usize,
}

/// The network's loss and its validation scores at one step.
#[derive(Record, Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Steps done.
    pub step: usize,
    /// Mean training loss since the point before.
    pub loss: f64,
    /// F1 on undamaged validation frames.
    pub clean: f64,
    /// F1 on damaged validation frames.
    pub damaged: f64,
    /// F1 on all validation frames.
    pub all: f64,
}

/// How far a training is.
#[derive(Record, Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Steps done. It is the position in the data too, and all that a step's random numbers are
    /// derived from beside the seed.
    pub step: usize,
    /// The step at which the learning rate starts to decay, once that is known.
    pub decay_from: Option<usize>,
    /// Sum of the losses since the last point of the curve.
    pub loss: f64,
    /// The curve so far.
    pub curve: Vec<Point>,
}

/// Why a training cannot go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// It diverged.
    #[error("the loss of {layer} is not finite at step {step}")]
    Diverged {
        /// The recurrent layer's name.
        layer: &'static str,
        /// The step.
        step: usize,
    },
    /// Its checkpoint cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

type NetworkOptimizer<B> = OptimizerAdaptor<Adam, Network<B>, B>;

/// What a checkpoint holds: all that changes from step to step.
type Checkpoint<B> = (
    <Network<B> as Module<B>>::Record,
    <NetworkOptimizer<B> as Optimizer<Network<B>, B>>::Record,
    Option<RecurrentState<B>>,
    Progress,
);

/// A training under way.
pub struct Trainer<'a, B: AutodiffBackend, R> {
    config: TrainingConfig,
    digits: &'a Digits,
    runner: R,
    device: B::Device,
    loss: CrossEntropyLoss<B>,
    network: Network<B>,
    optimizer: NetworkOptimizer<B>,
    state: Option<RecurrentState<B>>,
    progress: Progress,
    /// The videos of the current batch, a cache: they follow from the step.
    clips: Vec<Clip>,
}

impl<'a, B, R> Trainer<'a, B, R>
where
    B: AutodiffBackend,
    R: CellRunner<B> + CellRunner<B::InnerBackend>,
{
    /// A training at its start.
    pub fn new(config: TrainingConfig, digits: &'a Digits, runner: R, device: B::Device) -> Self {
        let mut weights = vec![DIGIT_WEIGHT; 1 + CLASSES];
        weights[0] = 1.0;
        let decay_from = match config.duration {
            Duration::Steps(_) => Some(0),
            Duration::Plateau { .. } => None,
        };
        Self {
            loss: CrossEntropyLossConfig::new()
                .with_weights(Some(weights))
                .init(&device),
            network: Network::new(config.layer, config.seed, &device),
            optimizer: AdamConfig::new()
                .with_epsilon(1e-8)
                .with_grad_clipping(Some(GradientClippingConfig::Norm(GRADIENT_NORM)))
                .init(),
            state: None,
            progress: Progress {
                decay_from,
                ..Progress::default()
            },
            clips: Vec::new(),
            config,
            digits,
            runner,
            device,
        }
    }

    /// How it trains.
    pub fn config(&self) -> &TrainingConfig {
        &self.config
    }

    /// How far it is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Steps in all: at most so many, while it is not known when the decay starts.
    pub fn total(&self) -> usize {
        match (self.config.duration, self.progress.decay_from) {
            (Duration::Steps(steps), _) => steps,
            (Duration::Plateau { .. }, Some(step)) => step + self.config.schedule.decay,
            (Duration::Plateau { limit, .. }, None) => limit + self.config.schedule.decay,
        }
    }

    /// Whether it is done.
    pub fn is_done(&self) -> bool {
        self.progress.step >= self.total()
    }

    /// The network as it is now, without gradients.
    pub fn network(&self) -> Network<B::InnerBackend> {
        self.network.valid()
    }

    /// Trains on the next chunk of the videos and returns the loss.
    ///
    /// # Errors
    ///
    /// If the loss is not finite.
    pub fn step(&mut self) -> Result<f64, TrainingError> {
        let TrainingConfig {
            layer,
            batch,
            chunk,
            chunks,
            schedule,
            ..
        } = self.config;
        let step = self.progress.step;
        let (video, part) = (step / chunks, step % chunks);
        if part == 0 {
            self.state = None;
        }
        if part == 0 || self.clips.is_empty() {
            let first = (video * batch) as u64;
            self.clips = self.videos().batch(first..first + batch as u64);
        }

        let frames = part * chunk..(part + 1) * chunk;
        let inputs = pixels(&self.clips, frames.clone(), &self.device);
        let (logits, state) = self
            .network
            .forward_with(&self.runner, inputs, self.state.take());
        let loss = self.loss(logits, targets(&self.clips, frames, &self.device));
        let value = loss.clone().into_scalar().elem::<f64>();
        if !value.is_finite() {
            return Err(TrainingError::Diverged {
                layer: layer.name(),
                step,
            });
        }

        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        let rate = schedule.learning_rate(step, self.progress.decay_from);
        self.network = self.optimizer.step(rate, self.network.clone(), gradients);
        self.state = state.map(RecurrentState::detach);
        self.progress.step += 1;
        self.progress.loss += value;
        Ok(value)
    }

    /// Whether it is time for [`evaluate`](Self::evaluate).
    pub fn is_evaluation_due(&self) -> bool {
        self.progress
            .step
            .is_multiple_of(self.config.evaluate_every)
            || self.is_done()
    }

    /// Scores the network on `validation`, adds a point to the curve and decides whether the decay
    /// starts.
    pub fn evaluate(&mut self, validation: &[Clip]) -> Point {
        let beliefs = believe(&self.network(), &self.runner, validation, &self.device);
        let (_, score) = choose_threshold(&beliefs, validation);
        let progress = &mut self.progress;
        let before = progress.curve.last().map_or(0, |point| point.step);
        let point = Point {
            step: progress.step,
            loss: progress.loss / (progress.step - before).max(1) as f64,
            clean: score.clean.f1(),
            damaged: score.damaged.f1(),
            all: score.f1(),
        };
        progress.loss = 0.0;
        progress.curve.push(point);
        if let Duration::Plateau { patience, limit } = self.config.duration
            && progress.decay_from.is_none()
            && (stands_still(&progress.curve, patience) || progress.step >= limit)
        {
            progress.decay_from = Some(progress.step);
        }
        point
    }

    /// Saves all that is needed to go on.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        let checkpoint: Checkpoint<B> = (
            self.network.clone().into_record(),
            self.optimizer.to_record(),
            self.state.clone(),
            self.progress.clone(),
        );
        checkpoint::save::<B, _>(path, checkpoint)
    }

    /// Goes on from where [`save`](Self::save) left off.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is not a checkpoint of such a training.
    pub fn resume(mut self, path: &Path) -> Result<Self, FileError> {
        let checkpoint = checkpoint::load::<B, Checkpoint<B>>(path, &self.device)?;
        let (network, optimizer, state, progress) = checkpoint;
        self.network = self.network.load_record(network);
        self.optimizer = self.optimizer.load_record(optimizer);
        self.state = state;
        self.progress = progress;
        Ok(self)
    }

    fn videos(&self) -> Clips<'a> {
        Clips {
            digits: self.digits,
            split: Split::Train,
            seed: self.config.seed,
            frames: self.config.chunk * self.config.chunks,
        }
    }

    /// The mean over all positions, weighted by class.
    fn loss(&self, logits: Tensor<B, 5>, targets: Tensor<B, 4, Int>) -> Tensor<B, 1> {
        let [batch, time, classes, height, width] = logits.dims();
        let positions = batch * time * height * width;
        let logits = logits
            .permute([0, 1, 3, 4, 2])
            .reshape([positions, classes]);
        self.loss.forward(logits, targets.reshape([positions]))
    }
}

/// Whether the score's highest point is more than `patience` points ago.
fn stands_still(curve: &[Point], patience: usize) -> bool {
    let highest = curve.iter().enumerate().fold(0, |highest, (index, point)| {
        if point.all > curve[highest].all {
            index
        } else {
            highest
        }
    });
    curve.len() > highest + patience
}
