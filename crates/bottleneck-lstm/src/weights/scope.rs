//! Loading a module: exactly these tensors, of exactly these shapes.

use std::collections::BTreeSet;
use std::ops::Bound;

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::checkpoint::{Checkpoint, TensorView};
use super::element::ElementType;
use super::error::WeightsError;

/// The tensors of a [`Checkpoint`] whose names begin with a prefix. Keys are names without it.
///
/// To load a module without surprises, name all its keys with [`expect`](Self::expect), then take
/// each with its shape, and build the module last:
///
/// ```
/// use bottleneck_lstm::weights::{Checkpoint, WeightsError};
/// use burn::tensor::Tensor;
/// use burn_flex::Flex;
///
/// fn scale(checkpoint: &Checkpoint) -> Result<Tensor<Flex, 1>, WeightsError> {
///     let scope = checkpoint.scope("net.norm.");
///     scope.expect(&["weight"], &["num_batches_tracked"])?;
///     scope.tensor("weight", [64], &Default::default())
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    checkpoint: &'a Checkpoint,
    prefix: &'a str,
}

impl<'a> Scope<'a> {
    pub(super) fn new(checkpoint: &'a Checkpoint, prefix: &'a str) -> Self {
        Self { checkpoint, prefix }
    }

    /// The prefix.
    pub fn prefix(&self) -> &'a str {
        self.prefix
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> {
        let prefix = self.prefix;
        self.checkpoint
            .tensors
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .map_while(move |(name, _)| name.strip_prefix(prefix))
    }

    /// The tensor of a key.
    pub fn get(&self, key: &str) -> Option<TensorView<'a>> {
        self.checkpoint.get(&self.name(key))
    }

    /// Checks that all the `required` keys are there, and none but them and the `optional` ones.
    ///
    /// # Errors
    ///
    /// A [`WeightsError::Keys`] that names every key out of order.
    pub fn expect<K: AsRef<str>>(
        &self,
        required: &[K],
        optional: &[K],
    ) -> Result<(), WeightsError> {
        let known: BTreeSet<&str> = required.iter().chain(optional).map(AsRef::as_ref).collect();
        let missing: Vec<String> = required
            .iter()
            .filter(|key| self.get(key.as_ref()).is_none())
            .map(|key| self.name(key.as_ref()))
            .collect();
        let surplus: Vec<String> = self
            .keys()
            .filter(|key| !known.contains(key))
            .map(|key| self.name(key))
            .collect();
        if missing.is_empty() && surplus.is_empty() {
            return Ok(());
        }
        let all_missing = missing.len() == required.len();
        let elsewhere = required.first().filter(|_| all_missing).and_then(|first| {
            let names = self.checkpoint.tensors.keys();
            names
                .filter_map(|name| name.strip_suffix(first.as_ref()))
                .map(str::to_owned)
                .next()
        });
        Err(WeightsError::Keys {
            missing,
            surplus,
            elsewhere,
        })
    }

    /// The tensor of a key, which must have that shape and floating-point elements.
    ///
    /// # Errors
    ///
    /// If it is absent, of another shape or of another type.
    pub fn view(&self, key: &str, shape: &[usize]) -> Result<TensorView<'a>, WeightsError> {
        let view = self.get(key).ok_or_else(|| WeightsError::Keys {
            missing: vec![self.name(key)],
            surplus: Vec::new(),
            elsewhere: None,
        })?;
        if view.shape() != shape {
            return Err(WeightsError::Shape {
                key: self.name(key),
                expected: shape.to_vec(),
                found: view.shape().to_vec(),
            });
        }
        if !view.element_type().is_float() {
            let found = view.element_type();
            return Err(WeightsError::ElementType {
                key: self.name(key),
                found,
            });
        }
        Ok(view)
    }

    /// Reads the tensor of a key into the default floating-point type of `device`.
    ///
    /// # Errors
    ///
    /// As [`view`](Self::view).
    pub fn tensor<B: Backend, const D: usize>(
        &self,
        key: &str,
        shape: [usize; D],
        device: &B::Device,
    ) -> Result<Tensor<B, D>, WeightsError> {
        Ok(Tensor::from_data(
            self.view(key, &shape)?.to_data()?,
            device,
        ))
    }

    fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

impl TensorView<'_> {
    /// The values with their shape: 64-bit numbers as they are, 16- and 32-bit ones as `f32`,
    /// exactly.
    ///
    /// # Errors
    ///
    /// If the elements are not floating-point numbers of 16, 32 or 64 bits.
    pub fn to_data(&self) -> Result<TensorData, WeightsError> {
        let shape = self.shape().to_vec();
        Ok(match self.element_type() {
            ElementType::F64 => TensorData::new(self.to_f64()?, shape),
            _ => TensorData::new(self.to_f32()?, shape),
        })
    }
}
