//! Drawn tensors, and how far two are apart.

use burn::tensor::{Distribution, Tensor};
use burn_flex::Flex;

pub type B = Flex;

pub fn random<const D: usize>(shape: [usize; D]) -> Tensor<B, D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Default::default())
}

/// The largest difference over the largest magnitude.
pub fn difference<const D: usize>(left: Tensor<B, D>, right: Tensor<B, D>) -> f32 {
    let scale = right.clone().abs().max().into_scalar();
    (left - right).abs().max().into_scalar() / scale
}
