//! The detector on the processor, ready to look at a video.

use std::io::ErrorKind;
use std::path::PathBuf;

use bottleneck_lstm_ndarray::CpuRunner;
use burn_flex::Flex;
use lstm_ssd::Detector;
use lstm_ssd::detection::Postprocess;
use video_demo_app::{Compute, Gpu};

use super::memory::Memory;
use super::networks::SideBySide;
use crate::desk::Devices;
use crate::networks::{NetworkError, Networks};

/// The least score of what a memory gets to know of. Less than is shown: what fades, or is held, may be found again.
pub(super) const MIN_SCORE: f32 = 0.05;

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

    fn detector(&self, runner: &CpuRunner) -> Result<Detector<Flex>, NetworkError> {
        let path = &self.setup.weights;
        let wrong = |what: String| NetworkError::Weights(format!("{}: {what}", path.display()));
        match std::fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let hint = "the detector's weights are not there: `cargo xtask weights` fetches them, --weights FILE \
                            names another place";
                return Err(wrong(hint.to_owned()));
            }
            _ => {}
        }
        let detector = Detector::load(path, &Default::default());
        let detector = detector.map_err(|error| wrong(error.to_string()))?;
        let detector = detector
            .with_runner(runner)
            .map_err(|error| wrong(error.to_string()))?;
        Ok(detector.with_postprocess(Postprocess {
            min_score: MIN_SCORE,
            ..Postprocess::default()
        }))
    }
}

impl Devices for Detectors {
    fn networks(&mut self, compute: Compute) -> Result<Box<dyn Networks>, NetworkError> {
        if let (Compute::Gpu, Gpu::Missing(why)) = (compute, self.gpu()) {
            return Err(NetworkError::Device(why));
        }
        let runner = CpuRunner::new();
        let detector = self.detector(&runner)?;
        let class = detector.class(&self.setup.class).ok_or_else(|| {
            let known = (1..detector.config().num_classes).map(|class| detector.label(class));
            let (class, known) = (&self.setup.class, known.collect::<Vec<_>>().join(", "));
            NetworkError::Weights(format!("the detector knows no class {class:?}: {known}"))
        })?;
        let networks = SideBySide::new(detector, &self.setup.memory, class, self.is_timed)?;
        Ok(Box::new(networks))
    }

    fn gpu(&self) -> Gpu {
        Gpu::Missing("the detector runs on the CPU, for which its kernels are made".to_owned())
    }

    fn cpu(&self) -> String {
        format!("the CPU, {:?}", CpuRunner::new().instructions())
    }
}
