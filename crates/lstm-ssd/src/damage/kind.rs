//! What damages there are, and how bad each may be.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The kinds of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The camera shakes.
    MotionBlur = 1,
    /// Noise on every value.
    Noise,
    /// Black cells.
    Occlusion,
    /// Black frames.
    Drop,
    /// Frames that stay too long.
    Freeze,
    /// Too little light.
    Dark,
    /// Too few bits.
    Bitrate,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::MotionBlur,
        Self::Noise,
        Self::Occlusion,
        Self::Drop,
        Self::Freeze,
        Self::Dark,
        Self::Bitrate,
    ];

    /// As it is written: `motion-blur` and so on.
    pub fn name(self) -> &'static str {
        match self {
            Self::MotionBlur => "motion-blur",
            Self::Noise => "noise",
            Self::Occlusion => "occlusion",
            Self::Drop => "drop",
            Self::Freeze => "freeze",
            Self::Dark => "dark",
            Self::Bitrate => "bitrate",
        }
    }

    /// What a severity of this kind is.
    fn severities(self) -> &'static str {
        match self {
            Self::MotionBlur => "a whole number of pixels from 1 to 1000",
            Self::Noise => "a standard deviation from 0 to 1000",
            Self::Occlusion => "a fraction from 0 to 1",
            Self::Drop | Self::Freeze => "a probability from 0 to 1",
            Self::Dark => "a gain from 0 to 1",
            Self::Bitrate => "a whole step from 1 to 1000",
        }
    }

    fn allows(self, severity: f64) -> bool {
        match self {
            Self::MotionBlur | Self::Bitrate => {
                (1.0..=1000.0).contains(&severity) && severity.fract() == 0.0
            }
            Self::Noise => (0.0..=1000.0).contains(&severity),
            Self::Occlusion | Self::Drop | Self::Freeze | Self::Dark => {
                (0.0..=1.0).contains(&severity)
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = DamageError;

    fn from_str(text: &str) -> Result<Self, DamageError> {
        let kind = Self::ALL.into_iter().find(|kind| kind.name() == text);
        kind.ok_or_else(|| DamageError::Kind {
            found: text.to_owned(),
        })
    }
}

/// A kind of damage with its severity, written `noise:60`.
///
/// ```
/// use lstm_ssd::damage::{Damage, Kind};
///
/// let damage: Damage = "noise:60".parse()?;
/// assert_eq!(damage, Damage::new(Kind::Noise, 60.0)?);
/// assert_eq!(damage.to_string(), "noise:60");
/// # Ok::<_, lstm_ssd::damage::DamageError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Damage {
    kind: Kind,
    severity: f64,
}

/// Words that name no damage.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DamageError {
    /// There is no severity.
    #[error("a damage: expected KIND:SEVERITY, as noise:60, found {found:?}")]
    Form {
        /// What is there.
        found: String,
    },
    /// There is no such kind.
    #[error("the kind of a damage: expected {}, found {found:?}", Kind::ALL.map(Kind::name).join(", "))]
    Kind {
        /// What is there.
        found: String,
    },
    /// The severity is none of its kind.
    #[error("the severity of {kind}: expected {}, found {found}", kind.severities())]
    Severity {
        /// The kind.
        kind: Kind,
        /// What is there.
        found: String,
    },
}

impl Damage {
    /// A damage of this kind and severity.
    ///
    /// # Errors
    ///
    /// If a damage of this kind cannot be so severe.
    pub fn new(kind: Kind, severity: f64) -> Result<Self, DamageError> {
        match kind.allows(severity) {
            true => Ok(Self { kind, severity }),
            false => Err(DamageError::Severity {
                kind,
                found: severity.to_string(),
            }),
        }
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The severity, in what its kind is measured in.
    pub fn severity(&self) -> f64 {
        self.severity
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.severity)
    }
}

impl FromStr for Damage {
    type Err = DamageError;

    fn from_str(text: &str) -> Result<Self, DamageError> {
        let form = || DamageError::Form {
            found: text.to_owned(),
        };
        let (kind, severity) = text.split_once(':').ok_or_else(form)?;
        let kind = kind.parse()?;
        let number = severity.parse().map_err(|_| DamageError::Severity {
            kind,
            found: format!("{severity:?}"),
        })?;
        Self::new(kind, number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damages_are_written_as_they_are_read() {
        for text in [
            "motion-blur:35",
            "noise:60",
            "noise:0.5",
            "occlusion:0.4",
            "drop:0",
            "freeze:1",
            "dark:0.05",
            "bitrate:150",
        ] {
            let damage: Damage = text.parse().unwrap();
            assert_eq!(damage.to_string(), text);
            let again = Damage::new(damage.kind(), damage.severity());
            assert_eq!(again, Ok(damage));
        }
    }

    #[test]
    fn what_is_no_damage_is_told_what_would_be_one() {
        for (text, expected) in [
            (
                "noise",
                "a damage: expected KIND:SEVERITY, as noise:60, found \"noise\"",
            ),
            (
                "fog:3",
                "the kind of a damage: expected motion-blur, noise, occlusion, drop, freeze, dark, bitrate, \
                 found \"fog\"",
            ),
            (
                "noise:loud",
                "the severity of noise: expected a standard deviation from 0 to 1000, found \"loud\"",
            ),
            (
                "noise:NaN",
                "the severity of noise: expected a standard deviation from 0 to 1000, found NaN",
            ),
            (
                "motion-blur:0",
                "the severity of motion-blur: expected a whole number of pixels from 1 to 1000, found 0",
            ),
            (
                "motion-blur:2.5",
                "the severity of motion-blur: expected a whole number of pixels from 1 to 1000, found 2.5",
            ),
            (
                "occlusion:40",
                "the severity of occlusion: expected a fraction from 0 to 1, found 40",
            ),
            (
                "freeze:-0.1",
                "the severity of freeze: expected a probability from 0 to 1, found -0.1",
            ),
            (
                "dark:inf",
                "the severity of dark: expected a gain from 0 to 1, found inf",
            ),
            (
                "bitrate:",
                "the severity of bitrate: expected a whole step from 1 to 1000, found \"\"",
            ),
        ] {
            let error = text.parse::<Damage>().unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
