//! Building blocks of networks of separable convolutions: MobileNets and their kin.
//!
//! A network is a list of [`Chain`]s, each up to three convolutions whose intermediate maps never leave the
//! second-level cache: expand, depthwise, project. Maps are octets from one chain to the next, and
//! [`gather`], [`scatter`] and [`channels_last`] are the borders.

mod border;
mod chain;
mod columns;
mod depthwise;
mod pointwise;
mod scratch;
mod stem;
mod window;

pub use border::{add, channels_last, gather, scatter};
pub use chain::{Chain, Head, Source, Spatial};
pub use depthwise::Depthwise;
pub use pointwise::Pointwise;
pub use scratch::Scratch;
pub use stem::Stem;
pub use window::Window;
