//! How many kernels a call launches: a promise, since launches are what small maps cost on a GPU.

use bottleneck_lstm::{
    Activation, BottleneckLstmConfig, BottleneckLstmState, CellRunner, Depthwise, LearnedState,
    Peephole,
};
use bottleneck_lstm_wgpu::{Adapter, WgpuRunner};
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor};
use burn_autodiff::Autodiff;
use burn_fusion::Fusion;

use super::Cube;

const INPUT: usize = 12;
const HIDDEN: usize = 8;
const SPATIAL: [usize; 2] = [4, 5];

/// Every variant of the cell.
fn variants() -> Vec<(&'static str, BottleneckLstmConfig)> {
    let [height, width] = SPATIAL;
    let grouped = BottleneckLstmConfig::tensorflow(INPUT, HIDDEN)
        .with_groups(4)
        .with_output_bottleneck(true);
    vec![
        ("default", BottleneckLstmConfig::new(INPUT, HIDDEN)),
        (
            "peepholes",
            BottleneckLstmConfig::new(INPUT, HIDDEN)
                .with_peephole(Peephole::PerPosition([height, width])),
        ),
        ("paper", BottleneckLstmConfig::paper(INPUT, HIDDEN)),
        (
            "tensorflow",
            BottleneckLstmConfig::tensorflow(INPUT, HIDDEN),
        ),
        ("grouped", grouped.clone()),
        ("grouped, scaled", grouped.with_scale_state(true)),
        (
            "everything",
            BottleneckLstmConfig::new(INPUT, HIDDEN)
                .with_kernel_size(5)
                .with_depthwise(Depthwise::InputAndHidden)
                .with_groups(2)
                .with_activation(Activation::Tanh)
                .with_bottleneck_activation(Activation::Relu6)
                .with_gate_bias(true)
                .with_forget_bias(1.0)
                .with_peephole(Peephole::PerChannel)
                .with_clip_state(2.0)
                .with_output_bottleneck(true)
                .with_learned_state(LearnedState::PerChannel),
        ),
    ]
}

/// Launches of a sequence of `time` steps of two videos, from a state of its own.
fn launches<B: Backend>(config: &BottleneckLstmConfig, time: usize) -> u64
where
    WgpuRunner: CellRunner<B>,
{
    let (device, [height, width]) = (B::Device::default(), SPATIAL);
    let runner = WgpuRunner::new();
    let cell = config.init::<B>(&device);
    assert!(runner.is_fused(&cell));
    let noise = Distribution::Normal(0.0, 1.0);
    let state = || Tensor::random([2, HIDDEN, height, width], noise, &device);
    let start = BottleneckLstmState::new(state(), state());
    let xs = Tensor::random([2, time, INPUT, height, width], noise, &device);
    let (outputs, last) = cell.forward_with(&runner, xs, Some(start));
    // All that a user would read is there without further launches of ours.
    let _ = (
        outputs.into_data(),
        last.hidden.into_data(),
        last.cell.into_data(),
    );
    runner.launches().count()
}

fn check<B: Backend>()
where
    WgpuRunner: CellRunner<B>,
{
    for (name, config) in variants() {
        assert!(launches::<B>(&config, 1) <= 4, "a step, {name}");
        for time in [2, 5] {
            let found = launches::<B>(&config, time);
            let bound = 4 * time as u64 + 1;
            assert!(found <= bound, "{time} steps, {name}: {found}");
        }
    }
    // Without a depthwise convolution of the hidden state a step of a sequence takes one less.
    let default = BottleneckLstmConfig::new(INPUT, HIDDEN);
    assert_eq!(launches::<B>(&default, 16), 2 + 3 * 16);
}

#[test]
fn a_step_is_at_most_four_launches() {
    check::<Cube>();
}

#[test]
fn a_step_is_at_most_four_launches_with_fusion() {
    check::<Fusion<Cube>>();
}

#[test]
fn a_stream_is_warm_from_the_start() {
    let device = Default::default();
    let halves = Adapter::of(&device).expect("an adapter").has_f16;
    let half = halves.then(|| WgpuRunner::new().with_half_weights());
    for runner in std::iter::once(WgpuRunner::new()).chain(half) {
        for (name, config) in variants() {
            let cell = config.init::<Cube>(&device);
            let mut stream = runner.stream(&cell, 2, SPATIAL);
            for step in 0..4 {
                let before = runner.launches().count();
                stream.step(Tensor::ones([2, INPUT, SPATIAL[0], SPATIAL[1]], &device));
                let found = runner.launches().count() - before;
                let on = runner.describe();
                assert!(found <= 4, "step {step}, {name} on {on}: {found}");
            }
            stream.sync().expect("a device that works");
        }
    }
}

#[test]
fn a_strided_input_is_one_copy_more() {
    let device = Default::default();
    let runner = WgpuRunner::new();
    let cell = BottleneckLstmConfig::new(INPUT, HIDDEN).init::<Cube>(&device);
    let x = Tensor::<Cube, 4>::ones([2, SPATIAL[0], SPATIAL[1], INPUT], &device);
    cell.step_with(&runner, x.permute([0, 3, 1, 2]), None);
    assert_eq!(runner.launches().count(), 5);
}

/// Launches of a recorded sequence of `time` steps, and of its backward pass.
fn training_launches(config: &BottleneckLstmConfig, time: usize) -> [u64; 2] {
    type Backend = Autodiff<Cube>;
    let (device, [height, width]) = (Default::default(), SPATIAL);
    let runner = WgpuRunner::new();
    let cell = config.init::<Backend>(&device);
    let noise = Distribution::Normal(0.0, 1.0);
    let state = || Tensor::random([2, HIDDEN, height, width], noise, &device);
    let start = BottleneckLstmState::new(state(), state());
    let xs = Tensor::random([2, time, INPUT, height, width], noise, &device).require_grad();
    let (outputs, last) = cell.forward_with(&runner, xs, Some(start));
    let forward = runner.launches().count();
    let gradients = (outputs.sum() + last.cell.sum()).backward();
    assert!(cell.gates.val().grad(&gradients).is_some());
    [forward, runner.launches().count() - forward]
}

#[test]
fn training_launches_are_bounded() {
    for (name, config) in variants() {
        for time in [1, 3] {
            let steps = time as u64;
            let [forward, backward] = training_launches(&config, time);
            assert!(
                forward <= 5 * steps + 4,
                "forward, {time} steps, {name}: {forward}"
            );
            let each = if config.scale_state { 7 } else { 5 };
            let bound = each * steps + 15;
            assert!(
                backward <= bound,
                "backward, {time} steps, {name}: {backward}"
            );
        }
    }
}
