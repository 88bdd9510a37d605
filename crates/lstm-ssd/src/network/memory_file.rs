//! Memories in files.
//!
//! A file is in safetensors' format. Its metadata has one entry, `memory`: in JSON the name and the version of the
//! format, the placement, the configuration, the fingerprint of the detector's weights, and the notes of the card.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bottleneck_lstm::weights::{Checkpoint, Format, WeightsError as ReadError};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::weights::{Mismatch, mismatch};
use super::{Memory, MemoryConfig, NetworkError};
use crate::whole_file;

const FORMAT: &str = "lstm-ssd memory";
const VERSION: u32 = 1;

/// The one place there is: the map of [`try_trunk`](super::MobileNetV2Ssd::try_trunk).
const PLACEMENT: &str = "block 12";

/// The memory that comes with the crate, beside its card.
const PUBLISHED: &[u8] = include_bytes!("../../memory/person.safetensors");

/// What a file says of its memory, beside the weights.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryCard {
    /// The [`fingerprint`](super::fingerprint) of the detector's weights that it was trained for.
    pub detector: String,
    /// What a person wants to know: by custom `data`, `command` and `licence`.
    pub notes: BTreeMap<String, String>,
}

impl MemoryCard {
    /// Checks that the memory was trained for the detector with this [`fingerprint`](super::fingerprint).
    ///
    /// # Errors
    ///
    /// [`MemoryFileError::OtherDetector`] if it was not.
    pub fn check_detector(&self, fingerprint: &str) -> Result<(), MemoryFileError> {
        match self.detector == fingerprint {
            true => Ok(()),
            false => Err(MemoryFileError::OtherDetector {
                expected: fingerprint.to_owned(),
                found: self.detector.clone(),
            }),
        }
    }
}

/// A memory that cannot be read, written or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MemoryFileError {
    /// The file cannot be read, or holds something other than floating-point numbers.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file is none of a memory.
    #[error("expected a memory, found {found}")]
    NoMemory {
        /// What it is.
        found: String,
    },
    /// The file is of another version of the format.
    #[error("the memory's format: expected version {VERSION}, found {found}")]
    Version {
        /// The version.
        found: u32,
    },
    /// The memory stands elsewhere.
    #[error("the memory's placement: expected {PLACEMENT:?}, found {found:?}")]
    Placement {
        /// Where.
        found: String,
    },
    /// The configuration describes no memory.
    #[error(transparent)]
    Config(#[from] NetworkError),
    /// The tensors are those of another memory. Every tensor out of order is named.
    #[error("the memory's weights are not those of its configuration: {0}")]
    Mismatch(Box<Mismatch>),
    /// The memory was trained for another detector.
    #[error(
        "the memory was trained for another detector: expected one for weights {expected}, found one for {found}"
    )]
    OtherDetector {
        /// The fingerprint of the detector's weights.
        expected: String,
        /// That of the weights that it was trained for.
        found: String,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The metadata of a file: what is told apart by name first, so that another version may have it differently.
#[derive(Serialize, Deserialize)]
struct Metadata<T> {
    format: String,
    version: u32,
    #[serde(flatten)]
    rest: T,
}

#[derive(Serialize, Deserialize)]
struct Description {
    placement: String,
    config: MemoryConfig,
    #[serde(flatten)]
    card: MemoryCard,
}

impl<B: Backend> Memory<B> {
    /// Writes the memory with its card, in safetensors' format and as `f32`. The same memory makes the same bytes. The
    /// file is written beside its final name and then renamed.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, card: &MemoryCard) -> Result<(), MemoryFileError> {
        let path = path.as_ref();
        let error = |source| MemoryFileError::Write {
            path: path.to_owned(),
            source,
        };
        let content = self.to_bytes(card).map_err(error)?;
        whole_file::write(path, &content).map_err(error)
    }

    fn to_bytes(&self, card: &MemoryCard) -> std::io::Result<Vec<u8>> {
        let metadata = Metadata {
            format: FORMAT.into(),
            version: VERSION,
            rest: Description {
                placement: PLACEMENT.into(),
                config: self.config(),
                card: card.clone(),
            },
        };
        let metadata = [("memory".to_owned(), serde_json::to_string(&metadata)?)];
        let mut tensors = Tensors::default();
        self.visit(&mut tensors);
        let views = tensors.found.iter().map(|(name, (shape, bytes))| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
            (name, view.expect("as many bytes as the shape has"))
        });
        safetensors::serialize(views, Some(metadata.into())).map_err(std::io::Error::other)
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or as [`from_bytes`](Self::from_bytes) errs.
    pub fn load(
        path: impl AsRef<Path>,
        device: &B::Device,
    ) -> Result<(Self, MemoryCard), MemoryFileError> {
        let path = path.as_ref();
        // Before the file is read once more: that it is one, and of a size to be read.
        Checkpoint::open(path)?;
        let content = std::fs::read(path).map_err(|source| ReadError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(&content, device)
    }

    /// The memory that comes with the crate, for persons and the published weights. What it was trained on, and what it
    /// is good for, is in `memory/README.md`.
    pub fn published(device: &B::Device) -> (Self, MemoryCard) {
        Self::from_bytes(PUBLISHED, device).expect("the crate's own file, which a test reads")
    }

    /// Reads the content of a file that [`save`](Self::save) wrote.
    ///
    /// # Errors
    ///
    /// If it is damaged, is no memory, is one of another version or placement, or lacks a tensor, has one too many, or
    /// one of another shape or no floating-point numbers.
    pub fn from_bytes(
        content: &[u8],
        device: &B::Device,
    ) -> Result<(Self, MemoryCard), MemoryFileError> {
        let checkpoint = Checkpoint::from_bytes(content)?;
        let Description {
            placement,
            config,
            card,
        } = description(content, &checkpoint)?;
        if placement != PLACEMENT {
            return Err(MemoryFileError::Placement { found: placement });
        }
        config.validate()?;
        // Before anything is made of the size that the file claims.
        if let Some(mismatch) = mismatch(&tensors(&config), &checkpoint) {
            return Err(MemoryFileError::Mismatch(Box::new(mismatch)));
        }
        let values = checkpoint.tensors().map(|tensor| {
            let shape = tensor.shape().to_vec();
            Ok((
                tensor.name().to_owned(),
                TensorData::new(tensor.to_f32()?, shape),
            ))
        });
        let mut values = Values {
            at: Vec::new(),
            values: values.collect::<Result<_, ReadError>>()?,
        };
        Ok((config.try_init(device)?.map(&mut values), card))
    }
}

#[cfg(feature = "train")]
impl<B: Backend> crate::network::FrameMemory<B> {
    /// The SHA-256 of its weights, names and shapes included.
    pub(crate) fn digest(&self) -> String {
        use sha2::{Digest, Sha256};
        let mut tensors = Tensors::default();
        self.visit(&mut tensors);
        let mut hash = Sha256::new();
        for (name, (shape, bytes)) in &tensors.found {
            hash.update(format!("{name}{shape:?}"));
            hash.update(bytes);
        }
        crate::sha256::digits(hash)
    }
}

fn description(content: &[u8], checkpoint: &Checkpoint) -> Result<Description, MemoryFileError> {
    #[derive(Deserialize)]
    struct Header {
        #[serde(rename = "__metadata__", default)]
        metadata: BTreeMap<String, String>,
    }
    #[derive(Deserialize)]
    struct Anything {}

    let no_memory = |found: &str| MemoryFileError::NoMemory {
        found: found.to_owned(),
    };
    if checkpoint.format() != Format::SafeTensors {
        return Err(no_memory(&format!("a {} file", checkpoint.format())));
    }
    // The checkpoint was read: a length, and a header of that length.
    let header = content.split_first_chunk().and_then(|(length, rest)| {
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        serde_json::from_slice::<Header>(rest.get(..length)?).ok()
    });
    let header = header.ok_or_else(|| no_memory("a file whose metadata is no text"))?;
    let text = header.metadata.get("memory");
    let text =
        text.ok_or_else(|| no_memory("a safetensors file without that entry in its metadata"))?;
    let damaged = |error: serde_json::Error| no_memory(&format!("metadata that is none: {error}"));
    let known: Metadata<Anything> = serde_json::from_str(text).map_err(damaged)?;
    if known.format != FORMAT {
        return Err(no_memory(&format!("{:?}", known.format)));
    }
    if known.version != VERSION {
        return Err(MemoryFileError::Version {
            found: known.version,
        });
    }
    let whole: Metadata<Description> = serde_json::from_str(text).map_err(damaged)?;
    Ok(whole.rest)
}

/// The names and shapes of all tensors of a memory, as the module has them.
fn tensors(config: &MemoryConfig) -> Vec<(String, Vec<usize>)> {
    let (channels, hidden) = (config.channels, config.hidden);
    let both = channels + hidden;
    let tensors: [(&str, &[usize]); 16] = [
        ("cell.depthwise", &[both, 1, 3, 3]),
        ("cell.bottleneck", &[hidden, both, 1, 1]),
        ("cell.bottleneck_bias", &[hidden]),
        ("cell.bottleneck_depthwise", &[hidden, 1, 3, 3]),
        ("cell.gates", &[4 * hidden, hidden, 1, 1]),
        ("cell.gates_bias", &[4 * hidden]),
        ("correction.weight", &[channels, hidden, 1, 1]),
        ("correction.bias", &[channels]),
        ("gate_input.weight", &[channels, channels, 1, 1]),
        ("gate_input.bias", &[channels]),
        ("gate_hidden.weight", &[channels, hidden, 1, 1]),
        ("gate_change.weight", &[channels, channels, 1, 1]),
        ("gate_means", &[both, channels]),
        ("gate_mean_change", &[channels, channels]),
        ("amount", &[channels]),
        ("scale", &[channels]),
    ];
    let named = |prefix: &str, tensors: &[(&str, &[usize])]| -> Vec<(String, Vec<usize>)> {
        let tensors = tensors.iter();
        let named = tensors.map(|(name, shape)| (format!("{prefix}{name}"), shape.to_vec()));
        named.collect()
    };
    let mut all = named("", &tensors);
    if let Some(frame) = &config.frame {
        let (hidden, inputs) = (frame.hidden, frame.cell().input_channels);
        let both = inputs + hidden;
        let tensors: [(&str, &[usize]); 12] = [
            ("cell.depthwise", &[both, 1, 3, 3]),
            ("cell.bottleneck", &[hidden, both, 1, 1]),
            ("cell.bottleneck_bias", &[hidden]),
            ("cell.bottleneck_depthwise", &[hidden, 1, 3, 3]),
            ("cell.gates", &[4 * hidden, hidden, 1, 1]),
            ("cell.gates_bias", &[4 * hidden]),
            ("gate_input.weight", &[1, inputs, 1, 1]),
            ("gate_input.bias", &[1]),
            ("gate_hidden.weight", &[1, hidden, 1, 1]),
            ("gate_means", &[both]),
            ("light", &[1]),
            ("amount", &[1]),
        ];
        all.extend(named("frame.", &tensors));
    }
    all
}

/// Collects the tensors of a module: shapes, and values in little-endian bytes.
#[derive(Default)]
struct Tensors {
    at: Vec<String>,
    found: BTreeMap<String, (Vec<usize>, Vec<u8>)>,
}

impl<B: Backend> ModuleVisitor<B> for Tensors {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.at.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.at.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let data = param.val().into_data();
        let bytes = data.iter::<f32>().flat_map(f32::to_le_bytes).collect();
        let shape = param.dims().to_vec();
        self.found.insert(self.at.join("."), (shape, bytes));
    }
}

/// Puts values into the places of a module that have their names.
struct Values {
    at: Vec<String>,
    values: BTreeMap<String, TensorData>,
}

impl<B: Backend> ModuleMapper<B> for Values {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.at.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.at.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (id, tensor, mapper) = param.consume();
        let data = self.values.remove(&self.at.join("."));
        let data = data.expect("all tensors were compared");
        let trained = tensor.is_require_grad();
        let tensor = Tensor::from_data(data, &tensor.device()).set_require_grad(trained);
        Param::from_mapped_value(id, tensor, mapper)
    }
}

#[cfg(test)]
mod tests {
    use burn_flex::Flex;

    use super::*;

    #[test]
    fn a_file_has_the_names_of_the_module() {
        let config = MemoryConfig::new()
            .with_channels(5)
            .with_hidden(4)
            .with_frame(Some(crate::network::FrameMemoryConfig::new()));
        let mut found = Tensors::default();
        let memory = config.try_init::<Flex>(&Default::default()).unwrap();
        memory.visit(&mut found);
        let mut expected = tensors(&config);
        expected.sort();
        let found = found
            .found
            .into_iter()
            .map(|(name, (shape, _))| (name, shape));
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}
