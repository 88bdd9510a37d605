//! When two tensors are the same numbers.

use bottleneck_lstm::BottleneckLstmState;
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Element, Tensor, TensorData};

use crate::parameters::Named;

/// The largest difference allowed, in units of the largest magnitude expected.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// Of results against those of another implementation.
    pub results: f64,
    /// Of gradients against those of another implementation.
    pub gradients: f64,
    /// Of results that the same implementation computed in another order, as in chunks.
    pub order: f64,
}

impl Tolerance {
    /// The tolerance of a backend's default element type.
    pub fn of<B: Backend>() -> Self {
        match default_dtype::<B>() {
            // What is compared with is rounded to f32, but for `order`.
            DType::F64 => Self {
                results: 1e-6,
                gradients: 1e-6,
                order: 1e-12,
            },
            _ => Self {
                results: 1e-5,
                gradients: 1e-4,
                order: 5e-6,
            },
        }
    }
}

/// The element type of a backend's type parameter.
pub fn default_dtype<B: Backend>() -> DType {
    <B::FloatElem as Element>::dtype()
}

/// The values of a tensor in `f64`, whatever its backend, element type and layout.
pub fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> TensorData {
    tensor.into_data().convert::<f64>()
}

/// The largest difference between two tensors, in units of the largest magnitude expected. It is
/// not finite if a value found is not, or if all values expected are zero and some found are not.
///
/// # Panics
///
/// If the shapes differ.
pub fn relative_difference(found: &TensorData, expected: &TensorData) -> f64 {
    assert_eq!(
        found.shape, expected.shape,
        "shape found (left), expected (right)"
    );
    let (mut difference, mut magnitude) = (0.0_f64, 0.0_f64);
    for (found, expected) in found.iter::<f64>().zip(expected.iter::<f64>()) {
        if !(found - expected).is_finite() {
            return f64::INFINITY;
        }
        difference = difference.max((found - expected).abs());
        magnitude = magnitude.max(expected.abs());
    }
    if difference == 0.0 {
        0.0
    } else {
        difference / magnitude
    }
}

/// Asserts that `found` is `expected`, up to `tolerance` times the largest magnitude expected.
///
/// # Panics
///
/// If it is not, or if the shapes differ. `what` names the tensor.
#[track_caller]
pub fn assert_close(what: &str, found: &TensorData, expected: &TensorData, tolerance: f64) {
    assert_eq!(
        found.shape, expected.shape,
        "{what}: shape found (left), expected (right)"
    );
    let difference = relative_difference(found, expected);
    assert!(
        difference <= tolerance,
        "{what}: relative difference {difference:.2e}, more than {tolerance:.0e}"
    );
}

/// The results of a sequence by name: `outputs`, `cell` and `hidden`.
pub fn results<B: Backend>(outputs: Tensor<B, 5>, state: BottleneckLstmState<B>) -> Named {
    let results = [
        ("outputs", values(outputs)),
        ("cell", values(state.cell)),
        ("hidden", values(state.hidden)),
    ];
    results
        .map(|(name, values)| (name.to_string(), values))
        .into()
}

/// Asserts that every tensor of `expected`, and no other, is in `found` with the same values.
#[track_caller]
pub fn assert_all_close(what: &str, found: &Named, expected: &Named, tolerance: f64) {
    let names = |named: &Named| named.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(found),
        names(expected),
        "{what}: found (left), expected (right)"
    );
    // All that differ: which do says more than that one does.
    let differing: Vec<_> = expected
        .iter()
        .filter_map(|(name, expected)| {
            let found = &found[name];
            if found.shape != expected.shape {
                return Some(format!(
                    "{name}: {:?}, not {:?}",
                    found.shape, expected.shape
                ));
            }
            let difference = relative_difference(found, expected);
            // Not a number is no small difference.
            (difference.is_nan() || difference > tolerance)
                .then(|| format!("{name}: relative difference {difference:.2e}"))
        })
        .collect();
    assert!(
        differing.is_empty(),
        "{what}: {}, more than {tolerance:.0e}",
        differing.join(", ")
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(values: &[f64]) -> TensorData {
        TensorData::new(values.to_vec(), [values.len()])
    }

    #[test]
    fn difference_is_relative_to_the_largest_magnitude() {
        assert_eq!(
            relative_difference(&data(&[0.0, 3.5]), &data(&[0.0, 4.0])),
            0.125
        );
        assert_eq!(
            relative_difference(&data(&[0.0, 0.0]), &data(&[0.0, 0.0])),
            0.0
        );
    }

    #[test]
    fn nothing_broken_is_close() {
        let one = data(&[1.0]);
        assert!(relative_difference(&data(&[f64::NAN]), &one).is_infinite());
        assert!(relative_difference(&one, &data(&[f64::NAN])).is_infinite());
        assert!(relative_difference(&data(&[f64::INFINITY]), &one).is_infinite());
        assert!(relative_difference(&one, &data(&[0.0])).is_infinite());
    }
}
