//! The detector without a memory: what it makes of frames, and what it sees in them.

use bottleneck_lstm_ndarray::CpuRunner;
use bottleneck_lstm_ndarray::network::Network;
use burn::tensor::backend::Backend;

use super::TrainingError;
use crate::Picture;
use crate::detection::{BoundingBox, BoxCoder, CenterBox, match_priors};
use crate::network::{MobileNetV2Ssd, MobileNetV2SsdConfig, RunnerError};

/// The least score of a box that counts.
const MIN_SCORE: f32 = 0.1;

/// What a box of another class than the one that matters counts for.
const OTHERS: f32 = 0.5;

/// The overlap from which on a prior stands for an object.
const MATCH: f32 = 0.5;

/// What is seen in a frame, or should be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sight {
    /// Box codes, `[priors, 4]`.
    pub codes: Vec<f32>,
    /// Scores from 0 to 1, `[priors, classes]`.
    pub scores: Vec<f32>,
}

/// Runs the parts of a detector before and behind the place of a memory.
#[derive(Debug)]
pub(super) struct Teacher {
    trunk: Network,
    tail: Network,
    priors: Vec<CenterBox>,
    coder: BoxCoder,
    classes: usize,
    /// The class that matters most.
    favoured: Option<usize>,
    input: [usize; 2],
}

impl Teacher {
    pub fn new<B: Backend>(
        network: &MobileNetV2Ssd<B>,
        favoured: Option<usize>,
    ) -> Result<Self, TrainingError> {
        // One thread: there is a teacher for each.
        let runner = CpuRunner::new().with_threads(1);
        let classes = network.heads().num_classes();
        let config = MobileNetV2SsdConfig::new(classes).with_input(network.input());
        let plan = |graph| runner.network(graph);
        Ok(Self {
            trunk: plan(&network.trunk_graph().map_err(RunnerError::from)?),
            tail: plan(&network.tail_graph().map_err(RunnerError::from)?),
            priors: config.priors().priors(),
            coder: BoxCoder::default(),
            classes,
            favoured,
            input: network.input(),
        })
    }

    /// The map of a picture behind block 12, `[channels, height, width]`.
    pub fn map(&mut self, picture: &Picture) -> Result<&[f32], TrainingError> {
        let [height, width] = self.input;
        let planes = picture.resize(width, height).to_planes();
        self.map_of(&planes)
    }

    /// The same of a frame of the network's size, `[3, height, width]` from -1 to 1.
    pub fn map_of(&mut self, frame: &[f32]) -> Result<&[f32], TrainingError> {
        self.trunk.run(frame).map_err(RunnerError::from)?;
        Ok(self.trunk.output(0))
    }

    /// What is seen in a picture with this map.
    pub fn look(&mut self, map: &[f32]) -> Result<Sight, TrainingError> {
        self.tail.run(map).map_err(RunnerError::from)?;
        let score = |logit: &f32| 1.0 / (1.0 + (-logit).exp());
        Ok(Sight {
            codes: self.tail.output(0).to_vec(),
            scores: self.tail.output(1).iter().map(score).collect(),
        })
    }

    /// The boxes of what is seen, as fractions of the picture, and how much each counts, from 0 to 1. They are not
    /// suppressed.
    pub fn boxes(&self, sight: &Sight) -> Vec<(BoundingBox, f32)> {
        let codes = sight.codes.chunks_exact(4);
        let scores = sight.scores.chunks_exact(self.classes);
        let mut boxes = Vec::new();
        for ((prior, code), scores) in self.priors.iter().zip(codes).zip(scores) {
            let worth = |(class, score): (usize, &f32)| match self.favoured {
                Some(favoured) if favoured != class => OTHERS * score,
                _ => *score,
            };
            let worth = scores.iter().enumerate().skip(1).map(worth);
            let worth = worth.fold(0.0, f32::max);
            if worth > MIN_SCORE {
                let code = [code[0], code[1], code[2], code[3]];
                boxes.push((self.coder.decode(code, *prior).corners(), worth));
            }
        }
        boxes
    }

    /// Puts what is really there into what is seen, for one class: the boxes of its objects, fractions of the picture.
    pub fn correct(&self, sight: &mut Sight, class: usize, objects: &[BoundingBox]) {
        let matches = match_priors(&self.priors, objects, MATCH);
        for (index, (prior, object)) in self.priors.iter().zip(matches).enumerate() {
            let score = &mut sight.scores[index * self.classes + class];
            *score = if object.is_some() { 1.0 } else { 0.0 };
            if let Some(object) = object {
                let code = self.coder.encode(objects[object].center(), *prior);
                sight.codes[index * 4..][..4].copy_from_slice(&code);
            }
        }
    }
}
