//! What a format cannot say.

use super::error::WeightsError;
use super::scope::Scope;

pub(super) fn not_representable(reason: impl Into<String>) -> WeightsError {
    WeightsError::NotRepresentable {
        reason: reason.into(),
    }
}

/// Checks that the tensor of a key, if it is there, holds nothing but zeros, which a cell without
/// such a tensor computes with as well.
pub(super) fn absent_or_zero(
    scope: &Scope<'_>,
    key: &str,
    reason: &str,
) -> Result<(), WeightsError> {
    let Some(view) = scope.get(key) else {
        return Ok(());
    };
    if view.to_f64()?.iter().all(|value| *value == 0.0) {
        return Ok(());
    }
    let name = view.name();
    Err(not_representable(format!(
        "tensor `{name}` is not zero, and {reason}"
    )))
}
