//! The scene that needs nobody's footage: moving digits, and two networks that were trained on such.

mod machine;
mod networks;
mod source;
mod weights;

pub use machine::Machine;
pub use networks::{Pair, Timing};
pub use source::MovingDigits;
pub use weights::Weights;
