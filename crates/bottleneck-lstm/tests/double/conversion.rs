//! Conversions between variants.

use burn::tensor::{DType, Tensor};
use burn_ndarray::NdArray;

use crate::conversions;

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
