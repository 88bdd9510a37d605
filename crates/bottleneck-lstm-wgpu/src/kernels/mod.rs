//! The kernels. They know buffers and sizes, and nothing of Burn.
//!
//! Maps stay channels first, as Burn has them: threads side by side work on positions side by side, and
//! nothing is packed or turned. Sizes are constants of a kernel, which is compiled for each set of them.

#![expect(
    clippy::collapsible_if,
    reason = "an `if let` at compile time is none in the kernel"
)]

pub mod activation;
pub mod depthwise;
pub mod gates;
pub mod product;
pub mod scale;

use cubecl::prelude::*;

/// Where the frames of a batch lie in a buffer, in vectors or values, whatever the buffer has.
#[derive(CubeLaunch, CubeType, Clone, Copy)]
pub struct Place {
    /// Where the first one begins.
    pub first: usize,
    /// From one to the next.
    pub frame: usize,
}
