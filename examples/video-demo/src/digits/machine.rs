//! The devices of this machine.

use bottleneck_lstm_ndarray::CpuRunner;
use burn_flex::Flex;
use moving_digits::frame::SIDE;
use video_demo_app::{Channels, Compute, Gpu, Look, Picture};

use super::networks::{Pair, Timing};
use super::weights::Weights;
use crate::desk::Devices;
use crate::networks::{NetworkError, Networks};
use crate::program::GpuOrWhy;

/// The CPU, and perhaps a GPU.
pub struct Machine {
    weights: Weights,
    gpu: GpuOrWhy,
    is_timed: bool,
}

impl Machine {
    /// The devices of this machine, for networks with these weights.
    pub fn new(weights: Weights, gpu: GpuOrWhy) -> Self {
        Self {
            weights,
            gpu,
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

    fn on_cpu(&self) -> Result<Box<dyn Networks>, NetworkError> {
        let timing = match self.is_timed {
            true => Timing::Always,
            false => Timing::Never,
        };
        let runner = CpuRunner::new();
        let pair = Pair::<Flex, _>::new(&self.weights, runner, Default::default(), timing)?;
        Ok(Box::new(pair))
    }

    #[cfg(feature = "gpu")]
    fn on_gpu(&self) -> Result<Box<dyn Networks>, NetworkError> {
        match &self.gpu {
            Ok(gpu) => gpu.networks(&self.weights, self.is_timed),
            Err(why) => Err(NetworkError::Device(why.clone())),
        }
    }

    #[cfg(not(feature = "gpu"))]
    fn on_gpu(&self) -> Result<Box<dyn Networks>, NetworkError> {
        match &self.gpu {
            Ok(never) => match *never {},
            Err(why) => Err(NetworkError::Device(why.clone())),
        }
    }
}

impl Devices for Machine {
    fn networks(&mut self, compute: Compute) -> Result<Box<dyn Networks>, NetworkError> {
        let mut networks = match compute {
            Compute::Cpu => self.on_cpu()?,
            Compute::Gpu => self.on_gpu()?,
        };
        // The first frame compiles kernels and packs weights.
        let black = Picture::new([SIDE, SIDE], Channels::Grey, vec![0; SIDE * SIDE])
            .map_err(|error| NetworkError::Failed(error.to_string()))?;
        networks.look(&black, Look::default())?;
        networks.reset();
        Ok(networks)
    }

    fn gpu(&self) -> Gpu {
        match &self.gpu {
            #[cfg(feature = "gpu")]
            Ok(gpu) => Gpu::Ready(gpu.name()),
            #[cfg(not(feature = "gpu"))]
            Ok(never) => match *never {},
            Err(why) => Gpu::Missing(why.clone()),
        }
    }

    fn cpu(&self) -> String {
        format!("the CPU, {:?}", CpuRunner::new().instructions())
    }

    fn use_own_weights(&mut self) {
        self.weights = Weights::embedded();
    }
}
