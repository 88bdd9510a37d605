//! Weights: those that the program comes with, or a folder of the viewer's.

use std::borrow::Cow;
use std::path::Path;

use moving_digits::recurrent::Layer;
use moving_digits::weights::file_name;

use crate::networks::NetworkError;

/// The networks of the demo, in their order, and the files that the program comes with.
const OWN: [(Layer, &[u8]); 2] = [
    (
        Layer::NoMemory,
        include_bytes!("../../weights/no-memory.safetensors"),
    ),
    (
        Layer::BottleneckLstm,
        include_bytes!("../../weights/bottleneck-lstm.safetensors"),
    ),
];

/// Files of weights, not yet looked into.
#[derive(Debug, Clone)]
pub struct Weights {
    files: [File; 2],
}

#[derive(Debug, Clone)]
struct File {
    layer: Layer,
    name: String,
    bytes: Cow<'static, [u8]>,
}

impl Weights {
    /// Those that the program comes with; `weights/README.md` says where they are from.
    pub fn embedded() -> Self {
        let files = OWN.map(|(layer, bytes)| File {
            layer,
            name: file_name(layer),
            bytes: Cow::Borrowed(bytes),
        });
        Self { files }
    }

    /// Those that `moving-digits --save-weights FOLDER` wrote.
    ///
    /// # Errors
    ///
    /// If a file is missing or cannot be read.
    pub fn of_folder(folder: &Path) -> Result<Self, NetworkError> {
        let [plain, memory] = OWN.map(|(layer, _)| {
            let path = folder.join(file_name(layer));
            let name = path.display().to_string();
            match std::fs::read(&path) {
                Ok(bytes) => Ok(File {
                    layer,
                    name,
                    bytes: Cow::Owned(bytes),
                }),
                Err(error) => Err(NetworkError::Weights(format!("{name}: {error}"))),
            }
        });
        Ok(Self {
            files: [plain?, memory?],
        })
    }

    /// The name and the bytes of each file, and the recurrent layer that its network should have.
    pub fn files(&self) -> [(&str, &[u8], Layer); 2] {
        self.files
            .each_ref()
            .map(|file| (file.name.as_str(), file.bytes.as_ref(), file.layer))
    }
}
