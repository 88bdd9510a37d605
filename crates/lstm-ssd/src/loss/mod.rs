//! What a detector is trained with: a loss of box codes and one of classes.

mod focal;
mod ssd;

pub use focal::{FocalLoss, FocalLossConfig};
pub use ssd::{Classification, SsdLoss, SsdLossConfig, Targets};
