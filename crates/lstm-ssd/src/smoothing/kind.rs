//! Which memories without learning there are, and their numbers.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A memory without learning.
///
/// ```
/// use lstm_ssd::smoothing::Smoothing;
///
/// assert_eq!("hold:3".parse(), Ok(Smoothing::Hold { frames: 3, decay: 1.0 }));
/// assert_eq!("average:0.5".parse(), Ok(Smoothing::Average { boxes: 0.5, scores: 0.5 }));
/// assert_eq!(Smoothing::Hold { frames: 3, decay: 0.8 }.to_string(), "hold:3,0.8");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Smoothing {
    /// What was seen in the last frames is seen still, where nothing surer is.
    Hold {
        /// For how many frames, at most 1000.
        frames: usize,
        /// What a frame leaves of a score, from 0 to 1.
        decay: f32,
    },
    /// A detection is averaged with the one of the same class and object before, and what is not seen any more
    /// fades.
    Average {
        /// The share of the box before, from 0 to less than 1.
        boxes: f32,
        /// The share of the score before, from 0 to less than 1. A score fades by as much where nothing is seen.
        scores: f32,
    },
}

/// Words that name no memory without learning, or a number out of its range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SmoothingError {
    /// There is no such memory.
    #[error("expected hold:FRAMES,DECAY or average:BOXES,SCORES, found {found:?}")]
    Form {
        /// What is there.
        found: String,
    },
    /// A number is missing, or out of its range.
    #[error("{field}: expected {expected}, found {found}")]
    Field {
        /// The number.
        field: &'static str,
        /// What is legal.
        expected: &'static str,
        /// What is there.
        found: String,
    },
}

/// The most frames that are held.
const MAX_FRAMES: usize = 1000;

/// The numbers, and what each may be.
const FRAMES: [&str; 2] = ["the frames to hold", "a whole number from 1 to 1000"];
const DECAY: [&str; 2] = ["the decay of held scores", "a number from 0 to 1"];
const BOXES: [&str; 2] = [
    "the share of earlier boxes",
    "a number from 0 to less than 1",
];
const SCORES: [&str; 2] = [
    "the share of earlier scores",
    "a number from 0 to less than 1",
];

impl Smoothing {
    /// That every number is in its range.
    ///
    /// # Errors
    ///
    /// Naming the first one that is not.
    pub fn validate(&self) -> Result<(), SmoothingError> {
        let check = |legal: bool, field, found: &dyn fmt::Display| match legal {
            true => Ok(()),
            false => Err(fault(field, found)),
        };
        match self {
            Self::Hold { frames, decay } => {
                check((1..=MAX_FRAMES).contains(frames), FRAMES, frames)?;
                check((0.0..=1.0).contains(decay), DECAY, decay)
            }
            Self::Average { boxes, scores } => {
                check((0.0..1.0).contains(boxes), BOXES, boxes)?;
                check((0.0..1.0).contains(scores), SCORES, scores)
            }
        }
    }
}

fn fault([field, expected]: [&'static str; 2], found: impl fmt::Display) -> SmoothingError {
    SmoothingError::Field {
        field,
        expected,
        found: found.to_string(),
    }
}

impl fmt::Display for Smoothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hold { frames, decay } => write!(f, "hold:{frames},{decay}"),
            Self::Average { boxes, scores } => write!(f, "average:{boxes},{scores}"),
        }
    }
}

impl FromStr for Smoothing {
    type Err = SmoothingError;

    /// Of `hold:FRAMES`, with a decay of 1, `hold:FRAMES,DECAY`, `average:SHARE`, of boxes and scores alike, or
    /// `average:BOXES,SCORES`.
    fn from_str(text: &str) -> Result<Self, SmoothingError> {
        let form = || SmoothingError::Form {
            found: text.to_owned(),
        };
        let (kind, numbers) = text.split_once(':').ok_or_else(form)?;
        let (first, second) = match numbers.split_once(',') {
            Some((first, second)) => (first, Some(second)),
            None => (numbers, None),
        };
        let smoothing = match kind {
            "hold" => Self::Hold {
                frames: number(first, FRAMES)?,
                decay: number(second.unwrap_or("1"), DECAY)?,
            },
            "average" => Self::Average {
                boxes: number(first, BOXES)?,
                scores: number(second.unwrap_or(first), SCORES)?,
            },
            _ => return Err(form()),
        };
        smoothing.validate()?;
        Ok(smoothing)
    }
}

fn number<N: FromStr>(text: &str, field: [&'static str; 2]) -> Result<N, SmoothingError> {
    text.parse()
        .map_err(|_| fault(field, format_args!("{text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_written_as_they_are_read() {
        for text in [
            "hold:1,0",
            "hold:8,0.85",
            "average:0,0.5",
            "average:0.25,0.9",
        ] {
            let smoothing: Smoothing = text.parse().unwrap();
            assert_eq!(smoothing.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_memory_is_told_what_would_be_one() {
        let form = "expected hold:FRAMES,DECAY or average:BOXES,SCORES, found ";
        for (text, expected) in [
            ("hold", format!("{form}\"hold\"")),
            ("keep:3", format!("{form}\"keep:3\"")),
            (
                "hold:few",
                "the frames to hold: expected a whole number from 1 to 1000, found \"few\"".into(),
            ),
            (
                "hold:0",
                "the frames to hold: expected a whole number from 1 to 1000, found 0".into(),
            ),
            (
                "hold:3,1.5",
                "the decay of held scores: expected a number from 0 to 1, found 1.5".into(),
            ),
            (
                "average:1",
                "the share of earlier boxes: expected a number from 0 to less than 1, found 1"
                    .into(),
            ),
            (
                "average:0.5,NaN",
                "the share of earlier scores: expected a number from 0 to less than 1, found NaN"
                    .into(),
            ),
            (
                "average:0.5,",
                "the share of earlier scores: expected a number from 0 to less than 1, found \"\""
                    .into(),
            ),
        ] {
            let error = text.parse::<Smoothing>().unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
