//! Fresh weights keep a signal alive over twenty steps.
//!
//! Burn's random numbers come from one generator a process, hence a test binary of its own and one
//! test at a time.

use std::ops::RangeInclusive;
use std::sync::Mutex;

use bottleneck_lstm::{BottleneckLstm, BottleneckLstmConfig, Initialization};
use bottleneck_lstm_ndarray::CpuRunner;
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor};
use burn_flex::Flex;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const STEPS: usize = 20;

/// Input channels, hidden channels, height and width: four times as many input as hidden channels,
/// as behind a MobileNet.
const FUNNELS: [[usize; 4]; 3] = [[1024, 256, 10, 10], [512, 128, 10, 10], [256, 64, 10, 10]];

/// As many input as hidden channels, fewer, and far more.
const OTHERS: [[usize; 4]; 5] = [
    [64, 64, 40, 40],
    [64, 64, 8, 8],
    [16, 64, 20, 20],
    [256, 256, 10, 10],
    [512, 64, 10, 10],
];

/// So few channels that single draws differ widely.
const NARROW: [[usize; 4]; 2] = [[32, 32, 40, 40], [1, 16, 16, 16]];

/// What five fresh cells of every shape make of noise.
fn on(
    shapes: &[[usize; 4]],
    configure: impl Fn(BottleneckLstmConfig) -> BottleneckLstmConfig,
    check: impl Fn(&str, &BottleneckLstm<Flex>, Tensor<Flex, 5>),
) {
    let _alone = ONE_AT_A_TIME.lock();
    let device = Default::default();
    for &[input, hidden, height, width] in shapes {
        let config = configure(BottleneckLstmConfig::new(input, hidden));
        for seed in 0..5 {
            Flex::seed(&device, seed);
            let cell = config.init::<Flex>(&device);
            let shape = [1, STEPS, input, height, width];
            let xs = Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device);
            let name = format!("{input} to {hidden} at {height}x{width}, seed {seed}");
            check(&name, &cell, xs);
        }
    }
}

fn deviation<const D: usize>(x: Tensor<Flex, D>) -> f32 {
    x.reshape([-1]).var(0).sqrt().into_scalar()
}

fn norm<const D: usize>(x: Tensor<Flex, D>) -> f32 {
    x.powi_scalar(2).sum().sqrt().into_scalar()
}

/// How much of a small change of the first frame is left in the hidden state after twenty steps,
/// in units of what it changes after one.
fn memory(cell: &BottleneckLstm<Flex>, xs: Tensor<Flex, 5>) -> f32 {
    let first = xs.clone().narrow(1, 0, 1);
    let noise = Distribution::Normal(0.0, 0.1);
    let changed = first.clone() + Tensor::random(first.dims(), noise, &first.device());
    let changed = Tensor::cat(vec![changed, xs.clone().narrow(1, 1, STEPS - 1)], 1);
    let difference = hiddens(cell, changed) - hiddens(cell, xs);
    let after = |step: usize| norm(difference.clone().narrow(1, step - 1, 1));
    after(STEPS) / after(1)
}

/// With the runner that takes a third of the time; others give the same, as the suite shows.
fn hiddens(cell: &BottleneckLstm<Flex>, xs: Tensor<Flex, 5>) -> Tensor<Flex, 5> {
    cell.forward_with(&CpuRunner::new(), xs, None).0
}

fn hidden(cell: &BottleneckLstm<Flex>, xs: Tensor<Flex, 5>, step: usize) -> Tensor<Flex, 5> {
    hiddens(cell, xs).narrow(1, step - 1, 1)
}

/// That five fresh cells of every shape keep the deviation of `h_20` and the memory of the first
/// frame in their bands.
fn assert_alive(
    shapes: &[[usize; 4]],
    configure: impl Fn(BottleneckLstmConfig) -> BottleneckLstmConfig,
    deviations: RangeInclusive<f32>,
    memories: RangeInclusive<f32>,
) {
    on(shapes, configure, |name, cell, xs| {
        let deviation = deviation(hidden(cell, xs.clone(), STEPS));
        assert!(
            deviations.contains(&deviation),
            "{name}: std(h_20) {deviation}"
        );
        let memory = memory(cell, xs);
        assert!(
            memories.contains(&memory),
            "{name}: |dh_20|/|dh_1| {memory}"
        );
    });
}

#[test]
fn the_default_cell_stays_alive() {
    for shapes in [&FUNNELS[..], &OTHERS] {
        assert_alive(shapes, |config| config, 0.1..=2.0, 5e-4..=10.0);
    }
}

#[test]
fn a_forget_bias_remembers_longer() {
    let configure = |config: BottleneckLstmConfig| config.with_forget_bias(1.0);
    for shapes in [&FUNNELS[..], &OTHERS] {
        assert_alive(shapes, configure, 0.1..=2.0, 2e-2..=10.0);
    }
}

/// Wider bands than above: with so few channels the draw decides.
#[test]
fn a_narrow_cell_does_not_explode() {
    for forget_bias in [0.0, 1.0] {
        let configure = |config: BottleneckLstmConfig| config.with_forget_bias(forget_bias);
        assert_alive(&NARROW, configure, 0.1..=10.0, 1e-4..=10.0);
    }
}

#[test]
fn the_published_variants_stay_alive() {
    let paper = |config: BottleneckLstmConfig| {
        BottleneckLstmConfig::paper(config.input_channels, config.hidden_channels)
    };
    let tensorflow = |config: BottleneckLstmConfig| {
        BottleneckLstmConfig::tensorflow(config.input_channels, config.hidden_channels)
    };
    assert_alive(&OTHERS, paper, 0.1..=2.0, 5e-4..=10.0);
    // A forget bias of 1, as above; groups of a quarter of the channels differ more.
    assert_alive(&OTHERS, tensorflow, 0.1..=2.0, 2e-2..=10.0);
    let grouped = |config| tensorflow(config).with_groups(4);
    assert_alive(&OTHERS, grouped, 0.1..=2.0, 5e-3..=10.0);
}

#[test]
fn the_bottleneck_is_drawn_as_documented() {
    let _alone = ONE_AT_A_TIME.lock();
    let device = Default::default();
    let (input, hidden, groups) = (256, 512, 4);
    let group = hidden / groups;
    let config = BottleneckLstmConfig::tensorflow(input, hidden).with_groups(groups);
    Flex::seed(&device, 0);
    for (initialization, of_input, of_hidden) in [
        (Initialization::FanIn, 1.6 / 256.0, 0.4 / 128.0),
        (Initialization::PyTorch, 2.0 / 512.0, 2.0 / 512.0),
    ] {
        let config = config.clone().with_initialization(initialization);
        let weights = config.init::<Flex>(&device).bottleneck.val();
        for (start, len, variance) in [(0, input, of_input), (input, group, of_hidden)] {
            let found = deviation(weights.clone().narrow(1, start, len));
            let expected = f32::sqrt(variance);
            assert!(
                (found / expected - 1.0).abs() < 0.02,
                "{initialization:?}: deviation {found} from column {start} on, not {expected}"
            );
        }
    }
}

#[test]
fn the_start_of_the_pytorch_code_is_almost_inert() {
    on(
        &FUNNELS,
        |config| config,
        |name, cell, xs| {
            let config = cell
                .config()
                .clone()
                .with_initialization(Initialization::PyTorch);
            let inert = config.init::<Flex>(&xs.device());
            let fan_in = deviation(hidden(cell, xs.clone(), 1));
            let pytorch = deviation(hidden(&inert, xs, 1));
            assert!(
                fan_in >= 8.0 * pytorch,
                "{name}: std(h_1) {fan_in}, PyTorch's {pytorch}"
            );
        },
    );
}
