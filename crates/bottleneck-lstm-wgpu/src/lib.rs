#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod adapter;
mod backend;
mod device;
mod error;
mod forward;
mod kernels;
mod launches;
mod plan;
mod runner;
mod stream;

pub use adapter::Adapter;
pub use backend::GpuBackend;
pub use error::GpuError;
pub use launches::Launches;
pub use runner::{Description, WgpuRunner};
pub use stream::Stream;
