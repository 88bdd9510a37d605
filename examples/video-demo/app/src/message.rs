//! What the app asks for, and what it is told.

use std::path::PathBuf;

use crate::description::{Compute, Description};
use crate::seen::{Heat, Look, Shown};

/// What the app asks its front door for. Requests are done in their order.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Run the networks on a frame. Answered by [`Event::Shown`] or [`Event::Problem`]; the app asks for no other
    /// frame before it is.
    Step(Step),
    /// Look at the networks as they were at the last frame, and show another heat map. Answered by [`Event::Looked`].
    Look(Look),
    /// Go back to the start of the video, with memories as at a start.
    Restart,
    /// Go on with another video, with memories as at a start.
    NextVideo,
    /// Reset the memories, and nothing else.
    ResetMemory,
    /// Remember the memories as they are.
    SaveMemory,
    /// Go on with the memories that were saved.
    RestoreMemory,
    /// Compute on another device.
    Compute(Compute),
    /// Use the weights that the program came with.
    OwnWeights,
    /// Show the viewer's video at this place. Answered by [`Event::Opened`] or [`Event::Problem`], after which all is
    /// as before.
    Open(PathBuf),
    /// Show the video that the program came with, as [`Open`](Self::Open) does.
    OwnVideo,
}

/// The frame that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// How many frames the video goes on, at least 1. Only the last of them is looked at; the others are dropped.
    pub advance: u64,
    /// Whether the frame is lost on its way: the networks get to see nothing.
    pub lost: bool,
    /// A value for each knob of the source.
    pub knobs: Vec<f32>,
    /// What the random numbers of damages come of, where the source lets the viewer choose.
    pub seed: u64,
    /// What to show as a heat map.
    pub look: Look,
}

/// What the front door tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// There is something to see, or it is seen otherwise now.
    Ready(Description),
    /// There is another video to see, from its start.
    Opened(Description),
    /// The frame that was asked for.
    Shown(Box<Shown>),
    /// Another heat map of each network at the frame on screen.
    Looked(Vec<Option<Heat>>),
    /// Something that was asked for is done.
    Did(Deed),
    /// Something went wrong, and it goes on.
    Problem(Problem),
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// The video is at its start.
    Restarted,
    /// Another video is.
    NextVideo,
    /// The video was over, and is at its start again, with memories as at a start.
    Looped,
    /// The memories are reset.
    MemoryReset,
    /// They are saved.
    MemorySaved,
    /// They are as they were saved.
    MemoryRestored,
}

/// What went wrong, and ways on.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// What went wrong, in a sentence or two.
    pub what: String,
    /// What the viewer can do, beside going on.
    pub offers: Vec<Offer>,
    /// Whether frames cannot be had until an offer is taken.
    pub stuck: bool,
}

/// A way on.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// What it says on the button.
    pub label: String,
    /// What to ask for.
    pub request: Request,
}
