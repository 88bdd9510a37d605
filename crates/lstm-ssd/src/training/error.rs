//! What can go wrong in a training.

use std::path::{Path, PathBuf};

use burn::record::RecorderError;
use thiserror::Error;

use crate::network::{NetworkError, RunnerError};
use crate::video::VideoError;

/// A training that cannot begin or go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// A video or a picture cannot be read.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// There is nothing to learn from.
    #[error("expected videos or pictures to learn from, found none")]
    NoFootage,
    /// A setting is out of its range.
    #[error("{setting}: expected {expected}, found {found}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What is legal.
        expected: &'static str,
        /// The value.
        found: String,
    },
    /// A file or folder cannot be read, written or removed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder holds files that are no cache's.
    #[error("{}: expected a cache, or an empty folder, found other files", folder.display())]
    NoCache {
        /// The folder.
        folder: PathBuf,
    },
    /// A file of the cache is not what was written to it.
    #[error("{}: expected maps of a clip, found {found}; without the file it is made anew", path.display())]
    Maps {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// The detector cannot be run on the CPU.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// The memory's configuration is not legal.
    #[error(transparent)]
    Memory(#[from] NetworkError),
    /// The training diverged.
    #[error("the loss is not finite in iteration {iteration}: a smaller learning rate may help")]
    Diverged {
        /// The iteration, from 1.
        iteration: usize,
    },
    /// A checkpoint is none.
    #[error("{}: expected a checkpoint: {source}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RecorderError,
    },
    /// A checkpoint is of another training.
    #[error(
        "{}: the checkpoint is of a training with other settings, footage or weights", path.display()
    )]
    OtherTraining {
        /// The file.
        path: PathBuf,
    },
}

impl TrainingError {
    pub(super) fn io(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}
