//! Conversions between variants in `f64`: a binary of its own, since a device's default element
//! type is fixed by its first use.

#[path = "common/conversions.rs"]
mod conversions;

use burn::tensor::{DType, Tensor};
use burn_ndarray::NdArray;

#[test]
fn conversions_are_exact() {
    type B = NdArray<f64>;
    assert_eq!(
        Tensor::<B, 1>::zeros([1], &Default::default()).dtype(),
        DType::F64
    );
    conversions::peepholes_widen::<B>(1e-12);
    conversions::paper_becomes_tensorflow::<B>(1e-12);
    conversions::default_becomes_tensorflow::<B>(1e-12);
    conversions::anything_else_is_an_error::<B>();
}
