//! Trainings side by side, each of which can be interrupted and resumed.
//!
//! Every training has a folder of its own: a checkpoint while it is under way, then its weights and
//! its result. What is done is never done again, so an experiment goes on from where it was
//! stopped, whether by Ctrl-C or by a power cut.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use bottleneck_lstm::CellRunner;
use burn::module::Module;
use burn::tensor::backend::{AutodiffBackend, Backend};

use crate::checkpoint;
use crate::clip::Clip;
use crate::digits::{Digits, Split};
use crate::evaluation::{believe, held_out};
use crate::hold::Hold;
use crate::network::Network;
use crate::plan::{HoldOutcome, Outcome, Plan};
use crate::recurrent::Layer;
use crate::score::{Score, choose_threshold, detect};
use crate::session;
use crate::training::{Point, Progress, Trainer, TrainingConfig};

/// Looks on. All of it may be called from several threads at once.
pub trait Watch: Sync {
    /// A training begins, or goes on.
    fn started(&self, _training: &TrainingConfig, _progress: &Progress, _total: usize) {}
    /// It did a step.
    fn stepped(&self, _training: &TrainingConfig, _step: usize, _total: usize, _loss: f64) {}
    /// It was evaluated.
    fn evaluated(&self, _training: &TrainingConfig, _point: &Point) {}
    /// It is over, or was over before.
    fn finished(&self, _outcome: &Outcome) {}
}

impl Watch for () {}

/// A plan under way in a folder.
pub struct Experiment<'a, R> {
    /// What to train.
    pub plan: &'a Plan,
    /// Where its files go.
    pub folder: &'a Path,
    /// The digits.
    pub digits: &'a Digits,
    /// What runs the Bottleneck-LSTM.
    pub runner: &'a R,
    /// Trainings at a time, each on one thread.
    pub jobs: usize,
    /// Set to stop: every training saves a checkpoint after the step that it is at.
    pub stop: &'a AtomicBool,
}

impl<R> Experiment<'_, R> {
    /// Trains what is not trained yet. Returns what came out of all trainings of the plan, or
    /// nothing if it was stopped.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or written, or a training diverges. The others stop, and can be
    /// resumed.
    pub fn run<B>(&self, watch: &impl Watch, device: &B::Device) -> Result<Option<Vec<Outcome>>>
    where
        B: AutodiffBackend,
        R: CellRunner<B> + CellRunner<B::InnerBackend> + Clone + Sync,
    {
        let plan = self.plan;
        let (first, rest) = plan.seeds.split_first().context("a plan needs a seed")?;
        let trials = plan.layers.iter().flat_map(|layer| {
            plan.learning_rates
                .iter()
                .map(|rate| plan.training(*layer, *first, *rate))
        });
        let Some(mut outcomes) = self.train_all::<B>(trials.collect(), watch, device)? else {
            return Ok(None);
        };
        let repetitions = plan.layers.iter().flat_map(|layer| {
            let rate = plan.learning_rate(&outcomes, *layer);
            let seeds = rest.iter().zip(std::iter::repeat(rate));
            seeds.filter_map(|(seed, rate)| Some(plan.training(*layer, *seed, rate?)))
        });
        let repetitions = repetitions.collect();
        let Some(more) = self.train_all::<B>(repetitions, watch, device)? else {
            return Ok(None);
        };
        outcomes.extend(more);
        Ok(Some(outcomes))
    }

    /// Runs trainings, [`jobs`](Self::jobs) at a time. Nothing if it was stopped.
    fn train_all<B>(
        &self,
        trainings: Vec<TrainingConfig>,
        watch: &impl Watch,
        device: &B::Device,
    ) -> Result<Option<Vec<Outcome>>>
    where
        B: AutodiffBackend,
        R: CellRunner<B> + CellRunner<B::InnerBackend> + Clone + Sync,
    {
        let validation = held_out(self.digits, Split::Validation, self.plan.validation_clips);
        let queue: Mutex<VecDeque<_>> = Mutex::new(trainings.into_iter().enumerate().collect());
        let failed = AtomicBool::new(false);
        let work = || -> Result<Vec<(usize, Outcome)>> {
            let mut outcomes = Vec::new();
            loop {
                let next = queue
                    .lock()
                    .expect("no thread panics with the queue")
                    .pop_front();
                let Some((index, training)) = next else {
                    return Ok(outcomes);
                };
                let stop = || self.stop.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed);
                if stop() {
                    return Ok(outcomes);
                }
                match self.train::<B>(training, &validation, stop, watch, device) {
                    Ok(Some(outcome)) => outcomes.push((index, outcome)),
                    Ok(None) => return Ok(outcomes),
                    Err(error) => {
                        failed.store(true, Ordering::Relaxed);
                        return Err(error);
                    }
                }
            }
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.jobs.max(1)).map(|_| scope.spawn(work)).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect()
        });
        let mut outcomes = results.into_iter().collect::<Result<Vec<_>>>()?.concat();
        if self.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        outcomes.sort_by_key(|(index, _)| *index);
        Ok(Some(
            outcomes.into_iter().map(|(_, outcome)| outcome).collect(),
        ))
    }

    fn train<B>(
        &self,
        training: TrainingConfig,
        validation: &[Clip],
        stop: impl Fn() -> bool,
        watch: &impl Watch,
        device: &B::Device,
    ) -> Result<Option<Outcome>>
    where
        B: AutodiffBackend,
        R: CellRunner<B> + CellRunner<B::InnerBackend> + Clone + Sync,
    {
        let folder = training_folder(self.folder, &training);
        let [result, checkpoint] = ["result.json", "checkpoint.mpk"].map(|name| folder.join(name));
        if result.exists() {
            let outcome = read_outcome(&result)?;
            watch.finished(&outcome);
            return Ok(Some(outcome));
        }
        let mut trainer =
            Trainer::<B, R>::new(training, self.digits, self.runner.clone(), device.clone());
        if checkpoint.exists() {
            trainer = trainer.resume(&checkpoint)?;
        }
        let config = trainer.config().clone();
        watch.started(&config, trainer.progress(), trainer.total());
        while !trainer.is_done() {
            let loss = trainer.step()?;
            watch.stepped(&config, trainer.progress().step, trainer.total(), loss);
            let stopping = stop();
            if trainer.is_evaluation_due() {
                watch.evaluated(&config, &trainer.evaluate(validation));
                trainer.save(&checkpoint)?;
            } else if stopping {
                trainer.save(&checkpoint)?;
            }
            if stopping {
                return Ok(None);
            }
        }
        let network = trainer.network();
        let outcome = self.judge(config, trainer.progress(), &network, device);
        checkpoint::save::<B::InnerBackend, _>(&folder.join("network.mpk"), network.into_record())?;
        checkpoint::write(&result, &serde_json::to_vec_pretty(&outcome)?)?;
        std::fs::remove_file(&checkpoint)
            .with_context(|| format!("cannot remove {}", checkpoint.display()))?;
        watch.finished(&outcome);
        Ok(Some(outcome))
    }

    /// Chooses the threshold with validation digits and scores test digits with it.
    fn judge<B: Backend>(
        &self,
        training: TrainingConfig,
        progress: &Progress,
        network: &Network<B>,
        device: &B::Device,
    ) -> Outcome
    where
        R: CellRunner<B>,
    {
        let [validation, test] = [Split::Validation, Split::Test].map(|split| {
            let clips = held_out(self.digits, split, self.plan.test_clips);
            (believe(network, self.runner, &clips, device), clips)
        });
        let (threshold, score) = choose_threshold(&validation.0, &validation.1);
        let hold = (training.layer == Layer::NoMemory).then(|| {
            let (hold, _) = Hold::choose(&validation.0, &validation.1);
            HoldOutcome {
                hold,
                test: Score::of(&hold.apply(&test.0), &test.1),
            }
        });
        Outcome {
            training,
            steps: progress.step,
            curve: progress.curve.clone(),
            threshold,
            validation: score,
            test: Score::of(&detect(&test.0, threshold), &test.1),
            hold,
        }
    }
}

/// The network that a training left in `folder`.
///
/// # Errors
///
/// If its file cannot be read.
pub fn load_network<B: Backend>(
    folder: &Path,
    training: &TrainingConfig,
    device: &B::Device,
) -> Result<Network<B>> {
    let path = training_folder(folder, training).join("network.mpk");
    let record = checkpoint::load::<B, _>(&path, device)?;
    Ok(Network::new(training.layer, training.seed, device).load_record(record))
}

fn training_folder(folder: &Path, training: &TrainingConfig) -> PathBuf {
    let TrainingConfig {
        layer,
        seed,
        schedule,
        ..
    } = training;
    session::trainings(folder).join(format!(
        "{}-seed-{seed}-rate-{}",
        layer.slug(),
        schedule.peak
    ))
}

fn read_outcome(path: &Path) -> Result<Outcome> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is no result", path.display()))
}
