//! Lists of damages that memories are measured on.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;
use toml::Spanned;

use super::{Damage, DamageError};
use crate::sha256;

/// Damages and seeds of an evaluation, fixed in a file before anything is measured. The file's hash tells
/// whether two tables are of the same damages.
///
/// ```
/// use lstm_ssd::damage::DamageList;
///
/// let list = DamageList::parse(
///     r#"
///     seeds = [1, 2, 3]
///
///     [[damage]]
///     name = "noise"
///     severity = 60
///     in_mean = true
///     "#,
/// )?;
/// assert_eq!(list.seeds(), [1, 2, 3]);
/// assert_eq!(list.damages()[0].damage.to_string(), "noise:60");
/// # Ok::<_, lstm_ssd::damage::ListFault>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DamageList {
    seeds: Vec<u64>,
    damages: Vec<Listed>,
    sha256: String,
}

/// A damage of a list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Listed {
    /// The damage.
    pub damage: Damage,
    /// Whether it counts in the mean over damages. One that costs a detector next to nothing, or leaves next to
    /// nothing, does not.
    pub in_mean: bool,
}

/// A list that cannot be read.
#[derive(Debug, Error)]
pub struct ListError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    #[source]
    pub fault: ListFault,
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

/// What is wrong with a list.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListFault {
    /// The file cannot be read, or is no text.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is no TOML, or lacks something, or has something that does not belong there.
    #[error("line {line}: {message}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// A damage that there is not.
    #[error("line {line}: {fault}")]
    Damage {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        fault: DamageError,
    },
    /// There are no seeds, or no damages.
    #[error("{field}: expected at least one, found none")]
    Empty {
        /// What there is none of.
        field: &'static str,
    },
}

/// The file, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    seeds: Vec<u64>,
    damage: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    severity: Spanned<f64>,
    in_mean: bool,
}

impl DamageList {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or as [`parse`](Self::parse) errs.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ListError> {
        let path = path.as_ref();
        let parse = || Self::parse(&std::fs::read_to_string(path)?);
        parse().map_err(|fault| ListError {
            path: path.to_owned(),
            fault,
        })
    }

    /// Reads the text of a file: TOML with `seeds`, and a table `damage` with `name`, `severity` and `in_mean` for
    /// each damage.
    ///
    /// # Errors
    ///
    /// Naming the first line that is not as it should be.
    pub fn parse(text: &str) -> Result<Self, ListFault> {
        let file: File = toml::from_str(text).map_err(|error| ListFault::Line {
            line: line(text, error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        let empty = [
            ("seeds", file.seeds.is_empty()),
            ("damage", file.damage.is_empty()),
        ];
        if let Some((field, _)) = empty.into_iter().find(|(_, empty)| *empty) {
            return Err(ListFault::Empty { field });
        }
        let damages = file.damage.into_iter().map(|entry| entry.listed(text));
        Ok(Self {
            seeds: file.seeds,
            damages: damages.collect::<Result<_, _>>()?,
            sha256: sha256::digits(Sha256::new_with_prefix(text)),
        })
    }

    /// The seeds; what is measured under a damage is the mean over them.
    pub fn seeds(&self) -> &[u64] {
        &self.seeds
    }

    /// The damages, in the order of the file.
    pub fn damages(&self) -> &[Listed] {
        &self.damages
    }

    /// The file's SHA-256, in hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

impl Entry {
    fn listed(self, text: &str) -> Result<Listed, ListFault> {
        let at = |span: std::ops::Range<usize>| {
            move |fault| ListFault::Damage {
                line: line(text, span.start),
                fault,
            }
        };
        let kind = self.name.get_ref().parse().map_err(at(self.name.span()))?;
        let severity = *self.severity.get_ref();
        let damage = Damage::new(kind, severity).map_err(at(self.severity.span()))?;
        Ok(Listed {
            damage,
            in_mean: self.in_mean,
        })
    }
}

/// The line, from 1, of a place in a text.
fn line(text: &str, place: usize) -> usize {
    let before = text.bytes().take(place);
    1 + before.filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one that this project measures with.
    const COMMITTED: &str = include_str!("../../damages.toml");

    #[test]
    fn the_committed_list_is_as_it_was_fixed() {
        let list = DamageList::parse(COMMITTED).unwrap();
        assert_eq!(list.seeds(), [1, 2, 3]);
        let found: Vec<String> = list
            .damages()
            .iter()
            .map(|listed| listed.damage.to_string())
            .collect();
        let expected = [
            "motion-blur:35",
            "noise:60",
            "occlusion:0.4",
            "drop:0.4",
            "freeze:0.8",
            "dark:0.05",
            "bitrate:150",
        ];
        assert_eq!(found, expected);
        assert!(list.damages().iter().all(|listed| listed.in_mean));
        // Whoever changes the list changes what every table before was about.
        assert_eq!(
            list.sha256(),
            "05261ddcaaea83a67d845a6c57f868b771ff9b072e4b85ef84cc6f6245b6249b"
        );
    }

    #[test]
    fn nonsense_is_named_with_its_line() {
        let good = "seeds = [1]\n[[damage]]\nname = \"noise\"\nseverity = 60\nin_mean = true\n";
        assert!(DamageList::parse(good).is_ok());
        for (from, to, expected) in [
            ("[1]", "[]", "seeds: expected at least one, found none"),
            (
                "[1]",
                "[-1]",
                "line 1: invalid value: integer `-1`, expected u64",
            ),
            (
                "seeds =",
                "seeds",
                "line 1: key with no value, expected `=`",
            ),
            (
                "\"noise\"",
                "\"fog\"",
                "line 3: the kind of a damage: expected motion-blur",
            ),
            (
                "60",
                "-6",
                "line 4: the severity of noise: expected a standard deviation",
            ),
            (
                "60",
                "\"much\"",
                "line 4: invalid type: string \"much\", expected f64",
            ),
            ("in_mean = true", "", "line 2: missing field `in_mean`"),
            ("in_mean", "mean", "line 5: unknown field `mean`"),
        ] {
            let error = DamageList::parse(&good.replace(from, to)).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
        }
        let error = DamageList::parse("seeds = [1]\ndamage = []").unwrap_err();
        assert_eq!(
            error.to_string(),
            "damage: expected at least one, found none"
        );
    }
}
