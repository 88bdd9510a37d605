//! What was seen lately is seen still.

use std::collections::VecDeque;

use crate::detection::Detection;

/// The detections of the last frames, latest first.
#[derive(Debug, Clone)]
pub(super) struct Hold {
    frames: usize,
    decay: f32,
    past: VecDeque<Vec<Detection>>,
}

impl Hold {
    pub(super) fn new(frames: usize, decay: f32) -> Self {
        Self {
            frames,
            decay,
            past: VecDeque::new(),
        }
    }

    /// What is seen, and all that was, as sure as it still is.
    pub(super) fn next(&mut self, seen: Vec<Detection>) -> Vec<Detection> {
        // Of equal scores, suppression keeps the first: the newest.
        let mut all = seen.clone();
        let mut left = 1.0;
        for past in &self.past {
            left *= self.decay;
            all.extend(past.iter().map(|detection| Detection {
                score: detection.score * left,
                ..*detection
            }));
        }
        self.past.truncate(self.frames - 1);
        self.past.push_front(seen);
        all
    }

    pub(super) fn reset(&mut self) {
        self.past.clear();
    }
}
