//! A trained network as a file that other programs load.
//!
//! A safetensors file holds the parameters under the names that they have in [`Network`], and in its metadata a
//! [`Card`]: which network it is, what it takes to read its beliefs, and how it came about.

use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use burn_store::{ModuleSnapshot, SafetensorsStore, SafetensorsStoreError};
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::checkpoint::{self, FileError};
use crate::experiment::load_network;
use crate::network::Network;
use crate::plan::{Outcome, Plan};
use crate::recurrent::Layer;
use crate::score::Score;
use crate::training::TrainingConfig;

/// Where the metadata has the card.
const CARD: &str = "moving-digits";

/// What a file of weights says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// How the network was trained; its recurrent layer is that of `training`.
    pub training: TrainingConfig,
    /// Steps that it took.
    pub steps: usize,
    /// The threshold of a detection, chosen with validation digits.
    pub threshold: f32,
    /// The score on test digits.
    pub test: Score,
}

impl Card {
    /// The recurrent layer of the network.
    pub fn layer(&self) -> Layer {
        self.training.layer
    }
}

impl From<&Outcome> for Card {
    fn from(outcome: &Outcome) -> Self {
        Self {
            training: outcome.training.clone(),
            steps: outcome.steps,
            threshold: outcome.threshold,
            test: outcome.test,
        }
    }
}

/// Why weights cannot be written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// It is no safetensors file.
    #[error("not a safetensors file: {0}")]
    Format(String),
    /// It is one, but no network of this program.
    #[error("not weights of moving-digits: {0}")]
    Foreign(String),
    /// It is a network, but its tensors are not those of its recurrent layer.
    #[error("not the tensors of a network with {layer}: {what}", layer = .layer.name())]
    Tensors {
        /// The recurrent layer that the card names.
        layer: Layer,
        /// Which tensors are missing, left over or of another shape.
        what: String,
    },
    /// It cannot be made.
    #[error("cannot encode weights: {0}")]
    Encode(#[from] SafetensorsStoreError),
    /// Its card cannot be made.
    #[error("cannot encode the card of weights: {0}")]
    Card(#[source] serde_json::Error),
    /// The operating system refused, or a training left no network.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no training to take weights from.
    #[error("{} was not trained", .0.name())]
    Untrained(Layer),
    /// A training's network cannot be read.
    #[error("{0}")]
    Network(String),
}

/// A network and its card as a safetensors file.
///
/// # Errors
///
/// [`WeightsError::Encode`] and [`WeightsError::Card`].
pub fn to_bytes<B: Backend>(network: &Network<B>, card: &Card) -> Result<Vec<u8>, WeightsError> {
    let json = serde_json::to_string(card).map_err(WeightsError::Card)?;
    let mut store = SafetensorsStore::from_bytes(None)
        .clear_metadata()
        .metadata(CARD, json);
    network.save_into(&mut store)?;
    Ok(store.get_bytes()?)
}

/// The network of a file that [`to_bytes`] made, and its card.
///
/// # Errors
///
/// If it is another file. Nothing is loaded in part.
pub fn from_bytes<B: Backend>(
    bytes: &[u8],
    device: &B::Device,
) -> Result<(Network<B>, Card), WeightsError> {
    let format = |error: safetensors::SafeTensorError| WeightsError::Format(error.to_string());
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(format)?;
    let json = metadata
        .metadata()
        .as_ref()
        .and_then(|entries| entries.get(CARD))
        .ok_or_else(|| WeightsError::Foreign(format!("the metadata have no {CARD:?}")))?;
    let card: Card =
        serde_json::from_str(json).map_err(|error| WeightsError::Foreign(error.to_string()))?;

    let tensors = SafeTensors::deserialize(bytes).map_err(format)?;
    let layer = card.layer();
    // The store does not look at element types.
    let other = tensors
        .iter()
        .find(|(_, tensor)| tensor.dtype() != Dtype::F32);
    if let Some((name, tensor)) = other {
        let what = format!("{name} is {:?}, not F32", tensor.dtype());
        return Err(WeightsError::Tensors { layer, what });
    }
    let mut network = Network::new(layer, 0, device);
    let mut store = SafetensorsStore::from_bytes(Some(bytes.to_vec()))
        .validate(false)
        .allow_partial(true);
    let applied = network
        .load_from(&mut store)
        .map_err(|error| WeightsError::Format(error.to_string()))?;
    let missing = applied.missing.iter().map(|(name, _)| ("no", name.clone()));
    let unused = applied.unused.iter().map(|name| ("needless", name.clone()));
    let errors = applied
        .errors
        .iter()
        .map(|error| ("wrong:", error.to_string()));
    let wrong: Vec<String> = missing
        .chain(unused)
        .chain(errors)
        .map(|(how, what)| format!("{how} {what}"))
        .collect();
    match wrong.is_empty() {
        true => Ok((network, card)),
        false => Err(WeightsError::Tensors {
            layer,
            what: wrong.join(", "),
        }),
    }
}

/// Writes the chosen network of every layer of an experiment that is done, of its first seed, to
/// `into/LAYER.safetensors`. Returns the files.
///
/// # Errors
///
/// If a training is missing, or a file cannot be read or written.
pub fn save<B: Backend>(
    folder: &Path,
    plan: &Plan,
    outcomes: &[Outcome],
    into: &Path,
    device: &B::Device,
) -> Result<Vec<PathBuf>, WeightsError> {
    let each = plan.layers.iter().map(|layer| {
        let chosen = plan.chosen(outcomes, *layer);
        let outcome = *chosen.first().ok_or(WeightsError::Untrained(*layer))?;
        let network = load_network::<B>(folder, &outcome.training, device)
            .map_err(|error| WeightsError::Network(format!("{error:#}")))?;
        let path = into.join(file_name(*layer));
        checkpoint::write(&path, &to_bytes(&network, &outcome.into())?)?;
        Ok(path)
    });
    each.collect()
}

/// The name of the file of a network with `layer`.
pub fn file_name(layer: Layer) -> String {
    format!("{}.safetensors", layer.slug())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bottleneck_lstm::Reference;
    use burn_flex::Flex;
    use safetensors::tensor::TensorView;

    use super::*;
    use crate::clip::{Clips, pixels};
    use crate::digits::{Digits, Split};

    fn card(layer: Layer) -> Card {
        Card {
            training: Plan::quick(vec![layer], 3, 10).training(layer, 3, 1e-2),
            steps: 10,
            threshold: 0.3,
            test: Score::default(),
        }
    }

    #[test]
    fn a_network_computes_the_same_bits_from_its_file() {
        let device = Default::default();
        let digits = Digits::embedded().unwrap();
        let clips = Clips {
            digits: &digits,
            split: Split::Train,
            seed: 5,
            frames: 3,
        };
        let frames = pixels::<Flex>(&clips.batch(0..1), 0..3, &device);
        for layer in [Layer::NoMemory, Layer::BottleneckLstm] {
            let network = Network::<Flex>::new(layer, 3, &device);
            let bytes = to_bytes(&network, &card(layer)).unwrap();
            let (loaded, found) = from_bytes::<Flex>(&bytes, &device).unwrap();
            assert_eq!(found, card(layer));
            let run = |network: &Network<Flex>| {
                let (logits, _) = network.forward_with(&Reference, frames.clone(), None);
                logits.into_data()
            };
            assert_eq!(run(&network), run(&loaded));
        }
    }

    #[test]
    fn other_files_are_named_for_what_they_are() {
        let device = Default::default();
        let read = |bytes: &[u8]| {
            from_bytes::<Flex>(bytes, &device)
                .expect_err("another file")
                .to_string()
        };
        assert!(read(b"").starts_with("not a safetensors file"));
        assert!(read(&[7; 100]).starts_with("not a safetensors file"));

        let values = [0; 8];
        let tensor = TensorView::new(Dtype::F32, vec![2], &values).unwrap();
        let plain = safetensors::serialize([("w", tensor.clone())], None).unwrap();
        assert!(read(&plain).contains("the metadata have no"));

        let json = serde_json::to_string(&card(Layer::BottleneckLstm)).unwrap();
        let metadata = HashMap::from([(CARD.to_owned(), json)]);
        let other = safetensors::serialize([("w", tensor)], Some(metadata)).unwrap();
        let error = read(&other);
        assert!(error.contains("a network with Bottleneck-LSTM"), "{error}");
        assert!(error.contains("needless w"), "{error}");
        assert!(error.contains("no head.weight"), "{error}");

        // A network of one kind that says it is of the other.
        let network = Network::<Flex>::new(Layer::NoMemory, 3, &device);
        let bytes = to_bytes(&network, &card(Layer::BottleneckLstm)).unwrap();
        assert!(read(&bytes).contains("recurrent"), "{}", read(&bytes));
        let whole = to_bytes(&network, &card(Layer::NoMemory)).unwrap();
        read(&whole[..whole.len() - 1]);
    }
}
