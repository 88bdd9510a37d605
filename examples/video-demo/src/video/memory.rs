//! Which memory the detector has.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use lstm_ssd::smoothing::{Smoothing, SmoothingError};

/// Which memory the detector has.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Memory {
    /// None: it looks at every frame by itself.
    None,
    /// One without learning.
    Smoothing(Smoothing),
    /// The trained one that comes with `lstm-ssd`, for the published weights; with others, none.
    #[default]
    Published,
    /// A trained one, in this file.
    Learned(PathBuf),
}

impl FromStr for Memory {
    type Err = SmoothingError;

    /// Of `none`, of `default`, of what [`Smoothing`] is read from, or else of a file's name.
    fn from_str(text: &str) -> Result<Self, SmoothingError> {
        let is_smoothing = ["hold:", "average:"]
            .iter()
            .any(|kind| text.starts_with(kind));
        match text {
            "none" => Ok(Self::None),
            "default" => Ok(Self::Published),
            _ if is_smoothing => text.parse().map(Self::Smoothing),
            file => Ok(Self::Learned(file.into())),
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Smoothing(smoothing) => smoothing.fmt(f),
            Self::Published => f.write_str("default"),
            Self::Learned(file) => file.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_written_as_they_are_read() {
        for text in [
            "none",
            "default",
            "hold:3,0.8",
            "average:0.3,0.7",
            "memory.safetensors",
        ] {
            let memory: Memory = text.parse().unwrap();
            assert_eq!(memory.to_string(), text);
        }
        assert!("hold:0".parse::<Memory>().is_err());
        assert_eq!("hold".parse(), Ok(Memory::Learned("hold".into())));
    }
}
