//! Detections averaged with those of the same object before.

use crate::detection::{BoundingBox, Detection, Postprocess};

/// The least overlap at which a detection is of the same object as one before.
const SAME: f32 = 0.4;

/// The overlap above which two averages are one, which is more than that at which detections are: two people who
/// pass each other are to come out as two.
const ONE: f32 = 0.6;

/// Moving averages of detections.
#[derive(Debug, Clone)]
pub(super) struct Average {
    boxes: f32,
    scores: f32,
    averages: Vec<Detection>,
}

impl Average {
    pub(super) fn new(boxes: f32, scores: f32) -> Self {
        Self {
            boxes,
            scores,
            averages: Vec::new(),
        }
    }

    /// The averages with what is seen, which is surest first: so they are matched, each with the one that it
    /// overlaps most of those left.
    pub(super) fn next(
        &mut self,
        seen: Vec<Detection>,
        postprocess: &Postprocess,
    ) -> Vec<Detection> {
        let mut before = std::mem::take(&mut self.averages);
        let mut averages: Vec<Detection> = seen
            .into_iter()
            .map(|detection| match same(&before, &detection) {
                Some(index) => self.mix(&before.remove(index), &detection),
                None => detection,
            })
            .collect();
        averages.extend(before.into_iter().map(|unseen| Detection {
            score: self.scores * unseen.score,
            ..unseen
        }));
        let apart = Postprocess {
            iou_threshold: ONE,
            ..*postprocess
        };
        self.averages = apart.suppress(&averages);
        self.averages.clone()
    }

    pub(super) fn reset(&mut self) {
        self.averages.clear();
    }

    fn mix(&self, before: &Detection, now: &Detection) -> Detection {
        let mix = |share: f32, before: f32, now: f32| share * before + (1.0 - share) * now;
        let edge = |edge: fn(&BoundingBox) -> f32| {
            mix(self.boxes, edge(&before.bounds), edge(&now.bounds))
        };
        Detection {
            class: now.class,
            score: mix(self.scores, before.score, now.score),
            bounds: BoundingBox {
                ymin: edge(|bounds| bounds.ymin),
                xmin: edge(|bounds| bounds.xmin),
                ymax: edge(|bounds| bounds.ymax),
                xmax: edge(|bounds| bounds.xmax),
            },
        }
    }
}

/// The one of the same object, if there is one.
fn same(before: &[Detection], now: &Detection) -> Option<usize> {
    let overlap = |index: usize| before[index].bounds.iou(&now.bounds);
    (0..before.len())
        .filter(|index| before[*index].class == now.class && overlap(*index) >= SAME)
        .max_by(|a, b| overlap(*a).total_cmp(&overlap(*b)))
}
