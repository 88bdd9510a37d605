//! What can be wrong with a configuration or with the shapes handed to a cell.

use thiserror::Error;

/// A configuration that describes no cell.
///
/// Returned by the `validate` and `try_init` functions; `init` panics with the same message.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A size that must be at least one is zero.
    #[error("{field} must be at least 1, found 0")]
    Zero {
        /// The configuration field.
        field: &'static str,
    },
    /// The number of hidden channels is odd.
    #[error("hidden_channels must be even, found {found}")]
    OddHiddenChannels {
        /// The number of hidden channels found.
        found: usize,
    },
    /// The kernel size is even, so no 'same' padding is symmetric.
    #[error("kernel_size must be odd, found {found}")]
    EvenKernel {
        /// The kernel size found.
        found: usize,
    },
    /// The groups do not divide the hidden channels.
    #[error(
        "groups must divide hidden_channels, found {groups} groups for {hidden_channels} hidden channels"
    )]
    Groups {
        /// The number of groups found.
        groups: usize,
        /// The number of hidden channels.
        hidden_channels: usize,
    },
    /// Two fields exclude each other.
    #[error("{first} and {second} exclude each other: {reason}")]
    Conflict {
        /// The first field with its value.
        first: &'static str,
        /// The second field with its value.
        second: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// Two fields fix the spatial size and disagree.
    #[error("{first} and {second} must name one spatial size, found {expected:?} and {found:?}")]
    SpatialConflict {
        /// The first field.
        first: &'static str,
        /// The second field.
        second: &'static str,
        /// The first field's `[height, width]`.
        expected: [usize; 2],
        /// The second field's `[height, width]`.
        found: [usize; 2],
    },
    /// A number that is not finite or out of range.
    #[error("{field} must be {expected}, found {found}")]
    Number {
        /// The configuration field.
        field: &'static str,
        /// The range that is legal.
        expected: &'static str,
        /// The value found.
        found: f64,
    },
    /// The parameters would take more memory than any such cell has.
    #[error("the cell would have {found} parameters, more than the limit of {limit}")]
    TooLarge {
        /// The number of parameters, `u64::MAX` where it does not fit.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// Neighbouring layers of a stack do not fit.
    #[error(
        "layer {layer} of the stack expects {expected} input channels, but the layer before it yields {found}"
    )]
    Stack {
        /// The index of the layer, from zero.
        layer: usize,
        /// Its input channels.
        expected: usize,
        /// The output channels of the layer before it.
        found: usize,
    },
    /// Layers of a stack pin different spatial sizes.
    #[error(
        "layer {layer} of the stack pins the spatial size {found:?}, but layer {pinned_by} pins {expected:?}"
    )]
    StackSpatial {
        /// The index of the layer, from zero.
        layer: usize,
        /// The index of the first layer that pins a size.
        pinned_by: usize,
        /// The first layer's `[height, width]`.
        expected: [usize; 2],
        /// The layer's own `[height, width]`.
        found: [usize; 2],
    },
}

/// A tensor whose shape does not fit the cell, the state or the other tensors of a call.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// One dimension of a tensor differs from what is needed.
    #[error("{tensor}: expected {expected} {dimension}, found {found} (shape {shape:?})")]
    Dimension {
        /// The tensor.
        tensor: &'static str,
        /// The dimension, as `channels`.
        dimension: &'static str,
        /// The size needed.
        expected: usize,
        /// The size found.
        found: usize,
        /// The tensor's whole shape.
        shape: Vec<usize>,
    },
    /// A dimension that must be at least one is zero.
    #[error("{tensor}: every dimension must be at least 1 (shape {shape:?})")]
    Empty {
        /// The tensor.
        tensor: &'static str,
        /// The tensor's whole shape.
        shape: Vec<usize>,
    },
    /// A tensor would have more elements than can be addressed.
    #[error("{tensor}: shape {shape:?} has more than {limit} elements")]
    TooLarge {
        /// The tensor.
        tensor: &'static str,
        /// The tensor's whole shape.
        shape: Vec<usize>,
        /// The limit.
        limit: usize,
    },
    /// A tensor's element type differs from that of the input.
    #[error("{tensor}: expected elements of type {expected}, found {found}")]
    DType {
        /// The tensor.
        tensor: &'static str,
        /// The element type needed.
        expected: String,
        /// The element type found.
        found: String,
    },
    /// A list has the wrong number of entries.
    #[error("{name}: expected {expected} entries, found {found}")]
    Count {
        /// The list.
        name: &'static str,
        /// The number of entries needed.
        expected: usize,
        /// The number of entries found.
        found: usize,
    },
}
