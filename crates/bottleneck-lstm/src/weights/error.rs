//! What can go wrong between a file and a module.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::element::ElementType;
use crate::ConfigError;

/// A file format that weights come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// A `.safetensors` file.
    SafeTensors,
    /// What `torch.save` writes, `.pt` or `.pth`: a zip archive since PyTorch 1.6, a chain of
    /// pickles before.
    PyTorch,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SafeTensors => "safetensors",
            Self::PyTorch => "PyTorch",
        })
    }
}

/// Weights that cannot be read or written. A module is built of a whole, checked file or not at
/// all, and a file is written whole or not at all.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is in none of the formats that are read.
    #[error("expected a safetensors or PyTorch file, found {found}")]
    UnknownFormat {
        /// What the file begins with.
        found: String,
    },
    /// The file contradicts its own format, as a damaged or truncated one does.
    #[error("malformed {format} file: {at}: expected {expected}, found {found}")]
    Malformed {
        /// The format.
        format: Format,
        /// Where in the file.
        at: String,
        /// What belongs there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The pickle names a function or class that is no part of a `state_dict`. Nothing was called.
    #[error(
        "the pickle names `{name}`, which no dict of tensors needs, and nothing but dicts of tensors is read"
    )]
    ForbiddenGlobal {
        /// Its module and name.
        name: String,
    },
    /// A part of the file is larger than any honest file has it.
    #[error("{what}: expected at most {limit}, found {found}")]
    TooLarge {
        /// The part.
        what: String,
        /// The largest size that is read.
        limit: u64,
        /// The size found, or the first one past the limit.
        found: u64,
    },
    /// Tensors that are needed and absent, and tensors that are there and unknown.
    #[error("{}", keys(missing, surplus, elsewhere))]
    Keys {
        /// Every absent tensor.
        missing: Vec<String>,
        /// Every unknown tensor under the prefix.
        surplus: Vec<String>,
        /// A prefix under which the file does have what is missing.
        elsewhere: Option<String>,
    },
    /// A tensor's shape is not what the configuration says.
    #[error("tensor `{key}`: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// The tensor.
        key: String,
        /// The shape needed.
        expected: Vec<usize>,
        /// The shape found.
        found: Vec<usize>,
    },
    /// A tensor's elements are not floating-point numbers of 16, 32 or 64 bits.
    #[error("tensor `{key}`: expected floating-point elements, found {found}")]
    ElementType {
        /// The tensor.
        key: String,
        /// The element type found.
        found: ElementType,
    },
    /// The cell, or the configuration, has no counterpart in the format.
    #[error("not representable: {reason}")]
    NotRepresentable {
        /// Why.
        reason: String,
    },
    /// The configuration describes no cell.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl WeightsError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn safetensors(
        at: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Malformed {
            format: Format::SafeTensors,
            at: at.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    pub(super) fn pytorch(
        at: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Malformed {
            format: Format::PyTorch,
            at: at.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }
}

fn keys(missing: &[String], surplus: &[String], elsewhere: &Option<String>) -> String {
    let mut parts = Vec::new();
    if !missing.is_empty() {
        parts.push(format!("missing tensors: {}", missing.join(", ")));
    }
    if !surplus.is_empty() {
        parts.push(format!("unknown tensors: {}", surplus.join(", ")));
    }
    if let Some(prefix) = elsewhere {
        parts.push(format!(
            "the file has such tensors under the prefix `{prefix}`"
        ));
    }
    parts.join("; ")
}
