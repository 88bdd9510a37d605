//! The detector on the processor, ready to look at a video.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use bottleneck_lstm::weights::Checkpoint;
use bottleneck_lstm_ndarray::CpuRunner;
use burn_flex::Flex;
use lstm_ssd::Detector;
use lstm_ssd::detection::Postprocess;
use lstm_ssd::network::fingerprint;
use lstm_ssd::smoothing::Smoother;
use video_demo_app::{Compute, Gpu};

use super::memory::Memory;
use super::networks::{Remembering, SideBySide};
use crate::desk::Devices;
use crate::networks::{NetworkError, Networks};

/// What looks at a video.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// The detector's weights.
    pub weights: PathBuf,
    /// Its memory.
    pub memory: Memory,
    /// The class that its heat map is of.
    pub class: String,
}

impl Setup {
    /// Where `cargo xtask weights` puts the weights, seen from the checkout.
    pub const WEIGHTS: &str = "target/weights/ssd_mobilenet_v2.safetensors";

    /// The class that is looked for unless another one is.
    pub const CLASS: &str = "Person";
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            weights: Self::WEIGHTS.into(),
            memory: Memory::default(),
            class: Self::CLASS.to_owned(),
        }
    }
}

/// The devices on which the detector runs: the CPU, for which its kernels are made.
pub struct Detectors {
    setup: Setup,
    is_timed: bool,
}

impl Detectors {
    /// Nothing is loaded before it is asked for. Times are measured if `is_timed`.
    pub fn new(setup: Setup, is_timed: bool) -> Self {
        Self { setup, is_timed }
    }

    /// The weights of a file, which is not there before they were fetched.
    fn weights(&self) -> Result<Checkpoint, NetworkError> {
        let path = &self.setup.weights;
        if !path.exists() {
            let hint = "the detector's weights are not there: `cargo xtask weights` fetches them, --weights FILE names \
                        another place";
            return Err(wrong(path, &hint));
        }
        Checkpoint::open(path).map_err(|error| wrong(path, &error))
    }

    fn detector(
        &self,
        weights: &Checkpoint,
        runner: &CpuRunner,
    ) -> Result<Detector<Flex>, NetworkError> {
        let path = &self.setup.weights;
        let detector = Detector::from_checkpoint(weights, &Default::default());
        let detector = detector.map_err(|error| wrong(path, &error))?;
        let detector = detector
            .with_runner(runner)
            .map_err(|error| wrong(path, &error))?;
        Ok(detector.with_postprocess(postprocess()))
    }

    /// What the setup has as a memory, at the start of a video: none also if that which comes along does not fit.
    fn remembering(
        &self,
        weights: &Checkpoint,
        runner: &CpuRunner,
    ) -> Result<Option<Remembering>, NetworkError> {
        match &self.setup.memory {
            Memory::None => Ok(None),
            Memory::Smoothing(smoothing) => {
                let smoother = Smoother::new(*smoothing, postprocess())
                    .map_err(|error| NetworkError::Weights(error.to_string()))?;
                Ok(Some(Remembering::Smoothed {
                    name: smoothing.to_string(),
                    smoother,
                }))
            }
            Memory::Published => {
                let (memory, card) = lstm_ssd::network::Memory::published(&Default::default());
                if card.check_detector(&self.fingerprint(weights)?).is_err() {
                    return Ok(None);
                }
                self.learned(weights, runner, memory, &self.setup.weights)
                    .map(Some)
            }
            Memory::Learned(path) => {
                let memory = lstm_ssd::network::Memory::load(path, &Default::default());
                let (memory, card) = memory.map_err(|error| wrong(path, &error))?;
                card.check_detector(&self.fingerprint(weights)?)
                    .map_err(|error| wrong(path, &error))?;
                self.learned(weights, runner, memory, path).map(Some)
            }
        }
    }

    fn fingerprint(&self, weights: &Checkpoint) -> Result<String, NetworkError> {
        fingerprint(weights).map_err(|error| wrong(&self.setup.weights, &error))
    }

    /// The detector with a memory that learned; `path` is named where they do not fit.
    fn learned(
        &self,
        weights: &Checkpoint,
        runner: &CpuRunner,
        memory: lstm_ssd::network::Memory<Flex>,
        path: &Path,
    ) -> Result<Remembering, NetworkError> {
        let detector = self.detector(weights, runner)?.with_memory(memory);
        let detector = detector.map_err(|error| wrong(path, &error))?;
        Ok(Remembering::Learned(Box::new(detector)))
    }
}

/// What is made of the network's numbers, down to a score that is less than what is shown: what fades, or is held, may
/// be found again.
fn postprocess() -> Postprocess {
    Postprocess {
        min_score: 0.05,
        ..Postprocess::default()
    }
}

fn wrong(path: &Path, what: &dyn Display) -> NetworkError {
    NetworkError::Weights(format!("{}: {what}", path.display()))
}

impl Devices for Detectors {
    fn networks(&mut self, compute: Compute) -> Result<Box<dyn Networks>, NetworkError> {
        if let (Compute::Gpu, Gpu::Missing(why)) = (compute, self.gpu()) {
            return Err(NetworkError::Device(why));
        }
        let runner = CpuRunner::new();
        let weights = self.weights()?;
        let detector = self.detector(&weights, &runner)?;
        let class = detector.class(&self.setup.class).ok_or_else(|| {
            let known = (1..detector.config().num_classes).map(|class| detector.label(class));
            let (class, known) = (&self.setup.class, known.collect::<Vec<_>>().join(", "));
            NetworkError::Weights(format!("the detector knows no class {class:?}: {known}"))
        })?;
        let beside = self.remembering(&weights, &runner)?;
        let alone = match (&beside, &self.setup.memory) {
            (None, Memory::Published) => "no memory: the one that comes along is for other weights",
            _ => "no memory",
        };
        let networks = SideBySide::new(detector, alone, beside, class, self.is_timed);
        Ok(Box::new(networks))
    }

    fn gpu(&self) -> Gpu {
        Gpu::Missing("the detector runs on the CPU, for which its kernels are made".to_owned())
    }

    fn cpu(&self) -> String {
        format!("the CPU, {:?}", CpuRunner::new().instructions())
    }
}
