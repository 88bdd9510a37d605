//! Conversions between variants in `f32`.

#[path = "common/conversions.rs"]
mod conversions;

use burn_flex::Flex;

const TOLERANCE: f64 = 1e-6;

#[test]
fn peepholes_widen() {
    conversions::peepholes_widen::<Flex>(TOLERANCE);
}

#[test]
fn paper_becomes_tensorflow() {
    conversions::paper_becomes_tensorflow::<Flex>(TOLERANCE);
}

#[test]
fn default_becomes_tensorflow() {
    conversions::default_becomes_tensorflow::<Flex>(TOLERANCE);
}

#[test]
fn anything_else_is_an_error() {
    conversions::anything_else_is_an_error::<Flex>();
}
