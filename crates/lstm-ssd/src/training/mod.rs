//! Trains a [`Memory`](crate::network::Memory) for a detector that has none, on video without labels or with them.
//!
//! A [`Trainer`] shows a memory clips of [`Footage`], undamaged and damaged. First its part in front of the detector, a
//! [`FrameMemory`](crate::network::FrameMemory), learns to make of damaged frames the undamaged ones; then the part behind
//! block 12 learns to make of each damaged map what the frozen detector makes of the undamaged frame: the detector is its
//! own teacher. [`Maps`] are what is kept of all clips for one of the two, as a [`View`] says, computed once.
//!
//! # What was tried
//!
#![doc = include_str!("../../memory-log.md")]

mod attention;
mod camera;
mod clip;
mod damages;
mod detection;
mod error;
mod evaluation;
mod footage;
mod frame_loss;
mod loss;
mod maps;
mod optimizer;
mod random;
mod schedule;
mod start;
mod student;
mod teacher;
mod trainer;
mod unroll;
mod view;

pub use clip::FRAMES;
pub use error::TrainingError;
pub use evaluation::evaluate;
pub use footage::Footage;
pub use maps::{Frozen, Maps, MapsConfig};
pub use student::Student;
pub use trainer::{Step, Trainer, TrainingConfig};
pub use view::View;
