//! The scene of the viewer's: a video, and a detector that looks at it without a memory and with one.

mod damages;
mod detectors;
mod heat;
mod memory;
mod networks;
mod source;

pub use damages::{DamageRange, setting};
pub use detectors::{Detectors, Setup};
pub use memory::Memory;
pub use source::Footage;
