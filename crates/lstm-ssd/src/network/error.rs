//! What can be wrong with a configuration, or with a picture handed to a network.

use bottleneck_lstm::{ConfigError, ShapeError};
use thiserror::Error;

/// A configuration that describes no network, or a call that does not fit one.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A field is out of its range.
    #[error("{field} must be {expected}, found {found}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is legal.
        expected: &'static str,
        /// The value found.
        found: String,
    },
    /// A memory's own configuration is not legal.
    #[error("memory {map}: {source}")]
    Memory {
        /// The map it stands behind, from 0.
        map: usize,
        /// What is wrong with it.
        source: ConfigError,
    },
    /// A picture or a state of another shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A state with another number of memories.
    #[error("the state: expected {expected} memories, found {found}")]
    Memories {
        /// Memories of the network.
        expected: usize,
        /// Memories in the state.
        found: usize,
    },
    /// A frame that cannot be cut into patches.
    #[error("patches of {patch} pixels divide no frame of {} x {}", frame[0], frame[1])]
    Patch {
        /// The side of a patch.
        patch: usize,
        /// Height and width of the frame.
        frame: [usize; 2],
    },
    /// A sequence without frames.
    #[error("expected at least one frame, found none")]
    NoFrames,
}
