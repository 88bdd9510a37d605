//! Fresh weights keep a signal alive over twenty steps.
//!
//! Burn's random numbers come from one generator a process, hence a test binary of its own and one
//! test at a time.

use std::sync::Mutex;

use bottleneck_lstm::{BottleneckLstm, BottleneckLstmConfig, Initialization};
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor};
use burn_flex::Flex;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const STEPS: usize = 20;

/// Input channels, hidden channels, height and width: four times as many input as hidden channels,
/// as behind a MobileNet.
const SHAPES: [[usize; 4]; 3] = [[1024, 256, 10, 10], [512, 128, 10, 10], [256, 64, 10, 10]];

/// What five fresh cells of every shape make of noise.
fn on_every_shape(
    configure: impl Fn(BottleneckLstmConfig) -> BottleneckLstmConfig,
    check: impl Fn(&str, &BottleneckLstm<Flex>, Tensor<Flex, 5>),
) {
    let _alone = ONE_AT_A_TIME.lock();
    let device = Default::default();
    for [input, hidden, height, width] in SHAPES {
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
    let difference = cell.forward(changed, None).0 - cell.forward(xs, None).0;
    let after = |step: usize| norm(difference.clone().narrow(1, step - 1, 1));
    after(STEPS) / after(1)
}

fn hidden(cell: &BottleneckLstm<Flex>, xs: Tensor<Flex, 5>, step: usize) -> Tensor<Flex, 5> {
    cell.forward(xs, None).0.narrow(1, step - 1, 1)
}

#[test]
fn the_default_cell_stays_alive() {
    on_every_shape(
        |config| config,
        |name, cell, xs| {
            let deviation = deviation(hidden(cell, xs.clone(), STEPS));
            assert!(
                (0.1..=2.0).contains(&deviation),
                "{name}: std(h_20) {deviation}"
            );
            let memory = memory(cell, xs);
            assert!(
                (5e-4..=10.0).contains(&memory),
                "{name}: |dh_20|/|dh_1| {memory}"
            );
        },
    );
}

#[test]
fn a_forget_bias_remembers_longer() {
    on_every_shape(
        |config| config.with_forget_bias(1.0),
        |name, cell, xs| {
            let deviation = deviation(hidden(cell, xs.clone(), STEPS));
            assert!(
                (0.1..=2.0).contains(&deviation),
                "{name}: std(h_20) {deviation}"
            );
            let memory = memory(cell, xs);
            assert!(
                (2e-2..=10.0).contains(&memory),
                "{name}: |dh_20|/|dh_1| {memory}"
            );
        },
    );
}

#[test]
fn the_start_of_the_pytorch_code_is_almost_inert() {
    on_every_shape(
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
