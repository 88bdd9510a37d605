//! What can go wrong with a video.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A video that cannot be read, or not from some frame on.
#[derive(Debug, Error)]
pub struct VideoError {
    /// The file or folder.
    pub path: PathBuf,
    /// The frame that could not be read, from 1. None where the video could not be opened.
    pub frame: Option<usize>,
    /// What is wrong.
    #[source]
    pub fault: VideoFault,
}

impl VideoError {
    pub(super) fn new(path: &Path, frame: Option<usize>, fault: VideoFault) -> Self {
        Self {
            path: path.to_owned(),
            frame,
            fault,
        }
    }
}

impl fmt::Display for VideoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        match self.frame {
            Some(frame) => write!(f, ", frame {frame}"),
            None => Ok(()),
        }
    }
}

/// What is wrong with a video.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VideoFault {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file contradicts its own format, as a damaged or truncated one does.
    #[error("{at}: expected {expected}, found {found}")]
    Malformed {
        /// Where in the file.
        at: &'static str,
        /// What belongs there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A picture cannot be decoded.
    #[error("cannot be decoded: {0}")]
    Decode(String),
    /// There is no picture at all.
    #[error("expected at least one frame, found none")]
    Empty,
    /// A picture is larger than any that is read, or has no pixel.
    #[error("expected 1 to {limit} pixels a side, found {} by {}", found[0], found[1])]
    Size {
        /// The longest side that is read.
        limit: usize,
        /// `[width, height]` found.
        found: [usize; 2],
    },
    /// A picture has another size than those before it.
    #[error("expected {} by {} pixels as before, found {} by {}", expected[0], expected[1], found[0], found[1])]
    SizeChanged {
        /// `[width, height]` of the pictures before.
        expected: [usize; 2],
        /// `[width, height]` found.
        found: [usize; 2],
    },
    /// What the file holds is read through ffmpeg alone, and there is no ffmpeg.
    #[error("found {found}, which only ffmpeg reads, and no `{program}` was found on the PATH")]
    FfmpegMissing {
        /// What the file holds.
        found: String,
        /// The program looked for.
        program: String,
    },
    /// ffmpeg gave up.
    #[error("found {found}, and ffmpeg cannot read it: {message}")]
    Ffmpeg {
        /// What the file holds.
        found: String,
        /// What ffmpeg says.
        message: String,
    },
}

impl VideoFault {
    pub(super) fn malformed(
        at: &'static str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Malformed {
            at,
            expected: expected.into(),
            found: found.into(),
        }
    }
}
