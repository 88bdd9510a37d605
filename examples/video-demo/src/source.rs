//! What a video is to the demo.

use std::sync::Arc;

use thiserror::Error;
use video_demo_app::{Found, Picture, SourceCard, Step, Tally};

/// A frame of a video on its way to the networks.
#[derive(Debug, Clone, PartialEq)]
pub struct Still {
    /// Its number in the video, from 0.
    pub number: u64,
    /// Whether the video was over on the way to it, and began again.
    pub looped: bool,
    /// The frame, damaged or not.
    pub picture: Arc<Picture>,
    /// What happened to it, if anything.
    pub damage: Option<String>,
    /// What is there, if anybody knows.
    pub truth: Vec<Found>,
}

/// Why there is no frame.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// A video that can be damaged. It knows nothing of networks.
pub trait Source {
    /// What it is, and how it can be damaged.
    fn card(&self) -> SourceCard;

    /// Goes on by `step.advance` frames, and damages the last of them as the knobs say.
    ///
    /// # Errors
    ///
    /// If the video cannot be read, or is over.
    fn next(&mut self, step: &Step) -> Result<Still, SourceError>;

    /// Goes back to the start of the video.
    fn restart(&mut self);

    /// Goes to the start of another video, or of the same one if there is no other.
    fn next_video(&mut self);

    /// Says of everything that was found in `still` whether it is there, and counts. Nothing is counted where
    /// nobody knows the truth, or where the frame does not count.
    fn judge(&self, still: &Still, found: &mut [Found]) -> Option<Tally>;
}
