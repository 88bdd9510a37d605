#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
// Guard pages, in the tests, are not to be had without.
#![cfg_attr(not(test), forbid(unsafe_code))]

mod backend;
mod call;
mod fused;
mod kernels;
mod memory;
mod pack;
#[doc(hidden)]
pub mod roofline;
mod runner;
mod stream;
mod sums;
mod threads;

pub use backend::CpuBackend;
pub use fused::Recording;
pub use kernels::instructions::Instructions;
pub use runner::CpuRunner;
pub use stream::Stream;
