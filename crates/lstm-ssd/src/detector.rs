//! A detector for pictures of any size.

use std::path::Path;

use bottleneck_lstm::weights::Checkpoint;
#[cfg(feature = "cpu")]
use bottleneck_lstm_ndarray::CpuRunner;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use thiserror::Error;

use crate::Picture;
use crate::detection::{CenterBox, Detection, Postprocess};
use crate::labels::OPEN_IMAGES;
use crate::network::{
    Memory, MemoryState, MobileNetV2Ssd, MobileNetV2SsdConfig, NetworkError, Predictions,
    WeightsError,
};
#[cfg(feature = "cpu")]
use crate::network::{Moment, RunnerError, SsdRunner};

/// The published MobileNetV2 detector with its weights: a picture in, detections out. It looks at
/// every picture by itself, unless it is given a memory; then pictures are the frames of a video, in their order.
///
/// ```no_run
/// use burn_flex::Flex;
/// use lstm_ssd::{Detector, Picture};
///
/// let mut detector = Detector::<Flex>::load("ssd_mobilenet_v2.safetensors", &Default::default())?;
/// let grey = Picture::new(640, 480, vec![128; 640 * 480 * 3]).unwrap();
/// for found in detector.detect(&grey) {
///     println!("{} {:.2}", detector.label(found.class), found.score);
/// }
/// # Ok::<_, lstm_ssd::network::WeightsError>(())
/// ```
#[derive(Debug)]
pub struct Detector<B: Backend> {
    config: MobileNetV2SsdConfig,
    network: MobileNetV2Ssd<B>,
    memory: Option<Memory<B>>,
    /// What the memory remembers, where Burn's own operations compute it.
    state: Kept<B>,
    /// Instead of Burn's own operations.
    #[cfg(feature = "cpu")]
    runner: Option<Fused>,
    priors: Vec<CenterBox>,
    postprocess: Postprocess,
    logits: Vec<f32>,
    device: B::Device,
}

/// The network as the kernels have it, and what it was planned with.
#[cfg(feature = "cpu")]
#[derive(Debug)]
struct Fused {
    cpu: CpuRunner,
    network: Box<SsdRunner>,
}

/// What a [`Detector`] remembers at a moment.
#[derive(Debug, Clone)]
pub struct Remembered<B: Backend> {
    state: Kept<B>,
    #[cfg(feature = "cpu")]
    fused: Option<Moment>,
}

/// The states of a memory's two parts.
#[derive(Debug, Clone)]
struct Kept<B: Backend> {
    frame: Option<MemoryState<B>>,
    map: Option<MemoryState<B>>,
}

impl<B: Backend> Default for Kept<B> {
    fn default() -> Self {
        Self {
            frame: None,
            map: None,
        }
    }
}

/// A memory that does not fit a detector.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum DetectorError {
    /// It stands behind another map.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// It is none that the kernels cover.
    #[cfg(feature = "cpu")]
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// What is remembered is not of this memory, or was computed by something else.
    #[error("what is remembered is that of another detector")]
    Remembered,
}

impl<B: Backend> Detector<B> {
    /// Loads the weights that `cargo xtask weights` writes.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is of another network.
    pub fn load(path: impl AsRef<Path>, device: &B::Device) -> Result<Self, WeightsError> {
        Self::from_checkpoint(&Checkpoint::open(path)?, device)
    }

    /// Loads the weights of a file that is open.
    ///
    /// # Errors
    ///
    /// If it is of another network.
    pub fn from_checkpoint(
        checkpoint: &Checkpoint,
        device: &B::Device,
    ) -> Result<Self, WeightsError> {
        let config = config(checkpoint);
        Ok(Self {
            network: MobileNetV2Ssd::from_checkpoint(&config, checkpoint, device)?,
            memory: None,
            state: Kept::default(),
            #[cfg(feature = "cpu")]
            runner: None,
            priors: config.priors().priors(),
            postprocess: Postprocess::default(),
            logits: Vec::new(),
            device: device.clone(),
            config,
        })
    }

    /// Has the network computed by the CPU runner's fused kernels instead of Burn's own operations, with the
    /// threads and the instructions of `runner`.
    ///
    /// # Errors
    ///
    /// If the network is none that the kernels cover.
    #[cfg(feature = "cpu")]
    pub fn with_runner(mut self, runner: &CpuRunner) -> Result<Self, RunnerError> {
        self.plan(runner.clone())?;
        Ok(self)
    }

    #[cfg(feature = "cpu")]
    fn plan(&mut self, cpu: CpuRunner) -> Result<(), RunnerError> {
        let network = match &self.memory {
            Some(memory) => SsdRunner::with_memory(&self.network, memory, &cpu)?,
            None => SsdRunner::new(&self.network, &cpu)?,
        };
        let network = Box::new(network);
        self.runner = Some(Fused { cpu, network });
        Ok(())
    }

    /// Gives it a memory, which is at the start of a video, in the place of any that it has. Whether the memory was
    /// trained for these weights its [card](crate::network::MemoryCard) says.
    ///
    /// # Errors
    ///
    /// If the memory stands behind a map of other channels.
    pub fn with_memory(mut self, memory: Memory<B>) -> Result<Self, DetectorError> {
        let [channels, height, width] = self.config.trunk();
        memory.check_map([1, channels, height, width])?;
        if let Some(frame) = memory.frame() {
            frame.check_frame(self.config.input)?;
        }
        self.memory = Some(memory);
        self.state = Kept::default();
        #[cfg(feature = "cpu")]
        if let Some(runner) = self.runner.take() {
            self.plan(runner.cpu)?;
        }
        Ok(self)
    }

    /// Its memory, if it was given one.
    pub fn memory(&self) -> Option<&Memory<B>> {
        self.memory.as_ref()
    }

    /// Forgets all: the next picture is the first frame of a video. Without a memory, there is nothing to forget.
    pub fn reset(&mut self) {
        self.state = Kept::default();
        #[cfg(feature = "cpu")]
        if let Some(runner) = &mut self.runner {
            runner.network.reset();
        }
    }

    /// What it remembers now; nothing without a memory.
    pub fn remembered(&self) -> Remembered<B> {
        Remembered {
            state: self.state.clone(),
            #[cfg(feature = "cpu")]
            fused: self
                .runner
                .as_ref()
                .and_then(|runner| runner.network.moment()),
        }
    }

    /// Goes on from what it, or another one like it, remembered before.
    ///
    /// # Errors
    ///
    /// If that is of another memory, or of a detector that something else computes. Nothing changes then.
    pub fn go_on_from(&mut self, remembered: &Remembered<B>) -> Result<(), DetectorError> {
        if !self.fits(&remembered.state) {
            return Err(DetectorError::Remembered);
        }
        #[cfg(feature = "cpu")]
        {
            let fused = remembered.fused.as_ref();
            let goes_on = match &mut self.runner {
                Some(runner) => runner.network.go_on_from(fused),
                None => fused.is_none(),
            };
            if !goes_on {
                return Err(DetectorError::Remembered);
            }
        }
        self.state.clone_from(&remembered.state);
        Ok(())
    }

    /// Whether a memory's states are of the sizes of this detector's.
    fn fits(&self, kept: &Kept<B>) -> bool {
        let [channels, height, width] = self.config.trunk();
        let map = kept.map.as_ref().is_none_or(|state| {
            self.memory.is_some() && state.map.dims() == [1, channels, height, width]
        });
        let frame = self.memory.as_ref().and_then(Memory::frame);
        let patches = kept.frame.as_ref().is_none_or(|state| {
            frame.is_some_and(|frame| state.map.dims() == frame.patches(self.network.input()))
        });
        map && patches
    }

    /// Sets what is made of the network's numbers.
    pub fn with_postprocess(mut self, postprocess: Postprocess) -> Self {
        self.postprocess = postprocess;
        self
    }

    /// The network's configuration.
    pub fn config(&self) -> &MobileNetV2SsdConfig {
        &self.config
    }

    /// The detections in a picture, surest first, as fractions of its height and width. The picture
    /// is squeezed to the network's size.
    pub fn detect(&mut self, picture: &Picture) -> Vec<Detection> {
        let [height, width] = self.network.input();
        let picture = picture.resize(width, height);
        #[cfg(feature = "cpu")]
        if let Some(runner) = &mut self.runner {
            let numbers = runner
                .network
                .run(&picture.to_planes())
                .expect("the picture was resized to what the network takes");
            self.logits.clear();
            self.logits.extend_from_slice(numbers.logits);
            return self
                .postprocess
                .detections(&self.priors, numbers.boxes, numbers.logits);
        }
        let input = picture.to_input(&self.device);
        let predictions = self.predict(input);
        let [boxes, logits] = [predictions.boxes, predictions.logits]
            .map(|tensor| tensor.into_data().iter::<f32>().collect::<Vec<_>>());
        self.logits = logits;
        self.postprocess
            .detections(&self.priors, &boxes, &self.logits)
    }

    /// What the network said of the last picture, `[priors, classes]` in row-major order, before anything was made of
    /// it; the priors are those of its [configuration](Self::config). Empty before the first picture.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// The network's predictions of the next frame, `[1, 3, height, width]`, by Burn's own operations.
    fn predict(&mut self, frame: Tensor<B, 4>) -> Predictions<B> {
        let Some(memory) = &self.memory else {
            return self.network.forward(frame);
        };
        const SIZE: &str = "the picture was resized to what the network takes";
        let frame = match memory.frame() {
            Some(part) => {
                let (frame, state) = part.try_step(frame, self.state.frame.take()).expect(SIZE);
                self.state.frame = Some(state.detach());
                frame
            }
            None => frame,
        };
        let trunk = self.network.try_trunk(frame).expect(SIZE);
        let (map, state) = memory.step(trunk, self.state.map.take());
        // On a backend that differentiates, what it came from would be kept for ever.
        self.state.map = Some(state.detach());
        let features = self.network.features_of_trunk(map);
        self.network.heads().forward(&features)
    }

    /// The name of a class.
    pub fn label(&self, class: usize) -> String {
        label(&self.config, class)
    }

    /// The class of that name, whatever its case.
    pub fn class(&self, label: &str) -> Option<usize> {
        (1..self.config.num_classes).find(|class| self.label(*class).eq_ignore_ascii_case(label))
    }
}

/// The network that a file has weights of, as far as one can tell before they are compared: the number
/// of classes is in its heads.
fn config(checkpoint: &Checkpoint) -> MobileNetV2SsdConfig {
    let published = MobileNetV2SsdConfig::new(OPEN_IMAGES.len());
    let per_cell = published.priors().per_cell()[0];
    let outputs = checkpoint
        .get("heads.0.cls.bias")
        .map(|bias| bias.num_elements());
    match outputs {
        Some(outputs) if outputs.is_multiple_of(per_cell) && outputs >= 2 * per_cell => {
            MobileNetV2SsdConfig::new(outputs / per_cell)
        }
        _ => published,
    }
}

fn label(config: &MobileNetV2SsdConfig, class: usize) -> String {
    match OPEN_IMAGES.get(class) {
        Some(label) if config.num_classes == OPEN_IMAGES.len() => (*label).to_owned(),
        _ => format!("class {class}"),
    }
}
