//! A task at one shape, timed.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

use super::contestants::{BOTTLENECK, FLEX_STREAM, GATES, LOOP, LOOP_MACS, LOOP_TWO, STREAM_TWO};
use crate::rounds::{Spread, Timing};
use crate::work::{BATCH, Cell, Kind, SEQUENCE, Shape, TRAINING, Work};

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// One step, batch 1.
    Step,
    /// Sixteen steps at once, batch 1.
    Sequence,
    /// Forward and backward over eight steps of batch 4.
    Training,
    /// The pointwise kernels of a step alone.
    Pointwise,
    /// A step on two threads.
    Threads,
}

const fn shape(input: usize, hidden: usize, side: usize) -> Shape {
    Shape {
        input,
        hidden,
        side,
    }
}

/// Where the pointwise kernels have nearly all of the work.
const POINTWISE: &[Shape] = &[shape(1024, 256, 10)];

/// Large enough that a second thread has something to do.
const LARGE: &[Shape] = &[
    shape(1024, 256, 10),
    shape(256, 256, 20),
    shape(64, 64, 40),
    shape(32, 32, 80),
];

/// A gain from a second thread that wants a second core.
const SECOND_CORE: f64 = 1.5;

impl Task {
    /// The shapes of a task that has its own.
    pub fn own_shapes(self) -> Option<&'static [Shape]> {
        match self {
            Self::Step | Self::Sequence | Self::Training => None,
            Self::Pointwise => Some(POINTWISE),
            Self::Threads => Some(LARGE),
        }
    }

    /// How often a run does its work.
    pub fn repeats(self) -> usize {
        if self == Self::Threads { 16 } else { 1 }
    }

    /// Its work.
    pub fn work(self, shape: Shape) -> Work {
        let kind = match self {
            Self::Step | Self::Pointwise | Self::Threads => Kind::Step,
            Self::Sequence => Kind::Sequence,
            Self::Training => Kind::Training,
        };
        Work {
            cell: Cell::BottleneckLstm,
            kind,
            shape,
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step => write!(f, "one step, batch 1"),
            Self::Sequence => write!(f, "a sequence of {SEQUENCE} steps, batch 1"),
            Self::Training => write!(f, "a training step, {TRAINING} steps, batch {BATCH}"),
            Self::Pointwise => write!(f, "the pointwise kernels of a step"),
            Self::Threads => write!(f, "a step on one thread and on two"),
        }
    }
}

/// Multiply-accumulates of the bottleneck's pointwise convolution and of the gates'.
fn pointwise_macs(shape: Shape) -> [u64; 2] {
    let Shape {
        input,
        hidden,
        side,
    } = shape;
    [input + hidden, 4 * hidden].map(|channels| (side * side * hidden * channels) as u64)
}

/// The times of a task at one shape.
#[derive(Debug, Serialize)]
pub struct Race {
    pub task: Task,
    pub shape: Shape,
    /// Whether the floors hold for it.
    pub counts: bool,
    /// Multiply-accumulates of the work.
    pub macs: u64,
    /// Bytes that it moves at least.
    pub bytes: u64,
    pub timings: Vec<Timing>,
}

impl Race {
    pub fn new(task: Task, shape: Shape, counts: bool, timings: Vec<Timing>) -> Self {
        let work = task.work(shape);
        let macs = match task {
            Task::Pointwise => pointwise_macs(shape).iter().sum(),
            _ => work.macs(),
        };
        Self {
            task,
            shape,
            counts,
            macs,
            bytes: work.bytes(),
            timings,
        }
    }

    fn timing(&self, name: &str) -> Option<&Timing> {
        self.timings.iter().find(|timing| timing.name == name)
    }

    /// How many times faster than `other` the contestant `own` is, round by round.
    pub fn speed_up(&self, own: &str, other: &str) -> Option<Spread> {
        self.timing(other)?.ratio(self.timing(own)?)
    }

    /// Multiply-accumulates of a contestant's work.
    fn macs_of(&self, name: &str) -> u64 {
        match name {
            LOOP | LOOP_TWO => LOOP_MACS,
            BOTTLENECK => pointwise_macs(self.shape)[0],
            GATES => pointwise_macs(self.shape)[1],
            _ => self.macs,
        }
    }

    /// Billions of multiply-accumulates a second.
    pub fn rate(&self, name: &str) -> Option<f64> {
        Some(self.rate_at(name, self.timing(name)?.spread()?.median))
    }

    /// The rate of the loop's fastest run over registers: a slow one tells of other programs, and
    /// would flatter the kernels.
    pub fn peak(&self) -> Option<f64> {
        let times = self.timing(LOOP)?.milliseconds.iter().copied();
        Some(self.rate_at(LOOP, times.reduce(f64::min)?))
    }

    /// A contestant's rate as a share of the peak.
    pub fn share_of_peak(&self, name: &str) -> Option<f64> {
        Some(self.rate(name)? / self.peak()?)
    }

    fn rate_at(&self, name: &str, milliseconds: f64) -> f64 {
        let macs = self.macs_of(name) * self.task.repeats() as u64;
        macs as f64 / milliseconds / 1e6
    }

    /// What a second thread brings a stream, as a share of what it brings the loop over registers.
    /// Unknown if that is little: then no second core was free.
    pub fn share_of_second_thread(&self) -> Option<f64> {
        let gain = self.speed_up(STREAM_TWO, FLEX_STREAM)?.median;
        let to_be_had = self.speed_up(LOOP_TWO, LOOP)?.median;
        (to_be_had >= SECOND_CORE).then_some(gain / to_be_had)
    }
}
