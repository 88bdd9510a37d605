//! A detector for pictures of any size.

use std::path::Path;

use bottleneck_lstm::weights::Checkpoint;
use burn::tensor::backend::Backend;

use crate::Picture;
use crate::detection::{CenterBox, Detection, Postprocess};
use crate::labels::OPEN_IMAGES;
use crate::network::{MobileNetV2Ssd, MobileNetV2SsdConfig, WeightsError};
#[cfg(feature = "cpu")]
use crate::network::{RunnerError, SsdRunner};

/// The published MobileNetV2 detector with its weights: a picture in, detections out. It looks at
/// every picture by itself.
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
    /// Instead of Burn's own operations.
    #[cfg(feature = "cpu")]
    runner: Option<Box<SsdRunner>>,
    priors: Vec<CenterBox>,
    postprocess: Postprocess,
    logits: Vec<f32>,
    device: B::Device,
}

impl<B: Backend> Detector<B> {
    /// Loads the weights that `cargo xtask weights` writes.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is of another network.
    pub fn load(path: impl AsRef<Path>, device: &B::Device) -> Result<Self, WeightsError> {
        let checkpoint = Checkpoint::open(path)?;
        let config = config(&checkpoint);
        Ok(Self {
            network: MobileNetV2Ssd::from_checkpoint(&config, &checkpoint, device)?,
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
    pub fn with_runner(
        mut self,
        runner: &bottleneck_lstm_ndarray::CpuRunner,
    ) -> Result<Self, RunnerError> {
        self.runner = Some(Box::new(SsdRunner::new(&self.network, runner)?));
        Ok(self)
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
                .run(&picture.to_planes())
                .expect("the picture was resized to what the network takes");
            self.logits.clear();
            self.logits.extend_from_slice(numbers.logits);
            return self
                .postprocess
                .detections(&self.priors, numbers.boxes, numbers.logits);
        }
        let input = picture.to_input(&self.device);
        let predictions = self.network.forward(input);
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
