//! The detector on what is to compute it.

use std::path::Path;

use anyhow::{Context, Result};
use bottleneck_lstm::weights::Checkpoint;
use bottleneck_lstm_ndarray::CpuRunner;
use burn::tensor::backend::Backend;
use burn_flex::Flex;
use lstm_ssd::Detector;
use lstm_ssd::network::fingerprint;

use crate::cli;
use crate::memory::Memory;
use crate::walk::Ended;

/// What is done with a detector, whatever computes it.
pub trait Job {
    /// Does it.
    fn run<B: Backend>(&self, detector: Detector<B>) -> Result<Ended>;
}

/// Loads the weights and the memory, plans the network, and does `job` with it.
pub fn with(
    weights: &Path,
    memory: &Memory,
    backend: cli::Backend,
    job: &impl Job,
) -> Result<Ended> {
    match backend {
        cli::Backend::Cpu => {
            let detector = load::<Flex>(weights, memory)?;
            job.run(detector.with_runner(&CpuRunner::new())?)
        }
        cli::Backend::Wgpu => on_gpu(weights, memory, job),
    }
}

fn load<B: Backend>(weights: &Path, memory: &Memory) -> Result<Detector<B>> {
    let name = || weights.display().to_string();
    let checkpoint = Checkpoint::open(weights).with_context(name)?;
    let detector = Detector::from_checkpoint(&checkpoint, &Default::default());
    memory.give(detector.with_context(name)?, || {
        fingerprint(&checkpoint).with_context(name)
    })
}

#[cfg(feature = "wgpu")]
fn on_gpu(weights: &Path, memory: &Memory, job: &impl Job) -> Result<Ended> {
    // A missing adapter is one clear line here, and a panic in Burn.
    let adapter = bottleneck_lstm_wgpu::Adapter::of(&Default::default())?;
    eprintln!("on {adapter}");
    job.run(load::<burn_wgpu::Wgpu>(weights, memory)?)
}

#[cfg(not(feature = "wgpu"))]
fn on_gpu(_weights: &Path, _memory: &Memory, _job: &impl Job) -> Result<Ended> {
    anyhow::bail!(
        "this program was built without the GPU: add --features wgpu to cargo's own arguments"
    )
}
