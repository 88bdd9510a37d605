//! The memory that needs no learning: hold the last prediction.

use serde::{Deserialize, Serialize};

use crate::clip::Clip;
use crate::detection::{Belief, Detection};
use crate::score::{Score, best_threshold, detect};

/// Numbers of frames to choose from; the last is longer than any clip.
const FRAMES: [usize; 9] = [0, 1, 2, 3, 4, 6, 8, 12, 1000];

/// Repeats what the network without memory saw last, for a while, when it sees nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// How sure the network must be.
    pub threshold: f32,
    /// Frames that a prediction is held for.
    pub frames: usize,
}

impl Hold {
    /// The threshold and the number of frames with the best F1 of all frames, clean and damaged,
    /// and the score with them.
    pub fn choose(beliefs: &[Vec<Belief>], clips: &[Clip]) -> (Self, Score) {
        let candidates = FRAMES.map(|frames| {
            let score = |threshold| {
                let hold = Self { threshold, frames };
                Score::of(&hold.apply(beliefs), clips)
            };
            let (threshold, score) = best_threshold(score);
            (Self { threshold, frames }, score)
        });
        let best = candidates.into_iter().reduce(|best, next| {
            if next.1.f1() > best.1.f1() {
                next
            } else {
                best
            }
        });
        best.expect("there are candidates")
    }

    /// What it sees in each frame of each clip, from what the network without memory believes.
    pub fn apply(self, beliefs: &[Vec<Belief>]) -> Vec<Vec<Vec<Detection>>> {
        let mut seen = detect(beliefs, self.threshold);
        seen.iter_mut().for_each(|clip| self.fill(clip));
        seen
    }

    fn fill(self, clip: &mut [Vec<Detection>]) {
        let mut last: Option<usize> = None;
        for frame in 0..clip.len() {
            if !clip[frame].is_empty() {
                last = Some(frame);
            } else if let Some(last) = last
                && frame - last <= self.frames
            {
                clip[frame] = clip[last].clone();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_prediction_is_held_for_so_many_frames() {
        let seen = |class| {
            vec![Detection {
                class,
                cell: [0, 0],
                score: 0.5,
            }]
        };
        let mut clip = [vec![], seen(1), vec![], vec![], vec![], seen(2), vec![]];
        Hold {
            threshold: 0.5,
            frames: 2,
        }
        .fill(&mut clip);
        assert_eq!(
            clip,
            [vec![], seen(1), seen(1), seen(1), vec![], seen(2), seen(2)]
        );
    }
}
