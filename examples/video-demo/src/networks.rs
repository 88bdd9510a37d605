//! What networks are to the demo.

use std::any::Any;

use thiserror::Error;
use video_demo_app::{Heat, Look, NetworkCard, Picture, Quantity, View};

/// The memories of networks, in a form that the same networks go on from on any device. Only they know it.
pub struct Memory(Box<dyn Any>);

impl Memory {
    /// Wraps what networks remember.
    pub fn new(memory: impl Any) -> Self {
        Self(Box::new(memory))
    }

    /// What networks remember, if they remember it in this form.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

/// Why networks do not run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The weights are not those of these networks.
    #[error("{0}")]
    Weights(String),
    /// The device cannot be used.
    #[error("{0}")]
    Device(String),
    /// The device failed.
    #[error("the device failed: {0}")]
    Failed(String),
    /// The networks look at other pictures.
    #[error("the networks look at {expected:?} grey pixels, not at {found:?}")]
    Picture {
        /// `[width, height]` that they look at.
        expected: [usize; 2],
        /// `[width, height]` that there is.
        found: [usize; 2],
    },
    /// A memory is that of other networks.
    #[error("the saved memory is that of other networks")]
    Memory,
}

/// Networks that look at the same video, on some device. They know nothing of where it comes from.
pub trait Networks {
    /// What they are, in their order.
    fn cards(&self) -> Vec<NetworkCard>;

    /// What can be shown of them as a heat map.
    fn quantities(&self) -> Vec<Quantity>;

    /// Has all of them look at the next frame of the video. Nobody has judged yet what they find, or counted it.
    ///
    /// # Errors
    ///
    /// If the device fails, or the picture is of another kind. Memories are as before then.
    fn look(&mut self, picture: &Picture, look: Look) -> Result<Vec<View>, NetworkError>;

    /// Another heat map of each network, as it was at the last frame.
    ///
    /// # Errors
    ///
    /// If the device fails.
    fn look_again(&mut self, look: Look) -> Result<Vec<Option<Heat>>, NetworkError>;

    /// Puts every memory at the start of a video.
    fn reset(&mut self);

    /// The memories as they are.
    ///
    /// # Errors
    ///
    /// If the device fails.
    fn memory(&self) -> Result<Memory, NetworkError>;

    /// Goes on from `memory`.
    ///
    /// # Errors
    ///
    /// If it is that of other networks.
    fn set_memory(&mut self, memory: &Memory) -> Result<(), NetworkError>;
}
