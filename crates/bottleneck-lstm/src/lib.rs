#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod cell;
pub mod checks;
mod config;
mod conversion;
mod convgru;
mod convlstm;
mod convolution;
mod error;
pub mod fused;
mod reference;
mod runner;
mod sequence;
mod stack;
mod state;
pub mod weights;

pub use cell::BottleneckLstm;
pub use config::{
    Activation, BottleneckLstmConfig, Depthwise, Initialization, LearnedState, Peephole,
};
pub use conversion::ConversionError;
pub use convgru::{ConvGru, ConvGruConfig, ConvGruState};
pub use convlstm::{ConvLstm, ConvLstmConfig, ConvLstmState};
pub use error::{ConfigError, ShapeError};
pub use reference::{Gates, Reference};
pub use runner::CellRunner;
pub use stack::{BottleneckLstmStack, BottleneckLstmStackConfig};
pub use state::BottleneckLstmState;
