#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod backend;
mod kernels;
mod pack;
mod runner;
mod stream;
mod threads;

pub use backend::CpuBackend;
pub use runner::{CpuRunner, Recording};
pub use stream::Stream;
