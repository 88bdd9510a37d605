//! Which memory the detector has.

use std::fmt;
use std::str::FromStr;

use lstm_ssd::smoothing::{Smoothing, SmoothingError};

/// Which memory the detector has.
#[derive(Debug, Clone, PartialEq)]
pub enum Memory {
    /// None: it looks at every frame by itself.
    None,
    /// One without learning.
    Smoothing(Smoothing),
}

impl Default for Memory {
    fn default() -> Self {
        Self::Smoothing(Smoothing::Hold {
            frames: 3,
            decay: 0.8,
        })
    }
}

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        match text.parse() {
            Ok(smoothing) => Ok(Self::Smoothing(smoothing)),
            // Of a memory, there is one more form.
            Err(SmoothingError::Form { .. }) => {
                Err("expected none, hold:FRAMES,DECAY or average:BOXES,SCORES".to_owned())
            }
            Err(error) => Err(error.to_string()),
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
