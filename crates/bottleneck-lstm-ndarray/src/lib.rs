#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
#![forbid(unsafe_code)]

mod backend;
mod call;
mod fused;
mod kept;
pub mod network;
mod plan;
mod runner;
mod stream;
mod threads;

pub use backend::CpuBackend;
pub use bottleneck_lstm_kernels::{Instructions, Loops};
pub use fused::Recording;
pub use runner::CpuRunner;
pub use stream::Stream;
