//! Networks of separable convolutions, frame by frame: MobileNets and their kin.
//!
//! A [`Graph`] says what is computed from what. [`CpuRunner::network`](crate::CpuRunner::network) plans it once:
//! an expanding convolution, the depthwise one after it, the projection and a sum with an earlier map become one
//! step, whose intermediate maps never leave the cache. Weights are packed once, and a frame allocates nothing.
//!
//! ```
//! use bottleneck_lstm_ndarray::CpuRunner;
//! use bottleneck_lstm_ndarray::network::{Activation, Convolution, Graph, Kind, Layout};
//!
//! let mut graph = Graph::new(3, [8, 6])?;
//! let stem = Convolution {
//!     name: "stem".into(),
//!     kind: Kind::Dense,
//!     channels: [3, 4],
//!     stride: 2,
//!     activation: Activation::Relu6,
//!     weight: vec![0.1; 4 * 3 * 9],
//!     bias: vec![0.0; 4],
//! };
//! let map = graph.convolve(graph.input(), stem)?;
//! graph.output(&[map], Layout::ChannelsFirst)?;
//!
//! let mut network = CpuRunner::new().network(&graph);
//! network.run(&[1.0; 3 * 8 * 6])?;
//! assert_eq!(network.output(0).len(), 4 * 4 * 3);
//! # Ok::<_, bottleneck_lstm_ndarray::network::GraphError>(())
//! ```

mod error;
mod graph;
mod plan;
mod run;

pub use error::GraphError;
pub use graph::{Activation, Convolution, Graph, Kind, Layout, Map};
pub use run::{Network, StepTime};
