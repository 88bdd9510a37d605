#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
#![forbid(unsafe_code)]

mod ahead;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod backward;
mod bands;
mod convolve;
mod depthwise;
mod fork;
pub mod forward;
mod gates;
mod gates_backward;
mod instructions;
mod lanes;
mod math;
mod memory;
mod octets;
mod outer;
mod pack;
mod panels;
mod plan;
mod planes;
mod portable;
mod product;
#[doc(hidden)]
pub mod roofline;
pub mod separable;
mod share;
mod step;
mod sums;
#[cfg(test)]
mod tests;

pub use depthwise::{Map, covers};
pub use fork::awake;
pub use instructions::{Instructions, Loops};
pub use lanes::{LANES, Octet};
pub use math::sigmoid_all;
pub use memory::{Buffer, Memory};
pub use pack::{Packed, Transposed, Weights};
pub use plan::{Activation, Plan};
pub use share::Team;
pub use sums::Sums;
