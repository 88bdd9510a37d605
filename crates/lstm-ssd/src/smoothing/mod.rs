//! Memories without learning, which a learned one has to beat: detections of earlier frames are held, or
//! averaged with those of this one.
//!
//! They know nothing of pictures, only what a detector saw in each, and are written as `hold:2,0.8` and
//! `average:0.3,0.7`.
//!
//! ```
//! use lstm_ssd::detection::{BoundingBox, Detection, Postprocess};
//! use lstm_ssd::smoothing::{Smoother, Smoothing};
//!
//! let smoothing: Smoothing = "hold:2,0.5".parse()?;
//! let mut smoother = Smoother::new(smoothing, Postprocess { min_score: 0.3, ..Postprocess::default() })?;
//! let seen = Detection { class: 1, score: 0.8, bounds: BoundingBox::new(0.1, 0.1, 0.5, 0.3) };
//! assert_eq!(smoother.next(vec![seen]), [seen]);
//! // A frame in which nothing is seen; then what is left of the score is too little.
//! assert_eq!(smoother.next(vec![]), [Detection { score: 0.4, ..seen }]);
//! assert_eq!(smoother.next(vec![]), []);
//! # Ok::<_, lstm_ssd::smoothing::SmoothingError>(())
//! ```

mod average;
mod hold;
mod kind;

pub use kind::{Smoothing, SmoothingError};

use average::Average;
use hold::Hold;

use crate::detection::{Detection, Postprocess};

/// A memory without learning, at work on a video.
#[derive(Debug, Clone)]
pub struct Smoother {
    memory: Memory,
    postprocess: Postprocess,
}

#[derive(Debug, Clone)]
enum Memory {
    Hold(Hold),
    Average(Average),
}

impl Smoother {
    /// Before the first frame of a video. What it gives is suppressed, and has a least score, as `postprocess`
    /// says.
    ///
    /// # Errors
    ///
    /// If a number of `smoothing` is out of its range.
    pub fn new(smoothing: Smoothing, postprocess: Postprocess) -> Result<Self, SmoothingError> {
        smoothing.validate()?;
        let memory = match smoothing {
            Smoothing::Hold { frames, decay } => Memory::Hold(Hold::new(frames, decay)),
            Smoothing::Average { boxes, scores } => Memory::Average(Average::new(boxes, scores)),
        };
        Ok(Self {
            memory,
            postprocess,
        })
    }

    /// What there is in the next frame, surest first, if `seen` is what a detector sees in it.
    pub fn next(&mut self, seen: Vec<Detection>) -> Vec<Detection> {
        let remembered = match &mut self.memory {
            Memory::Hold(hold) => hold.next(seen),
            Memory::Average(average) => average.next(seen, &self.postprocess),
        };
        self.postprocess.suppress(&remembered)
    }

    /// Forgets all, before another video.
    pub fn reset(&mut self) {
        match &mut self.memory {
            Memory::Hold(hold) => hold.reset(),
            Memory::Average(average) => average.reset(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::BoundingBox;

    fn smoother(text: &str) -> Smoother {
        let postprocess = Postprocess {
            min_score: 0.1,
            ..Postprocess::default()
        };
        Smoother::new(text.parse().unwrap(), postprocess).unwrap()
    }

    /// A box of height and width 2, `left` from the edge.
    fn seen(class: usize, score: f32, left: f32) -> Detection {
        Detection {
            class,
            score,
            bounds: BoundingBox::new(0.0, left, 2.0, left + 2.0),
        }
    }

    #[test]
    fn what_was_seen_is_held_as_long_as_asked() {
        let mut smoother = smoother("hold:2,0.5");
        assert_eq!(smoother.next(vec![seen(1, 0.8, 0.0)]), [seen(1, 0.8, 0.0)]);
        // Somewhere else, and of another class: both are there.
        let both = [seen(2, 0.6, 0.0), seen(1, 0.4, 0.0)];
        assert_eq!(smoother.next(vec![both[0]]), both);
        assert_eq!(
            smoother.next(vec![]),
            [seen(2, 0.3, 0.0), seen(1, 0.2, 0.0)]
        );
        // The first one's time is over.
        assert_eq!(smoother.next(vec![]), [seen(2, 0.15, 0.0)]);
        assert_eq!(smoother.next(vec![]), []);
    }

    #[test]
    fn what_is_seen_anew_takes_the_place_of_what_is_held() {
        let mut smoother = smoother("hold:3");
        smoother.next(vec![seen(1, 0.5, 0.0)]);
        // As sure, and newer.
        let moved = [seen(1, 0.5, 0.25)];
        assert_eq!(smoother.next(moved.to_vec()), moved);
        // Less sure: what is held wins.
        assert_eq!(smoother.next(vec![seen(1, 0.4, 0.0)]), moved);
    }

    #[test]
    fn boxes_and_scores_are_averaged_each_by_its_own_share() {
        let mut smoother = smoother("average:0.5,0.75");
        // What is new counts as it is.
        let first = seen(1, 0.75, 0.0);
        assert_eq!(smoother.next(vec![first]), [first]);
        let moved = seen(1, 0.25, 0.5);
        assert_eq!(smoother.next(vec![moved]), [seen(1, 0.625, 0.25)]);
        // Unseen it fades, where it was.
        assert_eq!(smoother.next(vec![]), [seen(1, 0.468_75, 0.25)]);
        // Another class, and too far away: new ones both.
        let new = [seen(2, 0.875, 0.25), seen(1, 0.125, 2.0)];
        let faded = seen(1, 0.75 * 0.468_75, 0.25);
        assert_eq!(smoother.next(new.to_vec()), [new[0], faded, new[1]]);
    }

    #[test]
    fn the_surest_is_matched_first_with_what_it_overlaps_most() {
        let mut smoother = smoother("average:0.5");
        smoother.next(vec![seen(1, 0.75, 0.0), seen(1, 0.5, 1.3125)]);
        // Both overlap the first one most; the less sure one has to take the other.
        let found = smoother.next(vec![seen(1, 0.5, 0.125), seen(1, 0.25, 0.625)]);
        assert_eq!(found, [seen(1, 0.625, 0.0625), seen(1, 0.375, 0.96875)]);
    }

    #[test]
    fn another_video_begins_anew() {
        for text in ["hold:5,0.9", "average:0.5"] {
            let mut smoother = smoother(text);
            smoother.next(vec![seen(1, 0.8, 0.0)]);
            smoother.reset();
            assert_eq!(smoother.next(vec![]), [], "{text}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let hold = Smoothing::Hold {
            frames: 0,
            decay: 1.0,
        };
        assert!(Smoother::new(hold, Postprocess::default()).is_err());
    }
}
