//! Streams, and what a runner says of its device.

use bottleneck_lstm::{BottleneckLstm, BottleneckLstmConfig};
use bottleneck_lstm_wgpu::{Adapter, GpuError, WgpuRunner};
use burn::module::Param;
use burn::tensor::{DType, Distribution, Tensor};
use burn_autodiff::Autodiff;
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

/// `cell` with the weights of its pointwise convolutions rounded to `f16`.
fn rounded(mut cell: BottleneckLstm<B>) -> BottleneckLstm<B> {
    let round = |weights: Tensor<B, 4>| weights.cast(DType::F16).cast(DType::F32);
    cell.bottleneck = cell.bottleneck.map(round);
    cell.gates = cell.gates.map(round);
    cell
}

#[test]
fn half_weights_are_those_of_a_rounded_cell() {
    let device = WgpuDevice::default();
    let runner = WgpuRunner::try_new(&device).expect("an adapter");
    let half = runner.clone().with_half_weights();
    let grouped = BottleneckLstmConfig::tensorflow(5, 8).with_groups(4);
    let configs = [
        BottleneckLstmConfig::new(5, 4),
        BottleneckLstmConfig::new(12, 20).with_gate_bias(true),
        grouped.clone().with_output_bottleneck(true),
        grouped.with_scale_state(true),
    ];
    for config in configs {
        let cell = config.init::<B>(&device);
        let mut found = match half.try_stream(&cell, 2, SPATIAL) {
            Ok(stream) => stream,
            Err(error) => {
                assert!(
                    !Adapter::of(&device).expect("an adapter").has_f16,
                    "{error}"
                );
                assert!(matches!(error, GpuError::NoHalf { .. }));
                return;
            }
        };
        let mut expected = runner.stream(&rounded(cell.clone()), 2, SPATIAL);
        let mut full = runner.stream(&cell, 2, SPATIAL);
        let normal = Distribution::Normal(0.0, 1.0);
        for _ in 0..16 {
            let x = Tensor::random([2, config.input_channels, 6, 7], normal, &device);
            let [found, expected, full] =
                [&mut found, &mut expected, &mut full].map(|stream| stream.step(x.clone()));
            assert_eq!(found.clone().into_data(), expected.into_data());
            let largest = full.clone().abs().max().into_scalar();
            let difference = (found - full).abs().max().into_scalar();
            // Of 240 cells drawn like these, two in a hundred went beyond 2e-3, and none beyond 4e-3.
            assert!(
                difference > 0.0 && difference < 1e-2 * largest,
                "{difference} of {largest}"
            );
        }
    }
}

#[test]
#[should_panic(expected = "weights are F16, where their cell is f32")]
fn half_weights_are_not_trained() {
    type A = Autodiff<Cube>;
    let device = Default::default();
    let mut cell = BottleneckLstmConfig::new(5, 4).init::<A>(&device);
    cell.gates = cell.gates.map(|weights| weights.cast(DType::F16));
    let x = Tensor::<A, 4>::ones([2, 5, 6, 7], &device).require_grad();
    cell.step_with(&WgpuRunner::new(), x, None);
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
    let config = cell.config();
    assert!(runner.check(config, [1, 1], [170, 170]).is_ok());
    let error = runner.check_training(config, [1, 1], [170, 170]);
    let error = error.expect_err("2.3 MB of gates").to_string();
    assert!(
        error.starts_with("the record of the gates takes 2312000 bytes"),
        "{error}"
    );
    for spatial in [[usize::MAX, 3], [1 << 20, 1 << 30]] {
        assert!(matches!(
            runner.check(config, [1, 1], spatial),
            Err(GpuError::TooLarge { bytes, .. }) if bytes > 1 << 50
        ));
    }
}

#[test]
fn a_backward_pass_binds_more_buffers() {
    let adapter = Adapter {
        max_bindings: 6,
        ..Adapter::of(&WgpuDevice::default()).expect("an adapter")
    };
    let runner = WgpuRunner::with_adapter(adapter);
    let config = BottleneckLstmConfig::new(5, 4);
    assert!(runner.check(&config, [1, 2], SPATIAL).is_ok());
    let error = runner.check_training(&config, [1, 2], SPATIAL);
    let error = error.expect_err("seven buffers of six").to_string();
    assert!(error.starts_with("a kernel takes 7 buffers"), "{error}");
}

#[test]
#[should_panic(expected = "gates has another number of values than its cell")]
fn a_parameter_of_another_size_never_reaches_a_kernel() {
    let device = Default::default();
    let mut cell = BottleneckLstmConfig::new(5, 4).init::<B>(&device);
    cell.gates = Param::from_tensor(Tensor::ones([8, 4, 1, 1], &device));
    cell.step_with(&WgpuRunner::new(), x(), None);
}
