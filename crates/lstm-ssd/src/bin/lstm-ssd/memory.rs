//! Which memory a detector has.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use burn::tensor::backend::Backend;
use lstm_ssd::Detector;
use lstm_ssd::network::{self, MemoryCard, MemoryFileError};
use lstm_ssd::smoothing::{Smoothing, SmoothingError};

/// What else there is.
const FORMS: &str = "expected none, hold:FRAMES,DECAY, average:BOXES,SCORES, picture:DECAY, features:DECAY or a file";

/// Which memory a detector has.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Memory {
    /// None: it looks at every frame by itself.
    None,
    /// One without learning.
    Smoothing(Smoothing),
    /// The moving average of the picture that a learned one sees before the detector does, of which the frames before
    /// have this share.
    Picture(f64),
    /// The moving average of the map that a learned one stands behind, of which the frames before have this share.
    Features(f64),
    /// The one that comes with the program, for the published weights; with others, none.
    #[default]
    Published,
    /// The one of a file.
    File(PathBuf),
}

impl Memory {
    /// Gives it to a detector whose weights have this fingerprint, if it is one that learned.
    pub fn give<B: Backend>(
        &self,
        detector: Detector<B>,
        fingerprint: impl Fn() -> Result<String>,
    ) -> Result<Detector<B>> {
        let memory = match self {
            Self::None | Self::Smoothing(_) => None,
            Self::Picture(decay) => {
                let device = Default::default();
                let frame = network::FrameMemoryConfig::new().with_hidden(2);
                let memory = bare().try_init(&device)?;
                Some(memory.with_frame(frame.try_average(*decay, &device)?))
            }
            Self::Features(decay) => Some(bare().try_average(*decay, &Default::default())?),
            Self::Published => fitting(
                network::Memory::published(&Default::default()),
                &fingerprint()?,
            )?,
            Self::File(path) => {
                let loaded = network::Memory::load(path, &Default::default());
                let (memory, card) = loaded.with_context(|| self.named(path))?;
                card.check_detector(&fingerprint()?)
                    .with_context(|| path.display().to_string())?;
                Some(memory)
            }
        };
        match memory {
            Some(memory) => Ok(detector.with_memory(memory)?),
            None => Ok(detector),
        }
    }

    /// What this one is called, or if there is no such file, what it might have been.
    fn named(&self, path: &std::path::Path) -> String {
        match path.exists() {
            true => path.display().to_string(),
            false => format!("--memory {self}: {FORMS}"),
        }
    }

    /// What the detector has of it, in a word.
    pub fn on<B: Backend>(&self, detector: &Detector<B>) -> String {
        match (self, detector.memory()) {
            (Self::Published, None) => Self::None.to_string(),
            _ => self.to_string(),
        }
    }
}

/// What stands behind block 12 without learning: the cell is there, and counts for nothing.
fn bare() -> network::MemoryConfig {
    network::MemoryConfig::new().with_hidden(2)
}

/// A memory, if it was trained for the weights of this fingerprint. Says so if it was not.
fn fitting<B: Backend>(
    (memory, card): (network::Memory<B>, MemoryCard),
    fingerprint: &str,
) -> Result<Option<network::Memory<B>>> {
    match card.check_detector(fingerprint) {
        Ok(()) => Ok(Some(memory)),
        Err(error @ MemoryFileError::OtherDetector { .. }) => {
            eprintln!("Without a memory: {error}.");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

impl FromStr for Memory {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "" => bail!(FORMS),
            "none" => return Ok(Self::None),
            "default" => return Ok(Self::Published),
            _ => {}
        }
        if let Some((of @ ("picture" | "features"), decay)) = text.split_once(':') {
            let average = match of {
                "picture" => Self::Picture,
                _ => Self::Features,
            };
            return match decay.parse() {
                Ok(decay) if (0.0..1.0).contains(&decay) => Ok(average(decay)),
                _ => bail!("{text}: expected a number from 0 to less than 1"),
            };
        }
        match text.parse() {
            Ok(smoothing) => Ok(Self::Smoothing(smoothing)),
            Err(SmoothingError::Form { .. }) => Ok(Self::File(text.into())),
            Err(error) => Err(error.into()),
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Smoothing(smoothing) => smoothing.fmt(f),
            Self::Picture(decay) => write!(f, "picture:{decay}"),
            Self::Features(decay) => write!(f, "features:{decay}"),
            Self::Published => f.write_str("default"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn_flex::Flex;

    use super::*;

    #[test]
    fn memories_are_told_apart_by_how_they_are_written() {
        let parse = |text: &str| text.parse::<Memory>().unwrap();
        assert_eq!(parse("none"), Memory::None);
        assert_eq!(parse("default"), Memory::Published);
        assert!(matches!(parse("hold:3"), Memory::Smoothing(_)));
        assert_eq!(parse("features:0.5"), Memory::Features(0.5));
        assert_eq!(parse("picture:0.5"), Memory::Picture(0.5));
        for average in ["features", "picture"] {
            let written = format!("{average}:0.5");
            assert_eq!(parse(&written).to_string(), written);
            for decay in ["", "1", "-0.1", "NaN"] {
                let wrong = format!("{average}:{decay}").parse::<Memory>();
                let error = wrong.unwrap_err().to_string();
                assert!(error.starts_with(average), "{error}");
            }
        }
        for file in ["memory.safetensors", "C:\\memory", "hold"] {
            assert_eq!(parse(file), Memory::File(file.into()));
            assert_eq!(parse(file).to_string(), file);
        }
        assert!("".parse::<Memory>().is_err());
    }

    /// As the option's default goes through the command line.
    #[test]
    fn the_default_is_read_as_it_is_written() {
        let default = Memory::default();
        assert_eq!(default.to_string().parse::<Memory>().unwrap(), default);
    }

    #[test]
    fn a_memory_for_other_weights_is_left_out() {
        let published = network::Memory::<Flex>::published(&Default::default());
        let own = published.1.detector.clone();
        assert!(fitting(published.clone(), &own).unwrap().is_some());
        assert!(fitting(published, "00ff").unwrap().is_none());
    }
}
