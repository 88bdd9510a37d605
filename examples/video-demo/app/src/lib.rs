//! The video demo without its front doors.
//!
//! [`App`] is a state machine and the picture of it. A front door (a window, a program without one, a page in a
//! browser) hands it what happened as [`Event`]s and what time it is, draws it with egui, and does what it asks for,
//! its [`Request`]s. So it knows no threads, files, clocks or blocking reads, which this package's `clippy.toml`
//! sees to, and nothing of digits, networks or Burn: what there is to see comes as a [`Description`], and what was
//! seen as a [`Shown`].

#![warn(missing_docs)]
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]
#![forbid(unsafe_code)]

mod action;
mod app;
mod description;
mod knobs;
mod message;
mod pace;
mod picture;
mod score;
mod seen;
mod settings;
mod ui;

pub use action::{Action, Shortcut};
pub use app::App;
pub use description::{Compute, Description, Gpu, Knob, NetworkCard, SourceCard, Unit};
pub use message::{Deed, Event, Offer, Problem, Request, Step};
pub use picture::{Channels, Picture, PictureError};
pub use score::{History, Mark, Point, Tally};
pub use seen::{Found, Heat, Look, Place, Quantity, Shown, Times, Verdict, View};
pub use settings::{Appearance, Settings};
