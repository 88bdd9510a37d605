//! What is trained, and what came out of it.

use serde::{Deserialize, Serialize};

use crate::hold::Hold;
use crate::recurrent::Layer;
use crate::schedule::Schedule;
use crate::score::Score;
use crate::training::{Duration, Point, TrainingConfig};

/// Which networks train, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The recurrent layers to compare.
    pub layers: Vec<Layer>,
    /// A training of each layer for each seed.
    pub seeds: Vec<u64>,
    /// Learning rates to choose from, with the first seed, for each layer by itself.
    pub learning_rates: Vec<f64>,
    /// How long each of them trains.
    pub duration: Duration,
    /// Steps in which the learning rate rises.
    pub warm_up: usize,
    /// Steps in which the learning rate falls.
    pub decay: usize,
    /// Steps between two evaluations.
    pub evaluate_every: usize,
    /// Validation clips of these evaluations.
    pub validation_clips: usize,
    /// Validation clips that thresholds and learning rates are chosen with at the end, and test
    /// clips of the table.
    pub test_clips: usize,
}

impl Plan {
    /// A few minutes: one seed, one learning rate, a fixed number of steps.
    pub fn quick(layers: Vec<Layer>, seed: u64, steps: usize) -> Self {
        Self {
            layers,
            seeds: vec![seed],
            learning_rates: vec![1e-2],
            duration: Duration::Steps(steps),
            warm_up: 100.min(steps / 2),
            decay: steps,
            evaluate_every: (steps / 15).max(1),
            validation_clips: 32,
            test_clips: 200,
        }
    }

    /// Some hours: three seeds, two learning rates, until the score stands still but no longer
    /// than `limit` steps before the learning rate falls.
    pub fn full(layers: Vec<Layer>, seed: u64, limit: usize) -> Self {
        Self {
            layers,
            seeds: (0..3).map(|index| seed.wrapping_add(index)).collect(),
            learning_rates: vec![1e-3, 3e-3],
            duration: Duration::Plateau { patience: 6, limit },
            warm_up: 100.min(limit / 2),
            decay: limit.div_ceil(4),
            evaluate_every: 250.min(limit.div_ceil(2)).max(1),
            validation_clips: 100,
            test_clips: 400,
        }
    }

    /// The training of one layer with one seed and one learning rate.
    pub fn training(&self, layer: Layer, seed: u64, learning_rate: f64) -> TrainingConfig {
        TrainingConfig {
            layer,
            seed,
            schedule: Schedule {
                peak: learning_rate,
                warm_up: self.warm_up,
                decay: self.decay,
            },
            duration: self.duration,
            batch: 8,
            chunk: 10,
            chunks: 2,
            evaluate_every: self.evaluate_every,
        }
    }

    /// The learning rate of `layer` with the best score on validation digits, with the first seed.
    pub fn learning_rate(&self, outcomes: &[Outcome], layer: Layer) -> Option<f64> {
        let trials = outcomes.iter().filter(|outcome| {
            outcome.training.layer == layer && self.seeds.first() == Some(&outcome.training.seed)
        });
        let best = trials.max_by(|a, b| a.validation.f1().total_cmp(&b.validation.f1()))?;
        Some(best.training.schedule.peak)
    }

    /// The outcomes of `layer` with the learning rate that was chosen for it, seed by seed.
    pub fn chosen<'a>(&self, outcomes: &'a [Outcome], layer: Layer) -> Vec<&'a Outcome> {
        let rate = self.learning_rate(outcomes, layer);
        let chosen = outcomes.iter().filter(|outcome| {
            outcome.training.layer == layer && Some(outcome.training.schedule.peak) == rate
        });
        chosen.collect()
    }
}

/// What came out of one training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it was trained.
    pub training: TrainingConfig,
    /// Steps that it took.
    pub steps: usize,
    /// Loss and validation scores on the way.
    pub curve: Vec<Point>,
    /// The threshold of a detection, chosen with validation digits.
    pub threshold: f32,
    /// The score on validation digits.
    pub validation: Score,
    /// The score on test digits.
    pub test: Score,
    /// The same for holding its last prediction, if it has no memory.
    pub hold: Option<HoldOutcome>,
}

/// What came out of holding the last prediction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HoldOutcome {
    /// What was chosen with validation digits.
    pub hold: Hold,
    /// The score on test digits.
    pub test: Score,
}
