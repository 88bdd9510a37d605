//! Streams, and what a runner says of its device.

use bottleneck_lstm::BottleneckLstmConfig;
use bottleneck_lstm_wgpu::{Adapter, GpuError, WgpuRunner};
use burn::module::Param;
use burn::tensor::{Distribution, Tensor};
use burn_fusion::Fusion;
use burn_wgpu::WgpuDevice;

use super::Cube;

type B = Fusion<Cube>;

const SPATIAL: [usize; 2] = [6, 7];

fn x() -> Tensor<B, 4> {
    let device = Default::default();
    Tensor::random([2, 5, 6, 7], Distribution::Normal(0.0, 1.0), &device)
}

#[test]
fn a_stream_is_a_sequence_of_steps() {
    let cell = BottleneckLstmConfig::tensorflow(5, 4)
        .with_output_bottleneck(true)
        .init::<B>(&Default::default());
    let runner = WgpuRunner::new();
    let mut stream = runner.stream(&cell, 2, SPATIAL);
    let (first, second) = (x(), x());
    let mut state = None;
    for x in [first.clone(), second] {
        let found = stream.step(x.clone());
        let (expected, next) = cell.try_step_output_with(&runner, x, state).unwrap();
        assert_eq!(found.into_data(), expected.into_data());
        assert_eq!(
            stream.state().cell.into_data(),
            next.cell.clone().into_data()
        );
        state = Some(next);
    }
    stream.reset();
    let (expected, _) = cell
        .try_step_output_with(&runner, first.clone(), None)
        .unwrap();
    let expected = expected.into_data();
    assert_eq!(stream.step(first.clone()).into_data(), expected);
    stream.set_state(state.expect("two steps"));
    assert_ne!(stream.step(first).into_data(), expected);
}

#[test]
fn what_does_not_fit_leaves_the_state_alone() {
    let cell = BottleneckLstmConfig::new(5, 4).init::<B>(&Default::default());
    let mut stream = WgpuRunner::new().stream(&cell, 2, SPATIAL);
    stream.step(x());
    let before = stream.state();
    let error = stream.try_step(Tensor::ones([2, 5, 7, 6], &Default::default()));
    assert!(error.unwrap_err().to_string().contains("height"));
    let other = cell.init_state(1, SPATIAL);
    assert!(stream.try_set_state(other).is_err());
    assert_eq!(stream.state().cell.into_data(), before.cell.into_data());
}

#[test]
fn the_adapter_says_what_it_is() {
    let adapter = Adapter::of(&WgpuDevice::default()).expect("an adapter");
    let runner = WgpuRunner::try_new(&WgpuDevice::default()).expect("an adapter");
    let description = runner.describe().to_string();
    assert!(description.contains(&adapter.name), "{description}");
    assert!(description.contains(&adapter.backend), "{description}");
    assert!(description.contains(&adapter.driver), "{description}");
}

#[test]
fn a_device_that_is_not_there_is_an_error() {
    let error = WgpuRunner::try_new(&WgpuDevice::DiscreteGpu(99)).expect_err("so many GPUs");
    assert!(matches!(&error, GpuError::NoAdapter { .. }));
    assert!(error.to_string().contains("DiscreteGpu(99)"), "{error}");
}

#[test]
fn buffers_past_the_limit_are_an_error_before_anything_is_allocated() {
    let adapter = Adapter {
        max_buffer: 1 << 20,
        ..Adapter::of(&WgpuDevice::default()).expect("an adapter")
    };
    let name = adapter.name.clone();
    let runner = WgpuRunner::with_adapter(adapter);
    let cell = BottleneckLstmConfig::new(5, 4).init::<B>(&Default::default());
    assert!(runner.try_stream(&cell, 1, [100, 100]).is_ok());
    let error = runner
        .try_stream(&cell, 1, [1000, 1000])
        .expect_err("20 MB of input");
    let expected =
        format!("the input takes 20000000 bytes, and {name} binds at most 1048576 to a kernel");
    assert_eq!(error.to_string(), expected);
}

#[test]
#[should_panic(expected = "gates has another number of values than its cell")]
fn a_parameter_of_another_size_never_reaches_a_kernel() {
    let device = Default::default();
    let mut cell = BottleneckLstmConfig::new(5, 4).init::<B>(&device);
    cell.gates = Param::from_tensor(Tensor::ones([8, 4, 1, 1], &device));
    cell.step_with(&WgpuRunner::new(), x(), None);
}
