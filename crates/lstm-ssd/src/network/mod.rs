//! The networks, built from configurations, on every Burn backend.

mod block;
mod error;
mod heads;
mod layer;
mod lstm_ssd;
mod mobilenet_v1;
mod mobilenet_v2;
mod weights;

pub use block::{Block, Normalization};
pub use error::NetworkError;
pub use heads::{Heads, Predictions};
pub use layer::{Cost, Layer};
pub use lstm_ssd::{LstmSsd, LstmSsdConfig, LstmSsdState, MAPS};
pub use mobilenet_v1::{MobileNetV1, MobileNetV1Config};
pub use mobilenet_v2::{MobileNetV2Ssd, MobileNetV2SsdConfig};
pub use weights::{Mismatch, WeightsError};
