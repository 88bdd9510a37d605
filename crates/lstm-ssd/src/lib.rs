#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

pub mod cuts;
pub mod damage;
pub mod detection;
mod detector;
pub mod labels;
pub mod loss;
pub mod network;
mod picture;
mod sha256;
pub mod smoothing;
#[cfg(feature = "train")]
pub mod training;
pub mod truth;
#[cfg(feature = "video")]
pub mod video;
mod whole_file;

pub use detector::{Detector, DetectorError, Remembered};
pub use picture::Picture;
