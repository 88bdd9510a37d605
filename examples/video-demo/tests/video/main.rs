//! Videos in the demo: as a source, and with the detector in front of a viewer.

mod clips;
#[path = "../common/mod.rs"]
mod common;
mod footage;
#[path = "../../../../crates/lstm-ssd/tests/detector/shared.rs"]
mod shared;
mod viewer;
