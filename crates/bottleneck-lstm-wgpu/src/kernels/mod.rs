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
pub mod depthwise_backward;
pub mod gates;
pub mod gates_backward;
pub mod gradients;
pub mod product;
pub mod scale;
pub mod transposed;

use cubecl::prelude::*;

/// Where the frames of a batch lie in a buffer, in vectors or values, whatever the buffer has.
#[derive(CubeLaunch, CubeType, Clone, Copy)]
pub struct Place {
    /// Where the first one begins.
    pub first: usize,
    /// From one to the next.
    pub frame: usize,
}

/// Where the frames of a sequence lie in a buffer, likewise.
#[derive(CubeLaunch, CubeType, Clone, Copy)]
pub struct Strides {
    /// Where the first one of the first video begins.
    pub first: usize,
    /// From one video to the next.
    pub batch: usize,
    /// From one step to the next.
    pub time: usize,
}

#[cube]
impl Strides {
    /// Where frame `index` begins, of videos of `time` steps each.
    pub fn frame(&self, index: usize, time: usize) -> usize {
        self.first + index / time * self.batch + index % time * self.time
    }
}
