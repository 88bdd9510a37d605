//! Checks at sizes that do not suit a vector register, against the reference runner in `f64`.

use bottleneck_lstm::{
    Activation, BottleneckLstmConfig, CellRunner, Depthwise, LearnedState, Peephole, Reference,
};
use burn::tensor::DType;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn_autodiff::Autodiff;
use burn_flex::Flex;

use crate::case::Case;
use crate::compare::{self, Tolerance, assert_all_close};
use crate::differentiate::{Loss, differentiate};
use crate::random::Random;

/// Channels below, at and above the lanes of every vector register.
const CHANNELS: [usize; 11] = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33];

/// How many cases are drawn.
const CASES: u64 = 40;

/// The largest number of values of a sequence's state: of more, some would be too near a kink.
const MAX_VALUES: usize = 12_000;

/// The distance to the nearest kink, well above what `f32` gets wrong.
const MARGIN: f64 = 1e-5;

fn case(seed: u64) -> Case {
    let mut random = Random::new(seed);
    let (config, sizes) = (0..)
        .map(|_| (config(&mut random), sizes(&mut random)))
        .find(|(config, sizes)| {
            config.hidden_channels * sizes.iter().product::<usize>() <= MAX_VALUES
        })
        .map(|(config, sizes)| (pinned(config, [sizes[2], sizes[3]], &mut random), sizes))
        .expect("an endless iterator");
    let name = format!("case {seed} of {config} at {sizes:?}");
    Case::find(&name, &config, sizes, seed, |survey| {
        survey.distance >= MARGIN
    })
}

fn config(random: &mut Random) -> BottleneckLstmConfig {
    let activations = [
        Activation::Identity,
        Activation::Relu,
        Activation::Relu6,
        Activation::Tanh,
    ];
    let (ci, m) = (random.pick(&CHANNELS), random.pick(&CHANNELS));
    let groups = if m % 2 == 0 {
        random.pick(&[1, 1, 2, 3])
    } else {
        random.pick(&[2, 4])
    };
    let depthwise = match groups {
        1 => random.pick(&[Depthwise::Input, Depthwise::InputAndHidden]),
        _ => Depthwise::InputAndHidden,
    };
    BottleneckLstmConfig::new(ci, m * groups)
        .with_groups(groups)
        .with_depthwise(depthwise)
        .with_kernel_size(random.pick(&[1, 3, 3, 3, 5]))
        .with_activation(random.pick(&activations))
        .with_bottleneck_activation(random.pick(&activations))
        .with_gate_bias(random.chance(0.5))
        .with_forget_bias(random.pick(&[0.0, 1.0]))
        .with_carry_activated(random.pick(&[None, Some(false), Some(true)]))
        .with_output_bottleneck(random.chance(0.5))
}

/// Batch, time, height and width.
fn sizes(random: &mut Random) -> [usize; 4] {
    [3, 3, 9, 9].map(|largest| 1 + random.below(largest))
}

/// With what a configuration can have only once the spatial size is known, and one bound at most.
fn pinned(
    config: BottleneckLstmConfig,
    spatial: [usize; 2],
    random: &mut Random,
) -> BottleneckLstmConfig {
    let peepholes = [
        None,
        Some(Peephole::PerChannel),
        Some(Peephole::PerPosition(spatial)),
    ];
    let learned = [
        LearnedState::None,
        LearnedState::None,
        LearnedState::PerChannel,
        LearnedState::PerPosition(spatial),
    ];
    let (clip, scale) = random.pick(&[(None, false), (Some(1.5), false), (None, true)]);
    config
        .with_peephole(random.pick(&peepholes))
        .with_learned_state(random.pick(&learned))
        .with_clip_state(clip)
        .with_scale_state(scale)
}

/// Results at awkward sizes are those of the reference in `f64`.
pub fn awkward_sizes_give_the_same<B: Backend, R: CellRunner<B>>(runner: &R) {
    for seed in 0..CASES {
        let case = case(seed);
        let exact = case.load_as::<Flex>(DType::F64);
        let (outputs, state) = exact.cell.forward(exact.xs, exact.state);
        let expected = compare::results(outputs, state);

        let loaded = case.load::<B>();
        let (outputs, state) = loaded.cell.forward_with(runner, loaded.xs, loaded.state);
        let found = compare::results(outputs, state);
        assert_all_close(&case.name, &found, &expected, Tolerance::of::<B>().results);
    }
}

/// Gradients at awkward sizes are those of the reference in `f64`.
pub fn awkward_sizes_have_the_same_gradients<B: AutodiffBackend, R: CellRunner<B>>(runner: &R) {
    for seed in 0..CASES {
        let case = case(seed);
        let loss = Loss::draw(&case, seed);
        let exact = case.load_as::<Autodiff<Flex>>(DType::F64);
        let expected = differentiate(&Reference, exact, &loss, |_| true);

        let found = differentiate(runner, case.load::<B>(), &loss, |_| true);
        let tolerance = Tolerance::of::<B>().gradients;
        assert_all_close(&case.name, &found.gradients, &expected.gradients, tolerance);
    }
}
