//! The published detector through the CPU runner's kernels, with a memory or without.

use bottleneck_lstm_ndarray::CpuRunner;
use bottleneck_lstm_ndarray::network::{GraphError, Network, StepTime};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use thiserror::Error;

use super::frame_runner::{FrameMoment, FrameRunner};
use super::memory_runner::{MapMoment, MemoryRunner};
use super::{Memory, MobileNetV2Ssd, NetworkError, Predictions};
use bottleneck_lstm::checks::image_exactly;

/// Runs a [`MobileNetV2Ssd`] on the CPU with fused kernels, frame by frame. The layers are planned and their
/// weights packed once; a frame allocates nothing on one thread.
///
/// It computes what [`MobileNetV2Ssd::forward`] does, in `f32` and but for rounding: with the statistics of its
/// batch normalisation, where it has any, as they are now. The same frame gives the same bits for any number of
/// threads.
///
/// ```
/// use bottleneck_lstm_ndarray::CpuRunner;
/// use burn_flex::Flex;
/// use lstm_ssd::network::{MobileNetV2SsdConfig, SsdRunner};
///
/// let config = MobileNetV2SsdConfig::new(3).with_input([64, 64]);
/// let network = config.init::<Flex>(&Default::default());
/// let mut runner = SsdRunner::new(&network, &CpuRunner::new())?;
/// let numbers = runner.run(&vec![0.0; 3 * 64 * 64])?;
/// assert_eq!(numbers.boxes.len(), 4 * config.priors().priors().len());
/// # Ok::<_, lstm_ssd::network::RunnerError>(())
/// ```
#[derive(Debug)]
pub struct SsdRunner {
    memory: Option<Box<Before>>,
    /// All of it, or what comes behind the memory.
    network: Network,
    input: [usize; 2],
    classes: usize,
}

/// A memory, and the part of the network before it.
#[derive(Debug)]
struct Before {
    frame: Option<FrameRunner>,
    trunk: Network,
    memory: MemoryRunner,
}

/// What a runner's memory remembers.
#[derive(Debug, Clone)]
pub struct Moment {
    frame: Option<FrameMoment>,
    map: MapMoment,
}

impl Before {
    /// Goes on from a moment. False, and nothing changes, if it is one of another memory.
    fn go_on_from(&mut self, moment: &Moment) -> bool {
        match (&mut self.frame, &moment.frame) {
            (None, None) => self.memory.go_on_from(&moment.map),
            (Some(frame), Some(then)) => {
                frame.fits(then) && self.memory.go_on_from(&moment.map) && frame.go_on_from(then)
            }
            _ => false,
        }
    }
}

/// What a detector says of each prior of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Numbers<'a> {
    /// Box codes, `[priors, 4]`.
    pub boxes: &'a [f32],
    /// Logits, `[priors, classes]`.
    pub logits: &'a [f32],
}

/// A network that the kernels do not cover, or a frame that does not fit it.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// The network, or a frame as a slice.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A frame as a tensor.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

impl SsdRunner {
    /// Plans `network`, with the threads and the instructions of `runner`.
    ///
    /// # Errors
    ///
    /// If a module of the network was given weights of another shape.
    pub fn new<B: Backend>(
        network: &MobileNetV2Ssd<B>,
        runner: &CpuRunner,
    ) -> Result<Self, RunnerError> {
        Ok(Self {
            memory: None,
            network: runner.network(&network.graph()?),
            input: network.input(),
            classes: network.heads().num_classes(),
        })
    }

    /// As [`new`](Self::new), with a memory behind the network's
    /// [`try_trunk`](MobileNetV2Ssd::try_trunk). Frames are then those of a video, in their order.
    ///
    /// # Errors
    ///
    /// If a module of network or memory was given weights of another shape, or the memory stands behind a map of
    /// other channels.
    pub fn with_memory<B: Backend>(
        network: &MobileNetV2Ssd<B>,
        memory: &Memory<B>,
        runner: &CpuRunner,
    ) -> Result<Self, RunnerError> {
        let memory_frame = memory.frame();
        let memory = MemoryRunner::new(memory, network.config().trunk(), runner)?;
        let trunk = runner.network(&network.trunk_graph()?);
        let frame = memory_frame.map(|frame| FrameRunner::new(frame, network.input(), runner));
        let before = Before {
            frame: frame.transpose()?,
            trunk,
            memory,
        };
        Ok(Self {
            memory: Some(Box::new(before)),
            network: runner.network(&network.tail_graph()?),
            input: network.input(),
            classes: network.heads().num_classes(),
        })
    }

    /// Has the memory, if there is one, forget all: the next frame is the first one of a video.
    pub fn reset(&mut self) {
        if let Some(before) = &mut self.memory {
            before.memory.reset();
            if let Some(frame) = &mut before.frame {
                frame.reset();
            }
        }
    }

    /// What the memory remembers now, if there is one.
    pub(crate) fn moment(&self) -> Option<Moment> {
        self.memory.as_ref().map(|before| Moment {
            frame: before.frame.as_ref().map(FrameRunner::moment),
            map: before.memory.moment(),
        })
    }

    /// Has the memory go on from a moment. False, and nothing changes, if it is one of another memory.
    pub(crate) fn go_on_from(&mut self, moment: Option<&Moment>) -> bool {
        match (&mut self.memory, moment) {
            (None, None) => true,
            (Some(before), Some(moment)) => before.go_on_from(moment),
            _ => false,
        }
    }

    /// `[height, width]` of the frames that it takes.
    pub fn input(&self) -> [usize; 2] {
        self.input
    }

    /// Runs one frame, `[3, height, width]`: red, green, blue from -1 to 1.
    ///
    /// # Errors
    ///
    /// If the frame has another number of values.
    pub fn run(&mut self, frame: &[f32]) -> Result<Numbers<'_>, RunnerError> {
        match &mut self.memory {
            None => self.network.run(frame)?,
            Some(before) => {
                let frame = match &mut before.frame {
                    // A frame of another size is for the trunk to refuse.
                    Some(memory) if frame.len() == memory.len() => memory.step(frame),
                    _ => frame,
                };
                before.trunk.run(frame)?;
                let map = before.memory.step(before.trunk.output(0));
                self.network.run(map)?;
            }
        }
        Ok(Numbers {
            boxes: self.network.output(0),
            logits: self.network.output(1),
        })
    }

    /// As [`run`](Self::run); returns how long each step took.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn profile(&mut self, frame: &[f32]) -> Result<Vec<StepTime>, RunnerError> {
        let Some(before) = &mut self.memory else {
            return Ok(self.network.profile(frame)?);
        };
        let mut times = Vec::new();
        let frame = match &mut before.frame {
            Some(memory) if frame.len() == memory.len() => memory.profile(frame, &mut times),
            _ => frame,
        };
        times.extend(before.trunk.profile(frame)?);
        let map = before.memory.profile(before.trunk.output(0), &mut times);
        times.extend(self.network.profile(map)?);
        Ok(times)
    }

    /// Runs `frames`, `[batch, 3, height, width]`, one after the other, as [`MobileNetV2Ssd::try_forward`].
    ///
    /// # Errors
    ///
    /// If the frames are of another shape.
    pub fn forward<B: Backend>(
        &mut self,
        frames: Tensor<B, 4>,
    ) -> Result<Predictions<B>, RunnerError> {
        let dims = frames.dims();
        let [height, width] = self.input;
        image_exactly("frames", [dims[0], 3, height, width], dims).map_err(NetworkError::from)?;
        let (device, dtype) = (frames.device(), frames.dtype());
        let values: Vec<f32> = frames.into_data().iter::<f32>().collect();
        let (mut boxes, mut logits) = (Vec::new(), Vec::new());
        for frame in values.chunks_exact(3 * height * width) {
            let numbers = self.run(frame)?;
            boxes.extend_from_slice(numbers.boxes);
            logits.extend_from_slice(numbers.logits);
        }
        let tensor = |values: Vec<f32>, size: usize| {
            let priors = values.len() / dims[0] / size;
            let data = TensorData::new(values, [dims[0], priors, size]);
            Tensor::from_data(data, (&device, dtype))
        };
        Ok(Predictions {
            boxes: tensor(boxes, 4),
            logits: tensor(logits, self.classes),
        })
    }
}
