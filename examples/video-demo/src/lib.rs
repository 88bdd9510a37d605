//! The front doors of the video demo.
//!
//! [`video_demo_app`] is the app itself. Here is what it leaves to others: a [`source`] with [`networks`] that look at
//! it, of which there are two, moving [`digits`] and a [`video`] with a detector, both from this [`program`]; a
//! [`desk`] that does what the app asks for, a [`worker`] that does it beside a window, pictures without one
//! ([`headless`]), and how fast it all is ([`measure`](mod@measure)).

#![warn(missing_docs)]

pub mod cli;
pub mod desk;
pub mod digits;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod headless;
pub mod measure;
pub mod networks;
#[cfg(feature = "gpu")]
pub mod offscreen;
pub mod program;
pub mod raster;
pub mod sidecar;
pub mod source;
pub mod stage;
mod texture;
pub mod video;
#[cfg(feature = "window")]
pub mod window;
pub mod worker;
