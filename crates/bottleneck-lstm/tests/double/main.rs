//! What is promised for `f64`, in a process of its own: the element type of a device is fixed by
//! its first use.

mod conversion;
#[path = "../common/conversions.rs"]
mod conversions;
#[path = "../weights/fixtures.rs"]
mod fixtures;
#[path = "../weights/steps.rs"]
mod steps;
mod weights;
