//! The loss of a single-shot detector.

use burn::config::Config;
use burn::nn::loss::{CrossEntropyLossConfig, SmoothL1LossConfig};
use burn::tensor::activation::log_softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::FocalLossConfig;
use crate::detection::{BoundingBox, BoxCoder, CenterBox, hard_negatives, match_priors};
use crate::network::Predictions;

/// The loss of classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Classification {
    /// Cross-entropy over a softmax, of objects and the hardest of the background.
    CrossEntropy {
        /// Background priors for each that stands for an object: 3 in *SSD*, 10 in the paper.
        negatives: f64,
    },
    /// The focal loss, of everything.
    Focal(FocalLossConfig),
}

/// Configuration of an [`SsdLoss`].
#[derive(Config, Debug, PartialEq)]
pub struct SsdLossConfig {
    /// The loss of classes. Cross-entropy with 3:1 by default.
    #[config(default = "Classification::CrossEntropy { negatives: 3.0 }")]
    pub classification: Classification,
    /// The weight of the loss of box codes.
    #[config(default = 1.0)]
    pub localization_weight: f64,
}

impl SsdLossConfig {
    /// The loss of this configuration.
    pub fn init(&self) -> SsdLoss {
        SsdLoss {
            config: self.clone(),
        }
    }
}

/// What a network ought to say of one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Targets {
    /// The class of each prior, 0 for background.
    pub classes: Vec<usize>,
    /// The box code of each prior, zeros for background.
    pub codes: Vec<[f32; 4]>,
}

impl Targets {
    /// The targets of a picture with these objects, their boxes and classes, classes from 1. Priors
    /// match as [`match_priors`] says.
    pub fn new(
        priors: &[CenterBox],
        objects: &[(BoundingBox, usize)],
        coder: &BoxCoder,
        threshold: f32,
    ) -> Self {
        let boxes: Vec<BoundingBox> = objects.iter().map(|(bounds, _)| *bounds).collect();
        let matches = match_priors(priors, &boxes, threshold);
        let rows = matches
            .iter()
            .zip(priors)
            .map(|(object, prior)| match object {
                None => (0, [0.0; 4]),
                Some(object) => {
                    let (bounds, class) = &objects[*object];
                    (*class, coder.encode(bounds.center(), *prior))
                }
            });
        let (classes, codes) = rows.unzip();
        Self { classes, codes }
    }

    fn matches(&self) -> Vec<Option<usize>> {
        self.classes
            .iter()
            .map(|class| (*class > 0).then_some(*class))
            .collect()
    }
}

/// Smooth L1 of box codes and cross-entropy or focal loss of classes, over the number of priors that
/// stand for an object (Liu et al., *SSD*, 2016, equations 1 to 3; Liu & Zhu, 2018, section 4).
///
/// ```
/// use burn::tensor::Tensor;
/// use burn_flex::Flex;
/// use lstm_ssd::detection::{BoundingBox, BoxCoder, PriorsConfig};
/// use lstm_ssd::loss::{SsdLossConfig, Targets};
/// use lstm_ssd::network::Predictions;
///
/// let device = Default::default();
/// let priors = PriorsConfig::new(vec![[2, 2], [1, 1]]).priors();
/// let person = (BoundingBox::new(0.1, 0.2, 0.9, 0.5), 1);
/// let targets = Targets::new(&priors, &[person], &BoxCoder::default(), 0.5);
/// let predictions = Predictions::<Flex> {
///     boxes: Tensor::zeros([1, priors.len(), 4], &device),
///     logits: Tensor::zeros([1, priors.len(), 2], &device),
/// };
/// let loss = SsdLossConfig::new().init().forward(predictions, &[targets]);
/// assert_eq!(loss.dims(), [1]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SsdLoss {
    config: SsdLossConfig,
}

impl SsdLoss {
    /// The loss, `[1]`, of a batch of pictures. Where no picture has an object, it is that of the
    /// focal loss's background, or zero with cross-entropy.
    ///
    /// # Panics
    ///
    /// If there are not as many targets as pictures, or a target has another number of priors, or a
    /// class that there are no logits for.
    pub fn forward<B: Backend>(
        &self,
        predictions: Predictions<B>,
        targets: &[Targets],
    ) -> Tensor<B, 1> {
        let Predictions { boxes, logits } = predictions;
        let [batch, priors, classes] = logits.dims();
        let device = logits.device();
        assert_eq!(targets.len(), batch, "targets for every picture");
        for target in targets {
            assert_eq!(target.classes.len(), priors, "a target for every prior");
            assert!(
                target.classes.iter().all(|class| *class < classes),
                "a target's class has logits"
            );
        }
        let rows = batch * priors;
        let labels: Vec<usize> = targets.iter().flat_map(|t| &t.classes).copied().collect();
        let positive: Vec<usize> = (0..rows).filter(|row| labels[*row] > 0).collect();
        let logits = logits.reshape([rows, classes]);

        let classification = match &self.config.classification {
            Classification::CrossEntropy { negatives } => {
                let mut chosen = self.negatives(logits.clone(), targets, *negatives);
                chosen.extend(&positive);
                cross_entropy(logits, &labels, &chosen)
            }
            Classification::Focal(focal) => {
                let mut one_hot = vec![0.0_f32; rows * classes];
                for row in &positive {
                    one_hot[row * classes + labels[*row]] = 1.0;
                }
                let data = TensorData::new(one_hot, [rows, classes]);
                let one_hot = Tensor::from_data(data, &device);
                focal.init().forward(logits, one_hot).sum()
            }
        };
        let localization = localization(boxes.reshape([rows, 4]), targets, &positive)
            .mul_scalar(self.config.localization_weight);
        (classification + localization).div_scalar(positive.len().max(1) as f64)
    }

    /// The rows of the hardest background, picture by picture.
    fn negatives<B: Backend>(
        &self,
        logits: Tensor<B, 2>,
        targets: &[Targets],
        ratio: f64,
    ) -> Vec<usize> {
        // Which rows are chosen is not differentiated.
        let losses = log_softmax(logits.detach(), 1).narrow(1, 0, 1).neg();
        let losses: Vec<f32> = losses.into_data().iter::<f32>().collect();
        let mut chosen = Vec::new();
        let mut start = 0;
        for target in targets {
            let end = start + target.classes.len();
            let hard = hard_negatives(&losses[start..end], &target.matches(), ratio, 0);
            chosen.extend(hard.into_iter().map(|prior| start + prior));
            start = end;
        }
        chosen
    }
}

/// The sum over the chosen rows, `[1]`.
fn cross_entropy<B: Backend>(
    logits: Tensor<B, 2>,
    labels: &[usize],
    chosen: &[usize],
) -> Tensor<B, 1> {
    let device = logits.device();
    if chosen.is_empty() {
        return Tensor::zeros([1], &device);
    }
    let labels: Vec<usize> = chosen.iter().map(|row| labels[*row]).collect();
    let labels = indices::<B>(&labels, &device);
    let logits = logits.select(0, indices::<B>(chosen, &device));
    let mean = CrossEntropyLossConfig::new()
        .init(&device)
        .forward(logits, labels);
    mean.mul_scalar(chosen.len() as f64)
}

/// The sum over priors that stand for an object, `[1]`.
fn localization<B: Backend>(
    boxes: Tensor<B, 2>,
    targets: &[Targets],
    positive: &[usize],
) -> Tensor<B, 1> {
    let device = boxes.device();
    if positive.is_empty() {
        return Tensor::zeros([1], &device);
    }
    let codes: Vec<[f32; 4]> = targets.iter().flat_map(|t| &t.codes).copied().collect();
    let codes: Vec<f32> = positive.iter().flat_map(|row| codes[*row]).collect();
    let codes = Tensor::from_data(TensorData::new(codes, [positive.len(), 4]), &device);
    let boxes = boxes.select(0, indices::<B>(positive, &device));
    SmoothL1LossConfig::new().init().forward(boxes, codes).sum()
}

fn indices<B: Backend>(rows: &[usize], device: &B::Device) -> Tensor<B, 1, Int> {
    let rows: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
    let len = rows.len();
    Tensor::from_data(TensorData::new(rows, [len]), device)
}
