//! The detector against numbers that others worked out: pycocotools, NumPy, OpenCV, and the interpreter that
//! the published weights came with.

mod average_precision;
mod damage;
#[cfg(feature = "cpu")]
mod detector;
#[cfg(feature = "cpu")]
mod frame_memory;
mod losses;
mod lstm_ssd;
mod memory;
mod memory_file;
#[cfg(feature = "cpu")]
mod memory_runner;
mod mobilenet_v1;
mod mobilenet_v2;
mod picture;
#[cfg(feature = "cpu")]
mod runner;
mod shared;
mod weights;
