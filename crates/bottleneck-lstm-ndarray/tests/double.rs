//! Cells of `f64` go to the reference.
//!
//! A device has one default element type, fixed by its first use, and `NdArray<f32>` shares a
//! device with `NdArray<f64>`: hence a test binary, and so a process, of its own.

use bottleneck_lstm::{BottleneckLstmConfig, CellRunner};
use bottleneck_lstm_ndarray::CpuRunner;
use burn::tensor::{DType, Distribution, Tensor};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;

type Double = NdArray<f64>;

#[test]
fn doubles_are_not_fused() {
    let device = Default::default();
    for config in [
        BottleneckLstmConfig::new(5, 6),
        BottleneckLstmConfig::tensorflow(5, 6).with_groups(2),
    ] {
        let cell = config.init::<Double>(&device);
        assert_eq!(cell.bottleneck.val().dtype(), DType::F64);
        assert!(!CpuRunner::new().is_fused(&cell));
        let cell = config.init::<Autodiff<Double>>(&device);
        assert!(!CpuRunner::new().is_fused(&cell));
    }
}

#[test]
fn doubles_give_what_the_reference_gives() {
    let device = Default::default();
    let cell = BottleneckLstmConfig::new(5, 6).init::<Double>(&device);
    let mut stream = CpuRunner::new().stream(&cell, 2, [3, 4]);
    let mut state = None;
    for _ in 0..2 {
        let x = Tensor::random([2, 5, 3, 4], Distribution::Default, &device);
        let (expected, next) = cell.step_output(x.clone(), state);
        assert_eq!(stream.step(x).into_data(), expected.into_data());
        state = Some(next);
    }
}
