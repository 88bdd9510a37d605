//! Validation shared by the cells and their runners: once, before anything is allocated or run.

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor};

use crate::{BottleneckLstmState, ConfigError, ShapeError};

/// Parameters of the largest cell that may be built: one GiB in `f32`.
pub(crate) const MAX_PARAMETERS: u64 = 1 << 28;

/// Elements of the largest state or mask that may be allocated.
pub(crate) const MAX_ELEMENTS: usize = 1 << 31;

pub(crate) fn at_least_one(field: &'static str, found: usize) -> Result<(), ConfigError> {
    if found == 0 {
        Err(ConfigError::Zero { field })
    } else {
        Ok(())
    }
}

pub(crate) fn odd_kernel(found: usize) -> Result<(), ConfigError> {
    if found.is_multiple_of(2) {
        Err(ConfigError::EvenKernel { found })
    } else {
        Ok(())
    }
}

pub(crate) fn spatial(field: &'static str, size: [usize; 2]) -> Result<[usize; 2], ConfigError> {
    if size.contains(&0) {
        Err(ConfigError::Zero { field })
    } else {
        Ok(size)
    }
}

pub(crate) fn finite(field: &'static str, found: f64) -> Result<(), ConfigError> {
    if found.is_finite() {
        Ok(())
    } else {
        Err(ConfigError::Number {
            field,
            expected: "finite",
            found,
        })
    }
}

/// Sizes for arithmetic, capped so that the product of two does not overflow.
pub(crate) fn capped<const N: usize>(sizes: [usize; N]) -> [u128; N] {
    sizes.map(|size| (size as u128).min(1 << 60))
}

/// Multiply-accumulates of `weights` at every position, `u64::MAX` where they do not fit.
pub(crate) fn macs(weights: u128, spatial: [usize; 2]) -> u64 {
    let [height, width] = capped(spatial);
    u64::try_from(weights.saturating_mul(height * width)).unwrap_or(u64::MAX)
}

pub(crate) fn parameter_count(found: u128) -> Result<(), ConfigError> {
    if found <= MAX_PARAMETERS as u128 {
        return Ok(());
    }
    let found = u64::try_from(found).unwrap_or(u64::MAX);
    Err(ConfigError::TooLarge {
        found,
        limit: MAX_PARAMETERS,
    })
}

/// That a tensor of `shape` can be allocated and is not empty.
pub(crate) fn allocatable(tensor: &'static str, shape: &[usize]) -> Result<(), ShapeError> {
    if shape.contains(&0) {
        return Err(ShapeError::Empty {
            tensor,
            shape: shape.to_vec(),
        });
    }
    let elements = shape
        .iter()
        .try_fold(1_usize, |product, size| product.checked_mul(*size));
    match elements {
        Some(elements) if elements <= MAX_ELEMENTS => Ok(()),
        _ => Err(ShapeError::TooLarge {
            tensor,
            shape: shape.to_vec(),
            limit: MAX_ELEMENTS,
        }),
    }
}

/// That an image's shape, `[batch, channels, height, width]`, is `expected`.
///
/// # Errors
///
/// [`ShapeError::Dimension`], naming the first dimension that differs.
pub fn image_exactly(
    tensor: &'static str,
    expected: [usize; 4],
    found: [usize; 4],
) -> Result<(), ShapeError> {
    dimensions(tensor, IMAGE, expected, found)
}

/// That `tensor` has exactly the sizes of `expected`, dimension by dimension.
pub(crate) fn dimensions<const D: usize>(
    tensor: &'static str,
    names: [&'static str; D],
    expected: [usize; D],
    found: [usize; D],
) -> Result<(), ShapeError> {
    for dim in 0..D {
        if expected[dim] != found[dim] {
            return Err(ShapeError::Dimension {
                tensor,
                dimension: names[dim],
                expected: expected[dim],
                found: found[dim],
                shape: found.to_vec(),
            });
        }
    }
    Ok(())
}

/// That the elements of `tensor` are of the `expected` type.
///
/// # Errors
///
/// [`ShapeError::DType`].
pub fn dtype(tensor: &'static str, expected: DType, found: DType) -> Result<(), ShapeError> {
    if expected == found {
        return Ok(());
    }
    Err(ShapeError::DType {
        tensor,
        expected: format!("{expected:?}"),
        found: format!("{found:?}"),
    })
}

const IMAGE: [&str; 4] = ["batch", "channels", "height", "width"];

/// An input `[batch, channels, height, width]` against the cell's channels and pinned size.
pub(crate) fn image(
    tensor: &'static str,
    channels: usize,
    pinned: Option<[usize; 2]>,
    found: [usize; 4],
) -> Result<(), ShapeError> {
    let [height, width] = pinned.unwrap_or([found[2], found[3]]);
    dimensions(tensor, IMAGE, [found[0], channels, height, width], found)?;
    allocatable(tensor, &found)
}

/// That both tensors of a state have the `expected` shape, `[batch, hidden, height, width]`, and
/// element type.
///
/// # Errors
///
/// [`ShapeError`], naming the tensor as `state.cell` or `state.hidden`.
pub fn state<B: Backend>(
    state: &BottleneckLstmState<B>,
    expected: [usize; 4],
    dtype: DType,
) -> Result<(), ShapeError> {
    for (name, tensor) in [("state.cell", &state.cell), ("state.hidden", &state.hidden)] {
        hidden(name, tensor, expected, dtype)?;
    }
    Ok(())
}

/// One tensor of a state against the input it meets.
pub(crate) fn hidden<B: Backend>(
    name: &'static str,
    tensor: &Tensor<B, 4>,
    expected: [usize; 4],
    dtype: DType,
) -> Result<(), ShapeError> {
    dimensions(name, IMAGE, expected, tensor.dims())?;
    self::dtype(name, dtype, tensor.dtype())
}
