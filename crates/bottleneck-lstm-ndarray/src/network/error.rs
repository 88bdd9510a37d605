//! What can be wrong with a graph, or with a frame handed to its network.

use thiserror::Error;

/// A graph that describes no network, or a frame of another size.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GraphError {
    /// A size that must be at least one is zero.
    #[error("{name}: {what} must be at least 1, found 0")]
    Zero {
        /// The layer, or the input.
        name: String,
        /// What is zero.
        what: &'static str,
    },
    /// A stride for which there is no kernel.
    #[error("{name}: the stride must be {expected}, found {found}")]
    Stride {
        /// The layer.
        name: String,
        /// The strides that there are.
        expected: &'static str,
        /// The stride found.
        found: usize,
    },
    /// A layer whose channels do not fit its input or its kind.
    #[error("{name}: expected {expected} {what}, found {found}")]
    Channels {
        /// The layer.
        name: String,
        /// Which channels.
        what: &'static str,
        /// The number needed.
        expected: usize,
        /// The number found.
        found: usize,
    },
    /// A layer with another number of weights than its channels need.
    #[error("{name}: expected {expected} values of its {what}, found {found}")]
    Values {
        /// The layer.
        name: String,
        /// Weights or bias.
        what: &'static str,
        /// The number needed.
        expected: usize,
        /// The number found.
        found: usize,
    },
    /// A map that the graph has not: it is another graph's.
    #[error("{name}: expected one of the graph's {expected} maps, found map {found} of another")]
    UnknownMap {
        /// The layer that reads it.
        name: String,
        /// Maps of the graph.
        expected: usize,
        /// The map.
        found: usize,
    },
    /// A sum of maps of different shapes.
    #[error("{name}: expected two maps of shape {expected:?}, found one of {found:?}")]
    Shapes {
        /// The sum.
        name: String,
        /// Channels, height and width of the first.
        expected: [usize; 3],
        /// Those of the other.
        found: [usize; 3],
    },
    /// A frame with another number of values.
    #[error("the frame: expected {expected} values, found {found}")]
    Frame {
        /// The number needed.
        expected: usize,
        /// The number found.
        found: usize,
    },
}
