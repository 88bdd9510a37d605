//! Average precision: how well detections and truths agree, whatever the least score.

use super::BoundingBox;

/// The ten overlaps over which COCO takes the mean, 0.5 to 0.95.
pub const COCO_THRESHOLDS: [f32; 10] = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95];

/// An object that is really there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truth {
    /// Where.
    pub bounds: BoundingBox,
    /// Whether it is to be left out: to see it is no gain, and to miss it no loss.
    pub ignored: bool,
}

/// The average precision of one class over many frames: the area under the curve of precision over
/// recall, at every point of it, where precision never rises with recall (Everingham et al., *The
/// PASCAL VOC challenge: a retrospective*, 2015, section 2.3).
///
/// Detections are matched with truths as COCO's own tool does: in each frame, surest first, each
/// takes the truth that it overlaps most of those that no surer one took.
///
/// ```
/// use lstm_ssd::detection::{AveragePrecision, BoundingBox, Truth};
///
/// let bounds = BoundingBox::new(10.0, 10.0, 50.0, 30.0);
/// let mut precision = AveragePrecision::new();
/// precision.add_frame(&[Truth { bounds, ignored: false }], &[(bounds, 0.9)]);
/// assert_eq!(precision.at(0.5), Some(1.0));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AveragePrecision {
    frames: Vec<Frame>,
}

#[derive(Debug, Clone, PartialEq)]
struct Frame {
    /// Those that count first.
    truths: Vec<Truth>,
    /// Surest first.
    detections: Vec<(BoundingBox, f32)>,
}

impl AveragePrecision {
    /// Over no frames yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a frame: all objects of the class, and all detections with their scores.
    pub fn add_frame(&mut self, truths: &[Truth], detections: &[(BoundingBox, f32)]) {
        let mut truths = truths.to_vec();
        truths.sort_by_key(|truth| truth.ignored);
        let mut detections = detections.to_vec();
        detections.sort_by(|a, b| b.1.total_cmp(&a.1));
        self.frames.push(Frame { truths, detections });
    }

    /// Frames added.
    pub fn frames(&self) -> usize {
        self.frames.len()
    }

    /// Objects that count, in all frames.
    pub fn objects(&self) -> usize {
        let counted = |frame: &Frame| frame.truths.iter().filter(|truth| !truth.ignored).count();
        self.frames.iter().map(counted).sum()
    }

    /// Detections in all frames.
    pub fn detections(&self) -> usize {
        self.frames.iter().map(|frame| frame.detections.len()).sum()
    }

    /// The average precision where a detection has to overlap its truth by `iou` at least, from 0
    /// to 1. None if there is no object that counts.
    pub fn at(&self, iou: f32) -> Option<f64> {
        let objects = self.objects();
        if objects == 0 {
            return None;
        }
        let mut outcomes: Vec<(f32, bool)> = Vec::new();
        for frame in &self.frames {
            frame.outcomes(iou, &mut outcomes);
        }
        // Stable: equal scores stay in the order of frames.
        outcomes.sort_by(|a, b| b.0.total_cmp(&a.0));

        let mut precisions = Vec::with_capacity(objects);
        let mut hits = 0;
        for (index, (_, hit)) in outcomes.iter().enumerate() {
            if *hit {
                hits += 1;
                precisions.push(hits as f64 / (index + 1) as f64);
            }
        }
        // Recall rises by the same step with every hit.
        let mut area = 0.0;
        let mut highest = 0.0_f64;
        for precision in precisions.into_iter().rev() {
            highest = highest.max(precision);
            area += highest;
        }
        Some(area / objects as f64)
    }

    /// The mean over [`COCO_THRESHOLDS`], from 0 to 1. None if there is no object that counts.
    pub fn mean(&self) -> Option<f64> {
        let sum: Option<f64> = COCO_THRESHOLDS.iter().map(|iou| self.at(*iou)).sum();
        Some(sum? / COCO_THRESHOLDS.len() as f64)
    }
}

impl Frame {
    /// Adds each detection's score, and whether it hit an object. Those that hit one which is left
    /// out are left out.
    fn outcomes(&self, iou: f32, outcomes: &mut Vec<(f32, bool)>) {
        let mut taken = vec![false; self.truths.len()];
        for (bounds, score) in &self.detections {
            let mut best: Option<(usize, f32)> = None;
            for (index, truth) in self.truths.iter().enumerate() {
                if taken[index] {
                    continue;
                }
                // One that counts is taken before all that are left out.
                if let Some((other, _)) = best
                    && truth.ignored
                    && !self.truths[other].ignored
                {
                    break;
                }
                let overlap = bounds.iou(&truth.bounds);
                if overlap >= best.map_or(iou, |(_, overlap)| overlap) {
                    best = Some((index, overlap));
                }
            }
            match best {
                Some((index, _)) => {
                    taken[index] = true;
                    if !self.truths[index].ignored {
                        outcomes.push((*score, true));
                    }
                }
                None => outcomes.push((*score, false)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(xmin: f32, ignored: bool) -> Truth {
        Truth {
            bounds: BoundingBox::new(0.0, xmin, 1.0, xmin + 1.0),
            ignored,
        }
    }

    fn seen(xmin: f32, score: f32) -> (BoundingBox, f32) {
        (object(xmin, false).bounds, score)
    }

    #[test]
    fn the_area_under_the_envelope_by_hand() {
        let mut precision = AveragePrecision::new();
        // In the order of scores: hit, miss, hit, hit, miss; a fourth object is never seen.
        precision.add_frame(
            &[object(0.0, false), object(5.0, false)],
            &[seen(0.0, 0.9), seen(20.0, 0.8), seen(5.0, 0.7)],
        );
        precision.add_frame(
            &[object(0.0, false), object(5.0, false)],
            &[seen(30.0, 0.1), seen(0.0, 0.6)],
        );
        // Precisions 1, 2/3, 3/4 at the hits; the envelope is 1, 3/4, 3/4.
        let expected = (1.0 + 0.75 + 0.75) / 4.0;
        assert!((precision.at(0.5).unwrap() - expected).abs() < 1e-12);
        assert!((precision.mean().unwrap() - expected).abs() < 1e-12);
        let counts = [
            precision.frames(),
            precision.objects(),
            precision.detections(),
        ];
        assert_eq!(counts, [2, 4, 5]);
    }

    #[test]
    fn the_second_detection_of_an_object_is_a_miss() {
        let mut precision = AveragePrecision::new();
        precision.add_frame(&[object(0.0, false)], &[seen(0.0, 0.9), seen(0.1, 0.95)]);
        // The surer one overlaps by 9/11, which is a hit at 0.5, and a miss at 0.9.
        assert_eq!(precision.at(0.5), Some(1.0));
        assert_eq!(precision.at(0.9), Some(0.5));
    }

    #[test]
    fn objects_that_are_left_out_are_neither_gain_nor_loss() {
        let mut precision = AveragePrecision::new();
        precision.add_frame(
            &[object(0.0, true), object(5.0, false)],
            &[seen(0.0, 0.9), seen(5.0, 0.5)],
        );
        assert_eq!(precision.at(0.5), Some(1.0));
        assert_eq!(precision.objects(), 1);
    }

    #[test]
    fn without_objects_there_is_no_precision() {
        let mut precision = AveragePrecision::new();
        precision.add_frame(&[object(0.0, true)], &[seen(3.0, 0.5)]);
        assert_eq!(precision.at(0.5), None);
        assert_eq!(precision.mean(), None);
        precision.add_frame(&[object(0.0, false)], &[]);
        assert_eq!(precision.at(0.5), Some(0.0));
    }
}
