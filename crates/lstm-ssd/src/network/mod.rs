//! The networks, built from configurations, on every Burn backend.

mod block;
mod error;
mod fingerprint;
mod frame_memory;
#[cfg(feature = "cpu")]
mod frame_runner;
#[cfg(feature = "cpu")]
mod graph;
mod heads;
mod layer;
mod lstm_ssd;
mod memory;
mod memory_file;
#[cfg(feature = "cpu")]
mod memory_runner;
mod mobilenet_v1;
mod mobilenet_v2;
mod pointwise;
#[cfg(feature = "cpu")]
mod runner;
mod weights;

pub use block::{Block, Normalization};
pub use error::NetworkError;
pub use fingerprint::fingerprint;
#[cfg(feature = "train")]
pub(crate) use frame_memory::{COLOURS, frames_of, patches_of};
pub use frame_memory::{FrameMemory, FrameMemoryConfig};
#[cfg(feature = "train")]
pub(crate) use frame_runner::FrameRunner;
pub use heads::{Heads, Predictions};
pub use layer::{Cost, Layer};
pub use lstm_ssd::{LstmSsd, LstmSsdConfig, LstmSsdState, MAPS};
#[cfg(feature = "train")]
pub(crate) use memory::GATE_GAIN;
pub use memory::{Memory, MemoryConfig, MemoryState};
pub use memory_file::{MemoryCard, MemoryFileError};
pub use mobilenet_v1::{MobileNetV1, MobileNetV1Config};
pub use mobilenet_v2::{MobileNetV2Ssd, MobileNetV2SsdConfig};
#[cfg(feature = "train")]
pub(crate) use pointwise::column;
#[cfg(feature = "cpu")]
pub(crate) use runner::Moment;
#[cfg(feature = "cpu")]
pub use runner::{Numbers, RunnerError, SsdRunner};
pub use weights::{Mismatch, WeightsError};
