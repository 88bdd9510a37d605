//! Trained weights into a network: all of them, of the right shapes, or an error that says which.

use std::fmt;

use bottleneck_lstm::weights::{Checkpoint, WeightsError as ReadError};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use thiserror::Error;

use super::{Block, Layer, NetworkError};

/// Weights that do not fit a network.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file cannot be read, or holds something other than floating-point numbers.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file is of another network. Every tensor out of order is named.
    #[error("the weights are of another network: {0}")]
    Mismatch(Box<Mismatch>),
    /// The configuration describes no network.
    #[error(transparent)]
    Config(#[from] NetworkError),
}

/// All that distinguishes a file's tensors from those of a network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mismatch {
    /// Tensors of the network that the file has not.
    pub missing: Vec<String>,
    /// Tensors of the file that the network has not.
    pub surplus: Vec<String>,
    /// Tensors of another shape: name, expected, found.
    pub shapes: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl Mismatch {
    fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.surplus.is_empty() && self.shapes.is_empty()
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.missing.is_empty() {
            parts.push(format!("missing tensors: {}", self.missing.join(", ")));
        }
        if !self.surplus.is_empty() {
            parts.push(format!("unknown tensors: {}", self.surplus.join(", ")));
        }
        for (name, expected, found) in &self.shapes {
            parts.push(format!(
                "tensor `{name}`: expected shape {expected:?}, found {found:?}"
            ));
        }
        f.write_str(&parts.join("; "))
    }
}

/// The names and shapes of a layer's two tensors.
fn tensors(layer: &Layer) -> [(String, Vec<usize>); 2] {
    [
        (
            format!("{}.weight", layer.name),
            layer.weight_shape().to_vec(),
        ),
        (format!("{}.bias", layer.name), vec![layer.channels[1]]),
    ]
}

/// Checks that a file has exactly the tensors of these layers.
pub(crate) fn check(layers: &[Layer], checkpoint: &Checkpoint) -> Result<(), WeightsError> {
    let expected: Vec<_> = layers.iter().flat_map(tensors).collect();
    match mismatch(&expected, checkpoint) {
        None => Ok(()),
        Some(mismatch) => Err(WeightsError::Mismatch(Box::new(mismatch))),
    }
}

/// What distinguishes a file's tensors from those expected, names and shapes, if anything does.
pub(crate) fn mismatch(
    expected: &[(String, Vec<usize>)],
    checkpoint: &Checkpoint,
) -> Option<Mismatch> {
    let mut mismatch = Mismatch::default();
    for (name, shape) in expected {
        match checkpoint.get(name) {
            None => mismatch.missing.push(name.clone()),
            Some(view) if view.shape() != shape => {
                let found = view.shape().to_vec();
                mismatch.shapes.push((name.clone(), shape.clone(), found));
            }
            Some(_) => {}
        }
    }
    let names: std::collections::BTreeSet<&str> =
        expected.iter().map(|(name, _)| name.as_str()).collect();
    let surplus = checkpoint
        .tensors()
        .map(|view| view.name())
        .filter(|name| !names.contains(name));
    mismatch.surplus.extend(surplus.map(str::to_owned));
    (!mismatch.is_empty()).then_some(mismatch)
}

/// Puts a file's weights into the blocks of a fresh network, which are in the order of its layers.
pub(crate) fn load<'a, B: Backend>(
    layers: &[Layer],
    blocks: impl Iterator<Item = &'a mut Block<B>>,
    checkpoint: &Checkpoint,
    device: &B::Device,
) -> Result<(), WeightsError> {
    check(layers, checkpoint)?;
    let scope = checkpoint.scope("");
    let mut blocks = blocks;
    for layer in layers {
        let [(weight, _), (bias, _)] = tensors(layer);
        let weight: Tensor<B, 4> = scope.tensor(&weight, layer.weight_shape(), device)?;
        let bias: Tensor<B, 1> = scope.tensor(&bias, [layer.channels[1]], device)?;
        if let Some(block) = blocks.next() {
            block.set(weight, bias);
        }
    }
    debug_assert!(blocks.next().is_none(), "a layer for every block");
    Ok(())
}
