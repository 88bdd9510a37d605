//! Which memory a detector has.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, anyhow};
use lstm_ssd::smoothing::{Smoothing, SmoothingError};

/// Which memory a detector has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Memory {
    /// None: it looks at every frame by itself.
    None,
    /// One without learning.
    Smoothing(Smoothing),
}

impl FromStr for Memory {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "none" {
            return Ok(Self::None);
        }
        match text.parse() {
            Ok(smoothing) => Ok(Self::Smoothing(smoothing)),
            // Of a memory, there is one more form.
            Err(SmoothingError::Form { .. }) => Err(anyhow!(
                "expected none, hold:FRAMES,DECAY or average:BOXES,SCORES"
            )),
            Err(error) => Err(error.into()),
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Smoothing(smoothing) => smoothing.fmt(f),
        }
    }
}
