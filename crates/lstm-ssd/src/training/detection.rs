//! How far what is seen with a memory is from what should be seen.

use burn::module::Module;
use burn::tensor::activation::{sigmoid, softplus};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};

use super::TrainingError;
use super::clip::FRAMES;
use super::loss::smooth_l1;
use super::maps::{Maps, Part};
use super::random::Random;
use super::unroll::Chunk;
use crate::network::MobileNetV2Ssd;

/// Frames of each chunk that are looked at.
const LOOKED_AT: usize = 8;

/// How much more a score counts where something is to be seen, and how much more the class that matters does.
const SEEN: f32 = 20.0;
const FAVOURED: f32 = 2.0;

/// The least score of a prior whose box counts, and that of one which counts as an object.
const BOX: f32 = 0.05;
const OBJECT: f32 = 0.3;

/// What is always added to the number of objects: frames without any count, too.
const SOME: f32 = 10.0;

/// How much a score counts that is right; one that is wrong by 1 counts by 1 more.
const RIGHT: f64 = 0.25;

/// The loss of a detector's predictions, through the frozen layers between the memory and the finest of the maps that
/// heads read. What the coarser maps predict is left out: learning through all the layers before them takes longer, and
/// made memories that were no better.
pub(super) struct DetectionLoss<B: AutodiffBackend> {
    detector: MobileNetV2Ssd<B>,
}

/// What should be seen in frames: plain numbers, one prior after the other.
struct Targets {
    codes: Vec<f32>,
    scores: Vec<f32>,
    /// Weights of scores and boxes.
    score_weights: Vec<f32>,
    box_weights: Vec<f32>,
    /// The loss of scores that are right.
    least: Vec<f32>,
    objects: f32,
}

impl<B: AutodiffBackend> DetectionLoss<B> {
    pub fn new(detector: MobileNetV2Ssd<B>) -> Self {
        Self {
            detector: detector.no_grad(),
        }
    }

    /// The loss, `[1]`, on some frames of chunks, with the maps, `[chunks, frames, channels, height, width]`, that the
    /// memory makes of them.
    pub fn forward(
        &self,
        maps: &Tensor<B, 5>,
        chunks: &[Chunk],
        cache: &Maps,
        random: &mut Random,
    ) -> Result<Tensor<B, 1>, TrainingError> {
        let [priors, classes] = cache.heads();
        let mut looked_at = Vec::new();
        let mut targets = Targets::new();
        for (row, chunk) in chunks.iter().enumerate() {
            let codes = cache.read(chunk.clip, Part::Codes)?;
            let scores = cache.read(chunk.clip, Part::Scores)?;
            for step in some_of(random, LOOKED_AT) {
                let map = maps.clone().slice([row..row + 1, step..step + 1]);
                looked_at.push(map.squeeze_dim::<4>(1));
                let frame = chunk.frames[step];
                let codes = &codes[frame * priors * 4..][..priors * 4];
                let scores = &scores[frame * priors * classes..][..priors * classes];
                targets.add(codes, scores, classes, cache.config().class);
            }
        }
        let predictions = self.detector.finest_of_trunk(Tensor::cat(looked_at, 0));
        let rows = targets.box_weights.len();
        let logits = predictions.logits.reshape([rows, classes]);
        let boxes = predictions.boxes.reshape([rows, 4]);

        let device = logits.device();
        let tensor = |values: Vec<f32>, columns: usize| -> Tensor<B, 2> {
            Tensor::from_data(TensorData::new(values, [rows, columns]), &device)
        };
        let scores = tensor(targets.scores, classes);
        // How wrong a score is weights its loss, and is not learned from itself.
        let wrong = (sigmoid(logits.clone().detach()) - scores.clone()).abs();
        let weight = tensor(targets.score_weights, classes) * (wrong + RIGHT);
        let entropy = softplus(logits.clone(), 1.0) - logits * scores;
        let class = ((entropy - tensor(targets.least, classes)) * weight).sum();
        let place = smooth_l1(boxes - tensor(targets.codes, 4));
        let place = (place.sum_dim(1) * tensor(targets.box_weights, 1)).sum();
        Ok((class + place) / f64::from(targets.objects.max(1.0) + SOME))
    }
}

/// Some steps of a chunk, but not its first.
pub(super) fn some_of(random: &mut Random, count: usize) -> Vec<usize> {
    let mut steps: Vec<usize> = (1..FRAMES).collect();
    for index in 0..count {
        let other = index + random.below(steps.len() - index);
        steps.swap(index, other);
    }
    steps.truncate(count);
    steps
}

impl Targets {
    fn new() -> Self {
        Self {
            codes: Vec::new(),
            scores: Vec::new(),
            score_weights: Vec::new(),
            box_weights: Vec::new(),
            least: Vec::new(),
            objects: 0.0,
        }
    }

    /// Adds a frame.
    fn add(&mut self, codes: &[f32], scores: &[f32], classes: usize, favoured: Option<usize>) {
        self.codes.extend_from_slice(codes);
        self.scores.extend_from_slice(scores);
        for scores in scores.chunks_exact(classes) {
            for (class, score) in scores.iter().enumerate() {
                let weight = match (class, favoured) {
                    (0, _) => 0.0,
                    (class, Some(favoured)) if class == favoured => FAVOURED,
                    _ => 1.0,
                };
                self.score_weights.push(weight * (1.0 + SEEN * score));
                self.least.push(entropy(*score));
            }
            let highest = scores[1..].iter().copied().fold(0.0, f32::max);
            let counts = if highest > BOX { highest } else { 0.0 };
            self.box_weights.push(counts);
            self.objects += if highest > OBJECT { 1.0 } else { 0.0 };
        }
    }
}

/// Of a probability, in nats.
fn entropy(p: f32) -> f32 {
    let term = |p: f32| if p > 0.0 { -p * p.ln() } else { 0.0 };
    term(p) + term(1.0 - p)
}
