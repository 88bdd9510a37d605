//! The files that `xtask/reference` writes: cells computed in PyTorch, in `f64`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bottleneck_lstm::BottleneckLstmConfig;
use burn::tensor::TensorData;
use safetensors::{Dtype, SafeTensors};

use crate::case::Case;
use crate::parameters::Named;

/// One file.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// The file's name without its extension.
    pub name: String,
    /// The kind of cell: `bottleneck_lstm`, `conv_lstm` or `conv_gru`.
    pub kind: String,
    /// The cell's configuration, as JSON.
    pub config: String,
    tensors: Named,
}

impl Fixture {
    /// All fixtures of a kind of cell, by name.
    ///
    /// # Panics
    ///
    /// If there is none, or if one cannot be read.
    pub fn all(kind: &str) -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let entries = fs::read_dir(&folder).expect("the folder of fixtures");
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.expect("its entry").path())
            .collect();
        paths.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "safetensors")
        });
        paths.sort();
        let mut fixtures: Vec<_> = paths.iter().map(|path| Self::load(path)).collect();
        fixtures.retain(|fixture| fixture.kind == kind);
        assert!(
            !fixtures.is_empty(),
            "no fixture of a {kind} in {}",
            folder.display()
        );
        fixtures
    }

    /// A fixture of given tensors.
    pub fn new(name: &str, kind: &str, config: String, tensors: Named) -> Self {
        Self {
            name: name.to_string(),
            kind: kind.to_string(),
            config,
            tensors,
        }
    }

    /// The fixture with another tensor for a key.
    pub fn with(&self, key: &str, tensor: TensorData) -> Self {
        let mut fixture = self.clone();
        fixture.tensors.insert(key.to_string(), tensor);
        fixture
    }

    fn load(path: &Path) -> Self {
        let name = path
            .file_stem()
            .map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let read = || -> Result<Self, Box<dyn std::error::Error>> {
            let bytes = fs::read(path)?;
            let (_, metadata) = SafeTensors::read_metadata(&bytes)?;
            let metadata = metadata.metadata().clone().unwrap_or_default();
            let entry = |key: &str| metadata.get(key).cloned().ok_or(format!("no {key}"));
            let mut tensors = BTreeMap::new();
            for (key, view) in SafeTensors::deserialize(&bytes)?.tensors() {
                if view.dtype() != Dtype::F32 {
                    return Err(format!("{key} is not F32").into());
                }
                let (values, _) = view.data().as_chunks::<4>();
                let values = values
                    .iter()
                    .map(|bytes| f32::from_le_bytes(*bytes))
                    .collect();
                tensors.insert(
                    key,
                    TensorData::new::<f32, _>(values, view.shape().to_vec()),
                );
            }
            Ok(Self {
                name: name.clone(),
                kind: entry("kind")?,
                config: entry("config")?,
                tensors,
            })
        };
        read().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The tensor of a key, if the file has it.
    pub fn get(&self, key: &str) -> Option<&TensorData> {
        self.tensors.get(key)
    }

    /// The tensor of a key.
    ///
    /// # Panics
    ///
    /// If the file lacks it.
    pub fn tensor(&self, key: &str) -> &TensorData {
        self.get(key)
            .unwrap_or_else(|| panic!("{}: no {key}", self.name))
    }

    /// The tensors whose key begins with `prefix`, by the rest of it.
    pub fn group(&self, prefix: &str) -> Named {
        let rest = |(key, tensor): (&String, &TensorData)| {
            key.strip_prefix(prefix)
                .map(|name| (name.to_string(), tensor.clone()))
        };
        self.tensors.iter().filter_map(rest).collect()
    }

    /// The case of a Bottleneck-LSTM.
    ///
    /// # Panics
    ///
    /// If the configuration is none, or a tensor is missing.
    pub fn case(&self) -> Case {
        let config: BottleneckLstmConfig = serde_json::from_str(&self.config)
            .unwrap_or_else(|error| panic!("{}: config: {error}", self.name));
        Case {
            name: self.name.clone(),
            config,
            parameters: self.group("param."),
            xs: self.tensor("xs").clone(),
            start: self
                .get("cell0")
                .map(|cell| [cell.clone(), self.tensor("hidden0").clone()]),
        }
    }
}
