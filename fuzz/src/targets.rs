//! The readers, and their copies with a bug.

use std::path::Path;
use std::{fs, io};

use bottleneck_lstm::BottleneckLstmConfig;
use bottleneck_lstm::weights::{Checkpoint, WeightsError, from_pytorch_scope};
use burn_flex::Flex;

use crate::driver::Target;

/// A reader of weights with the files to start from.
pub struct Reader {
    /// The name on the command line, and the folder of its corpus.
    pub name: &'static str,
    /// The extensions of its fixtures.
    extensions: &'static [&'static str],
    /// The reader.
    pub target: Target,
    /// Copies with one check taken out, by name.
    pub planted: &'static [(&'static str, Target)],
}

/// `.safetensors` files.
pub const SAFETENSORS: Reader = Reader {
    name: "safetensors",
    extensions: &["safetensors"],
    target: read,
    planted: &[
        ("safetensors_end", planted_safetensors_end),
        ("safetensors_length", planted_safetensors_length),
    ],
};

/// PyTorch's archives and chains of pickles.
pub const PYTORCH: Reader = Reader {
    name: "pytorch",
    extensions: &["pt", "pth", "pkl"],
    target: read,
    planted: &[
        ("tensor_bounds", planted_tensor_bounds),
        ("storage_bounds", planted_storage_bounds),
        ("archive_bounds", planted_archive_bounds),
        ("memo_bounds", planted_memo_bounds),
    ],
};

impl Reader {
    /// The fixtures of the library's own tests, and what earlier runs have found, which lies in
    /// `corpus/NAME`.
    pub fn seeds(&self) -> io::Result<Vec<Vec<u8>>> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let fixtures = here.join("../crates/bottleneck-lstm/tests/fixtures");
        let mut paths = Vec::new();
        for folder in [fixtures, self.corpus()] {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                let extension = path.extension().unwrap_or_default();
                let fixture = self.extensions.iter().any(|own| extension == *own);
                let long = path.metadata()?.len() > 1 << 14;
                if (fixture || extension == "found") && !long {
                    paths.push(path);
                }
            }
        }
        paths.sort();
        paths.into_iter().map(fs::read).collect()
    }

    /// The folder of files that earlier runs have found.
    pub fn corpus(&self) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(self.name)
    }
}

/// Reads a file, all its values, and a cell if it holds one.
fn read(file: &[u8]) -> String {
    let checkpoint = match Checkpoint::from_bytes(file) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return outcome(&error),
    };
    for tensor in checkpoint.tensors() {
        let Ok(values) = tensor.to_f64() else {
            continue;
        };
        let elements: usize = tensor.shape().iter().product();
        assert_eq!(values.len(), elements, "{tensor:?}");
    }
    let config = BottleneckLstmConfig::new(3, 4);
    match from_pytorch_scope::<Flex>(&config, &checkpoint.scope(""), &Default::default()) {
        Ok(cell) => {
            assert_eq!(cell.gates.dims(), [16, 4, 1, 1]);
            "a cell".to_owned()
        }
        // The names of keys are without end; how many there are is not of interest here.
        Err(WeightsError::Keys { .. }) => "tensors".to_owned(),
        Err(error) => outcome(&error),
    }
}

/// The kind of an error: the words of its text, without names, numbers and bytes in hexadecimal.
fn outcome(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let quotes = ['`', '"'];
    let (before, after) = match (text.find(quotes), text.rfind(quotes)) {
        (Some(first), Some(last)) => (&text[..first], &text[last..]),
        _ => (text.as_str(), ""),
    };
    let beyond_f = |char: char| matches!(char, 'g'..='z');
    let words = before.split_whitespace().chain(after.split_whitespace());
    let words = words.map(|word| word.trim_matches(|char: char| char.is_ascii_punctuation()));
    let words = words.filter(|word| {
        word.chars().all(|char| char.is_ascii_alphabetic()) && word.contains(beyond_f)
    });
    words.take(16).collect::<Vec<_>>().join(" ")
}

/// Reads a file and all its values with a copy of the reader.
macro_rules! planted {
    ($($name:ident $bug:ident),+) => {
        $(fn $name(file: &[u8]) -> String {
            match crate::planted::$bug::Checkpoint::from_bytes(file) {
                Ok(checkpoint) => {
                    for tensor in checkpoint.tensors() {
                        let Ok(values) = tensor.to_f64() else { continue };
                        assert_eq!(values.len(), tensor.num_elements(), "{tensor:?}");
                    }
                    "tensors".to_owned()
                }
                Err(error) => outcome(&error),
            }
        })+
    };
}

planted!(
    planted_safetensors_end safetensors_end,
    planted_safetensors_length safetensors_length,
    planted_tensor_bounds tensor_bounds,
    planted_storage_bounds storage_bounds,
    planted_archive_bounds archive_bounds,
    planted_memo_bounds memo_bounds
);
