//! What the program can show: moving digits, and videos of the viewer's.

use std::path::Path;

use crate::desk::{Library, Scene};
use crate::digits::{Machine, MovingDigits, Weights};
#[cfg(feature = "gpu")]
use crate::gpu::SharedGpu;
use crate::source::SourceError;
use crate::video::{Detectors, Footage, Setup};

/// The GPU, or why it cannot compute.
#[cfg(feature = "gpu")]
pub type GpuOrWhy = Result<SharedGpu, String>;

/// The GPU, or why it cannot compute.
#[cfg(not(feature = "gpu"))]
pub type GpuOrWhy = Result<std::convert::Infallible, String>;

/// The scenes of this program.
pub struct Program {
    weights: Weights,
    gpu: GpuOrWhy,
    setup: Setup,
    is_timed: bool,
}

impl Program {
    /// With these weights for digits, perhaps a GPU, and what looks at videos.
    pub fn new(weights: Weights, gpu: GpuOrWhy, setup: Setup) -> Self {
        Self {
            weights,
            gpu,
            setup,
            is_timed: true,
        }
    }

    /// Measures no times, so that a picture is the same every time.
    pub fn without_times(self) -> Self {
        Self {
            is_timed: false,
            ..self
        }
    }
}

impl Library for Program {
    fn own(&self) -> Result<Scene, SourceError> {
        let source = MovingDigits::new().map_err(|error| SourceError(error.to_string()))?;
        let machine = Machine::new(self.weights.clone(), self.gpu.clone());
        let machine = match self.is_timed {
            true => machine,
            false => machine.without_times(),
        };
        Ok(Scene {
            source: Box::new(source),
            devices: Box::new(machine),
        })
    }

    fn open(&self, path: &Path) -> Result<Scene, SourceError> {
        let source = Footage::open(path)?;
        let detectors = Detectors::new(self.setup.clone(), self.is_timed);
        Ok(Scene {
            source: Box::new(source),
            devices: Box::new(detectors),
        })
    }
}
