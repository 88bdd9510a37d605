//! Videos in the demo: as a source, and with the detector in front of a viewer.

mod clips;
#[path = "../common/mod.rs"]
mod common;
mod footage;
mod viewer;
