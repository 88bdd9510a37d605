#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod checks;
mod config;
mod error;
mod state;

pub use config::{
    Activation, BottleneckLstmConfig, Depthwise, Initialization, LearnedState, Peephole,
};
pub use error::{ConfigError, ShapeError};
pub use state::BottleneckLstmState;
