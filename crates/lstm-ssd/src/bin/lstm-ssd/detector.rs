//! The detector on what is to compute it.

use std::path::Path;

use anyhow::{Context, Result};
use bottleneck_lstm_ndarray::CpuRunner;
use burn_flex::Flex;
use lstm_ssd::Detector;

use crate::cli::{Backend, Compute};

/// Loads the weights, and plans the network.
pub fn load(weights: &Path, compute: &Compute) -> Result<Detector<Flex>> {
    let detector = Detector::load(weights, &Default::default())
        .with_context(|| weights.display().to_string())?;
    match compute.backend {
        Backend::Cpu => Ok(detector.with_runner(&CpuRunner::new())?),
    }
}
