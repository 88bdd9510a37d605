//! Weights: those that the program comes with, or a folder of the viewer's.

use std::borrow::Cow;
use std::path::Path;

use moving_digits::recurrent::Layer;
use moving_digits::weights::file_name;

use crate::networks::NetworkError;

/// The networks of the demo, in their order.
const LAYERS: [Layer; 2] = [Layer::NoMemory, Layer::BottleneckLstm];

/// Files of weights, not yet looked into.
#[derive(Debug, Clone)]
pub struct Weights {
    files: [(String, Cow<'static, [u8]>); 2],
}

impl Weights {
    /// Those that the program comes with; `weights/README.md` says where they are from.
    pub fn embedded() -> Self {
        let own: [&'static [u8]; 2] = [
            include_bytes!("../weights/no-memory.safetensors"),
            include_bytes!("../weights/bottleneck-lstm.safetensors"),
        ];
        let mut own = own.into_iter().map(Cow::Borrowed);
        let file = |layer| (file_name(layer), own.next().unwrap_or_default());
        Self {
            files: LAYERS.map(file),
        }
    }

    /// Those that `moving-digits --save-weights FOLDER` wrote.
    ///
    /// # Errors
    ///
    /// If a file is missing or cannot be read.
    pub fn of_folder(folder: &Path) -> Result<Self, NetworkError> {
        let [plain, memory] = LAYERS.map(|layer| {
            let path = folder.join(file_name(layer));
            let shown = path.display().to_string();
            match std::fs::read(&path) {
                Ok(bytes) => Ok((shown, Cow::Owned(bytes))),
                Err(error) => Err(NetworkError::Weights(format!("{shown}: {error}"))),
            }
        });
        Ok(Self {
            files: [plain?, memory?],
        })
    }

    /// The name and the bytes of each file, and the recurrent layer that its network should have.
    pub fn files(&self) -> [(&str, &[u8], Layer); 2] {
        let mut layers = LAYERS.into_iter();
        self.files.each_ref().map(|(name, bytes)| {
            let layer = layers.next().unwrap_or(Layer::NoMemory);
            (name.as_str(), bytes.as_ref(), layer)
        })
    }
}
