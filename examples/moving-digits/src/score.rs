//! How well detections match the truth.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::clip::Clip;
use crate::detection::{Belief, Detection};
use crate::video::Object;

/// Frames at the start of a clip that are not counted: no memory can know yet what it has not seen.
pub const WARM_UP: usize = 2;

/// Thresholds to choose from.
const THRESHOLDS: std::ops::RangeInclusive<u32> = 1..=47;

/// Counts of detections and objects, and how many of them belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Detections that match an object.
    pub matched: usize,
    /// Detections.
    pub detections: usize,
    /// Objects.
    pub objects: usize,
}

impl Tally {
    /// The tally of one frame.
    pub fn of(detections: &[Detection], objects: &[Object]) -> Self {
        Self {
            matched: matches(detections, objects).iter().flatten().count(),
            detections: detections.len(),
            objects: objects.len(),
        }
    }

    /// The harmonic mean of precision and recall; 0 where nothing is counted.
    pub fn f1(self) -> f64 {
        let total = self.detections + self.objects;
        if total == 0 {
            0.0
        } else {
            (2 * self.matched) as f64 / total as f64
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.matched += other.matched;
        self.detections += other.detections;
        self.objects += other.objects;
    }
}

/// Tallies of frames as they were and of those that were damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Score {
    /// Undamaged frames.
    pub clean: Tally,
    /// Damaged frames.
    pub damaged: Tally,
}

impl Score {
    /// The score of what a model sees in each frame of each clip.
    pub fn of(seen: &[Vec<Vec<Detection>>], clips: &[Clip]) -> Self {
        let mut score = Self::default();
        for (clip, seen) in clips.iter().zip(seen) {
            let frames = seen.iter().zip(&clip.truth).zip(&clip.damage).skip(WARM_UP);
            for ((detections, objects), damage) in frames {
                let tally = if damage.is_some() {
                    &mut score.damaged
                } else {
                    &mut score.clean
                };
                *tally += Tally::of(detections, objects);
            }
        }
        score
    }

    /// F1 of all frames.
    pub fn f1(mut self) -> f64 {
        self.clean += self.damaged;
        self.clean.f1()
    }
}

/// For each detection the object that it finds: at most one each, of the same class, with the
/// centre in the same or a neighbouring cell; as many pairs as possible.
pub fn matches(detections: &[Detection], objects: &[Object]) -> Vec<Option<usize>> {
    // Surer detections choose first, which changes nothing in the number of pairs.
    let mut order: Vec<usize> = (0..detections.len()).collect();
    order.sort_by(|a, b| detections[*b].score.total_cmp(&detections[*a].score));
    let mut found_by = vec![None; objects.len()];
    for detection in order {
        let mut tried = vec![false; objects.len()];
        claim(detection, detections, objects, &mut found_by, &mut tried);
    }
    let mut matches = vec![None; detections.len()];
    for (object, detection) in found_by.iter().enumerate() {
        if let Some(detection) = detection {
            matches[*detection] = Some(object);
        }
    }
    matches
}

/// Finds an object for a detection, making others give way to another object where they can
/// (Kuhn's algorithm).
fn claim(
    detection: usize,
    detections: &[Detection],
    objects: &[Object],
    found_by: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for object in 0..objects.len() {
        if tried[object] || !agrees(&detections[detection], &objects[object]) {
            continue;
        }
        tried[object] = true;
        let free = match found_by[object] {
            None => true,
            Some(other) => claim(other, detections, objects, found_by, tried),
        };
        if free {
            found_by[object] = Some(detection);
            return true;
        }
    }
    false
}

fn agrees(detection: &Detection, object: &Object) -> bool {
    let near = detection
        .cell
        .iter()
        .zip(object.cell())
        .all(|(a, b)| a.abs_diff(b) <= 1);
    near && detection.class == object.class
}

/// What a model sees in each frame of each clip, from what it believes.
pub fn detect(beliefs: &[Vec<Belief>], threshold: f32) -> Vec<Vec<Vec<Detection>>> {
    let frames = |clip: &Vec<Belief>| clip.iter().map(|b| b.detections(threshold)).collect();
    beliefs.iter().map(frames).collect()
}

/// The threshold with the best F1 of all frames, clean and damaged, and the score with it.
pub fn choose_threshold(beliefs: &[Vec<Belief>], clips: &[Clip]) -> (f32, Score) {
    best_threshold(|threshold| Score::of(&detect(beliefs, threshold), clips))
}

/// The threshold at which `score` is best, the lowest of several, and that score.
pub(crate) fn best_threshold(score: impl Fn(f32) -> Score) -> (f32, Score) {
    let scores = THRESHOLDS
        .map(|step| step as f32 / 50.0)
        .map(|at| (at, score(at)));
    let best = scores.reduce(|best, next| {
        if next.1.f1() > best.1.f1() {
            next
        } else {
            best
        }
    });
    best.expect("there are thresholds")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damage::Damage;
    use crate::frame::Frame;
    use crate::video::{CELL, MAP};

    fn detection(class: u8, row: usize, column: usize) -> Detection {
        Detection {
            class,
            cell: [row, column],
            score: 0.5,
        }
    }

    fn object(class: u8, row: usize, column: usize) -> Object {
        Object {
            class,
            center: [row, column].map(|cell| (cell * CELL) as f32 + 1.0),
        }
    }

    fn matched(detections: &[Detection], objects: &[Object]) -> usize {
        Tally::of(detections, objects).matched
    }

    #[test]
    fn a_match_is_of_the_same_class_and_within_one_cell() {
        assert_eq!(matched(&[detection(3, 4, 4)], &[object(3, 4, 4)]), 1);
        assert_eq!(matched(&[detection(3, 5, 3)], &[object(3, 4, 4)]), 1);
        assert_eq!(matched(&[detection(3, 4, 6)], &[object(3, 4, 4)]), 0);
        assert_eq!(matched(&[detection(8, 4, 4)], &[object(3, 4, 4)]), 0);
        assert_eq!(matched(&[], &[object(3, 4, 4)]), 0);
        assert_eq!(matched(&[detection(3, 4, 4)], &[]), 0);
    }

    #[test]
    fn matching_is_one_to_one() {
        // Two detections of one object: one of them is wrong.
        let twice = [detection(3, 4, 4), detection(3, 4, 5)];
        let tally = Tally::of(&twice, &[object(3, 4, 4), object(7, 0, 0)]);
        assert_eq!(
            tally,
            Tally {
                matched: 1,
                detections: 2,
                objects: 2
            }
        );
        assert_eq!(tally.f1(), 0.5);
        // One detection between two objects finds one of them.
        assert_eq!(
            matched(&[detection(3, 4, 4)], &[object(3, 4, 3), object(3, 4, 5)]),
            1
        );
    }

    #[test]
    fn as_many_pairs_as_possible_are_found() {
        // The first detection may take either object, the second only the first one.
        let objects = [object(3, 4, 4), object(3, 4, 5)];
        let detections = [detection(3, 4, 4), detection(3, 4, 3)];
        assert_eq!(matched(&detections, &objects), 2);
        assert_eq!(matches(&detections, &objects), [Some(1), Some(0)]);
    }

    #[test]
    fn a_surer_detection_keeps_its_object() {
        let sure = Detection {
            score: 0.9,
            ..detection(3, 4, 5)
        };
        let found = matches(&[detection(3, 4, 4), sure], &[object(3, 4, 4)]);
        assert_eq!(found, [None, Some(0)]);
    }

    #[test]
    fn f1_is_the_harmonic_mean_of_precision_and_recall() {
        let tally = Tally {
            matched: 3,
            detections: 4,
            objects: 6,
        };
        let (precision, recall) = (3.0 / 4.0, 3.0 / 6.0);
        let mean = 2.0 * precision * recall / (precision + recall);
        assert!((tally.f1() - mean).abs() < 1e-12);
        assert_eq!(Tally::default().f1(), 0.0);
    }

    #[test]
    fn the_first_frames_are_left_out_and_damage_is_told_apart() {
        let truth = [object(3, 4, 4), object(7, 0, 0)];
        let clip = Clip {
            frames: vec![Frame::black(); 4],
            truth: vec![truth; 4],
            damage: vec![None, Some(Damage::Blank), Some(Damage::Blank), None],
        };
        let both = vec![detection(3, 4, 4), detection(7, 0, 0)];
        let seen = vec![vec![vec![], vec![], vec![detection(3, 4, 4)], both]];
        let score = Score::of(&seen, &[clip]);
        assert_eq!(
            score.damaged,
            Tally {
                matched: 1,
                detections: 1,
                objects: 2
            }
        );
        assert_eq!(
            score.clean,
            Tally {
                matched: 2,
                detections: 2,
                objects: 2
            }
        );
        assert!((score.f1() - 6.0 / 7.0).abs() < 1e-12);
    }

    #[test]
    fn the_threshold_with_the_best_score_is_chosen() {
        // Right with .6, wrong with .3: any threshold between the two is best, and the lowest of
        // these is .32.
        let mut probabilities = vec![0.0; Belief::LEN];
        probabilities[(1 + 3) * MAP * MAP + 4 * MAP + 4] = 0.6;
        probabilities[(1 + 5) * MAP * MAP] = 0.3;
        let beliefs = vec![vec![Belief::new(probabilities); WARM_UP + 1]];
        let clip = Clip {
            frames: vec![Frame::black(); WARM_UP + 1],
            truth: vec![[object(3, 4, 4), object(7, 7, 7)]; WARM_UP + 1],
            damage: vec![None; WARM_UP + 1],
        };
        let (threshold, score) = choose_threshold(&beliefs, &[clip]);
        assert_eq!(threshold, 0.32);
        assert_eq!(
            score.clean,
            Tally {
                matched: 1,
                detections: 1,
                objects: 2
            }
        );
    }
}
