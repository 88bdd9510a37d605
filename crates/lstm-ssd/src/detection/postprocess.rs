//! From a network's raw numbers to detections.

use std::collections::BTreeMap;

use super::{BoundingBox, BoxCoder, CenterBox, suppress};

/// An object that a detector sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// The class, from 1; 0 is the background.
    pub class: usize,
    /// How sure the detector is, from 0 to 1.
    pub score: f32,
    /// Where, as fractions of the picture. It may reach out of the picture.
    pub bounds: BoundingBox,
}

/// How scores come of logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scores {
    /// Each class by itself, `1 / (1 + exp(-x))`, as training with a focal loss needs it.
    #[default]
    Sigmoid,
    /// All classes and the background share 1, as training with cross-entropy needs it.
    Softmax,
}

/// From box codes and logits to detections: scores, a least score, and suppression for each class
/// by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Postprocess {
    /// The code of boxes.
    pub coder: BoxCoder,
    /// How scores come of logits.
    pub scores: Scores,
    /// The least score of a detection.
    pub min_score: f32,
    /// The overlap with a surer detection of the same class above which one is suppressed.
    pub iou_threshold: f32,
    /// The most detections of a class.
    pub max_per_class: usize,
}

impl Default for Postprocess {
    fn default() -> Self {
        Self {
            coder: BoxCoder::default(),
            scores: Scores::default(),
            min_score: 0.3,
            iou_threshold: 0.5,
            max_per_class: 100,
        }
    }
}

impl Postprocess {
    /// The detections in one picture, surest first, of `boxes`, `[priors, 4]`, and `logits`,
    /// `[priors, classes]`, both in row-major order. Class 0 is the background and never detected;
    /// numbers that are not finite are no detections.
    ///
    /// # Panics
    ///
    /// If the lengths do not fit the number of priors.
    pub fn detections(
        &self,
        priors: &[CenterBox],
        boxes: &[f32],
        logits: &[f32],
    ) -> Vec<Detection> {
        assert_eq!(boxes.len(), priors.len() * 4, "four numbers a prior");
        if priors.is_empty() {
            return Vec::new();
        }
        assert!(logits.len().is_multiple_of(priors.len()), "whole rows");
        let classes = logits.len() / priors.len();

        let mut candidates = Vec::new();
        let rows = boxes
            .chunks_exact(4)
            .zip(logits.chunks_exact(classes.max(1)));
        let mut scores = vec![0.0; classes];
        for (prior, (code, logits)) in priors.iter().zip(rows) {
            self.scores.of(logits, &mut scores);
            let mut bounds = None;
            for (class, score) in scores.iter().copied().enumerate().skip(1) {
                // Not `<`, which would let a NaN pass.
                if score >= self.min_score {
                    let bounds = bounds.get_or_insert_with(|| {
                        let code = [code[0], code[1], code[2], code[3]];
                        self.coder.decode(code, *prior).corners()
                    });
                    if finite(bounds) {
                        candidates.push(Detection {
                            class,
                            score,
                            bounds: *bounds,
                        });
                    }
                }
            }
        }

        self.suppress(&candidates)
    }

    /// The candidates that are sure enough and that no surer one of their class suppresses, surest first. Of
    /// equal scores the first comes first.
    pub fn suppress(&self, candidates: &[Detection]) -> Vec<Detection> {
        let mut classes: BTreeMap<usize, (Vec<BoundingBox>, Vec<f32>)> = BTreeMap::new();
        for candidate in candidates {
            if candidate.score >= self.min_score {
                let (boxes, scores) = classes.entry(candidate.class).or_default();
                boxes.push(candidate.bounds);
                scores.push(candidate.score);
            }
        }
        let mut detections = Vec::new();
        for (class, (boxes, scores)) in classes {
            let kept = suppress(&boxes, &scores, self.iou_threshold, self.max_per_class);
            detections.extend(kept.into_iter().map(|index| Detection {
                class,
                score: scores[index],
                bounds: boxes[index],
            }));
        }
        detections.sort_by(|a, b| b.score.total_cmp(&a.score));
        detections
    }
}

fn finite(bounds: &BoundingBox) -> bool {
    [bounds.ymin, bounds.xmin, bounds.ymax, bounds.xmax]
        .iter()
        .all(|edge| edge.is_finite())
}

impl Scores {
    /// The scores of one prior's logits.
    fn of(self, logits: &[f32], scores: &mut [f32]) {
        match self {
            Self::Sigmoid => {
                for (score, logit) in scores.iter_mut().zip(logits) {
                    *score = 1.0 / (1.0 + (-logit).exp());
                }
            }
            Self::Softmax => {
                let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                for (score, logit) in scores.iter_mut().zip(logits) {
                    *score = (logit - highest).exp();
                }
                let sum: f32 = scores.iter().sum();
                scores.iter_mut().for_each(|score| *score /= sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIOR: CenterBox = CenterBox {
        cy: 0.5,
        cx: 0.5,
        h: 0.5,
        w: 0.5,
    };

    #[test]
    fn classes_are_suppressed_each_by_itself_and_background_is_none() {
        let priors = [PRIOR; 2];
        let logits = [
            9.0, 0.0, 2.0, // background is the surest
            9.0, 1.0, 1.0,
        ];
        let found = Postprocess::default().detections(&priors, &[0.0; 8], &logits);
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        let summary: Vec<_> = found.iter().map(|d| (d.class, d.score)).collect();
        assert_eq!(summary, [(2, sigmoid(2.0)), (1, sigmoid(1.0))]);
        assert_eq!(found[0].bounds, BoundingBox::new(0.25, 0.25, 0.75, 0.75));
    }

    #[test]
    fn a_softmax_shares_one_with_the_background() {
        let post = Postprocess {
            scores: Scores::Softmax,
            min_score: 0.2,
            ..Postprocess::default()
        };
        // ln 1, ln 3, ln 4.
        let logits = [0.0, 3_f32.ln(), 4_f32.ln()];
        let found = post.detections(&[PRIOR], &[0.0; 4], &logits);
        let expected = [(2, 0.5), (1, 0.375)];
        for (found, (class, score)) in found.iter().zip(expected) {
            assert_eq!(found.class, class);
            assert!((found.score - score).abs() < 1e-6);
        }
    }

    #[test]
    fn what_is_not_finite_is_no_detection() {
        let post = Postprocess::default();
        let logits = [0.0, f32::NAN, 5.0];
        assert_eq!(post.detections(&[PRIOR], &[0.0; 4], &logits).len(), 1);
        let boxes = [f32::NAN, 0.0, 0.0, 0.0];
        assert_eq!(post.detections(&[PRIOR], &boxes, &[0.0, 5.0]), []);
        let boxes = [0.0, 0.0, 1e9, 0.0];
        assert_eq!(post.detections(&[PRIOR], &boxes, &[0.0, 5.0]), []);
        assert_eq!(post.detections(&[], &[], &[]), []);
    }
}
