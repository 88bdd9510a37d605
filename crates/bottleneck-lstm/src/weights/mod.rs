//! Weights in and out: `.safetensors` files, PyTorch's `.pt` and `.pth`, TensorFlow's names.
//!
//! [`from_pytorch`] and [`from_tensorflow`] build a cell of a file, alone or within a whole
//! network's; [`to_pytorch`] and [`to_tensorflow`] write one, to the last bit what was read if the
//! file has the device's element type.
//! [`Checkpoint`] reads the named tensors of any such file, to load the rest of a network.
//!
//! Files are data from strangers. None of these functions panics, runs code or takes memory out
//! of proportion, whatever a file holds, and none returns a module that was loaded in part.
//!
//! ```
//! use bottleneck_lstm::BottleneckLstmConfig;
//! use bottleneck_lstm::weights::{from_pytorch, to_pytorch};
//! use burn_flex::Flex;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("cell.safetensors");
//! let device = Default::default();
//! let config = BottleneckLstmConfig::new(16, 8);
//! to_pytorch(&config.init::<Flex>(&device), &path)?;
//! let cell = from_pytorch::<Flex>(&config, &path, "", &device)?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! Burn's own records keep what these formats do not, such as parameter ids: to resume training,
//! save a record.

mod archive;
mod checkpoint;
mod element;
mod error;
mod globals;
mod layout;
mod objects;
mod pickle;
mod pytorch;
mod representable;
mod safetensors;
mod save;
mod scope;
mod state_dict;
mod tensorflow;
mod torch;

pub use checkpoint::{Checkpoint, TensorView};
pub use element::ElementType;
pub use error::{Format, WeightsError};
pub use pytorch::{from_pytorch, from_pytorch_scope, to_pytorch};
pub use scope::Scope;
pub use tensorflow::{from_tensorflow, from_tensorflow_scope, to_tensorflow};
