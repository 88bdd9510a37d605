#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod backend;
mod kernels;
mod memory;
mod pack;
mod runner;
mod stream;
mod sums;
mod threads;

pub use backend::CpuBackend;
pub use kernels::instructions::Instructions;
pub use runner::{CpuRunner, Recording};
pub use stream::Stream;
