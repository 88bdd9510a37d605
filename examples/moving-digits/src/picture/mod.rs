//! Pictures of what networks see: an animation of a video and a chart of their training.

mod animation;
mod canvas;
mod chart;
mod film;

pub use animation::gif;
pub use canvas::{Canvas, Color, PictureError};
pub use chart::{Curve, training_chart};
pub use film::{Film, Panel};
