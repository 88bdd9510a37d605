#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod adapter;
mod backend;
mod backward;
mod device;
mod device_backward;
mod error;
mod forward;
mod fusion;
mod kernels;
mod launches;
mod plan;
mod runner;
mod stream;
mod tape;
mod tiling;

pub use adapter::Adapter;
pub use backend::GpuBackend;
pub use error::GpuError;
pub use launches::Launches;
pub use runner::{Description, WgpuRunner};
pub use stream::Stream;
pub use tiling::Tiling;
