//! Checks of the cells that have no runner but their own: ConvLSTM and ConvGRU, and with them the
//! stack of Bottleneck-LSTMs.

use bottleneck_lstm::{
    Activation, BottleneckLstmConfig, BottleneckLstmStack, BottleneckLstmStackConfig,
    BottleneckLstmState, ConvGru, ConvGruConfig, ConvGruState, ConvLstm, ConvLstmConfig,
};
use burn::module::{AutodiffModule, Module};
use burn::optim::{GradientsParams, Optimizer, SgdConfig};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{DType, ElementConversion, Tensor, TensorData};
use burn_flex::Flex;
use serde_json::from_str;

use crate::compare::{self, Tolerance, assert_all_close};
use crate::differentiate::{central_difference, sample};
use crate::fixture::Fixture;
use crate::parameters::{self, Named};
use crate::random::Random;

/// What the checks need of a cell.
pub trait Baseline<B: Backend>: Module<B> {
    /// The tensors of its state.
    const STATE: &[&str];

    /// What it is checked on.
    fn fixtures() -> Vec<Fixture>;

    /// A cell of a configuration in JSON.
    fn build(config: &str, device: &B::Device) -> serde_json::Result<Self>;

    /// Runs `xs`, `[batch, time, input, height, width]`, from the tensors of a state.
    fn run(&self, xs: Tensor<B, 5>, state: Vec<Tensor<B, 4>>) -> (Tensor<B, 5>, Vec<Tensor<B, 4>>);
}

impl<B: Backend> Baseline<B> for ConvLstm<B> {
    const STATE: &[&str] = &["cell", "hidden"];

    fn fixtures() -> Vec<Fixture> {
        Fixture::all("conv_lstm")
    }

    fn build(config: &str, device: &B::Device) -> serde_json::Result<Self> {
        from_str(config).map(|config: ConvLstmConfig| config.init(device))
    }

    fn run(&self, xs: Tensor<B, 5>, state: Vec<Tensor<B, 4>>) -> (Tensor<B, 5>, Vec<Tensor<B, 4>>) {
        let state = BottleneckLstmState::new(state[0].clone(), state[1].clone());
        let (outputs, state) = self.forward(xs, Some(state));
        (outputs, vec![state.cell, state.hidden])
    }
}

impl<B: Backend> Baseline<B> for ConvGru<B> {
    const STATE: &[&str] = &["hidden"];

    fn fixtures() -> Vec<Fixture> {
        Fixture::all("conv_gru")
    }

    fn build(config: &str, device: &B::Device) -> serde_json::Result<Self> {
        from_str(config).map(|config: ConvGruConfig| config.init(device))
    }

    fn run(&self, xs: Tensor<B, 5>, state: Vec<Tensor<B, 4>>) -> (Tensor<B, 5>, Vec<Tensor<B, 4>>) {
        let (outputs, state) = self.forward(xs, Some(ConvGruState::new(state[0].clone())));
        (outputs, vec![state.hidden])
    }
}

/// Two layers that differ in all that a stack has to hand on, drawn at random. Both are smooth: a
/// difference across a kink would be no gradient.
impl<B: Backend> Baseline<B> for BottleneckLstmStack<B> {
    const STATE: &[&str] = &[
        "layers.0.cell",
        "layers.0.hidden",
        "layers.1.cell",
        "layers.1.hidden",
    ];

    fn fixtures() -> Vec<Fixture> {
        let (batch, time, input, hidden, output) = (2, 4, 3, 4, 6);
        let [height, width] = [2, 3];
        let smooth = |config: BottleneckLstmConfig| config.with_activation(Activation::Tanh);
        let first = BottleneckLstmConfig::new(input, hidden).with_output_bottleneck(true);
        let second = BottleneckLstmConfig::tensorflow(2 * hidden, output)
            .with_groups(3)
            .with_bottleneck_activation(Activation::Tanh);
        let config = BottleneckLstmStackConfig::new(vec![smooth(first), smooth(second)]);

        let mut random = Random::new(0);
        let fresh = parameters::named(&config.init::<Flex>(&Default::default()));
        let mut tensors: Named = fresh
            .into_iter()
            .map(|(name, fresh)| (format!("param.{name}"), random.tensor(&fresh.shape, 0.3)))
            .collect();
        let mut draw = |key: String, shape: &[usize]| {
            tensors.insert(key, random.tensor(shape, 1.0));
        };
        draw("xs".to_string(), &[batch, time, input, height, width]);
        let outputs = [batch, time, output, height, width];
        draw("upstream.outputs".to_string(), &outputs);
        for (name, channels) in Self::STATE.iter().zip([hidden, hidden, output, output]) {
            let state = [batch, channels, height, width];
            draw(format!("{name}0"), &state);
            draw(format!("upstream.{name}"), &state);
        }
        let config = serde_json::to_string(&config).expect("a configuration");
        vec![Fixture::new("stack", "stack", config, tensors)]
    }

    fn build(config: &str, device: &B::Device) -> serde_json::Result<Self> {
        from_str(config).map(|config: BottleneckLstmStackConfig| config.init(device))
    }

    fn run(&self, xs: Tensor<B, 5>, state: Vec<Tensor<B, 4>>) -> (Tensor<B, 5>, Vec<Tensor<B, 4>>) {
        let states = state.chunks(2);
        let states = states.map(|pair| BottleneckLstmState::new(pair[0].clone(), pair[1].clone()));
        let (outputs, states) = self.forward(xs, Some(states.collect()));
        let states = states.into_iter();
        (
            outputs,
            states
                .flat_map(|state| [state.cell, state.hidden])
                .collect(),
        )
    }
}

/// The cell, the sequence and the start state of a fixture.
fn load<B: Backend, M: Baseline<B>>(fixture: &Fixture) -> (M, Tensor<B, 5>, Vec<Tensor<B, 4>>) {
    let device = B::Device::default();
    let options = || (&device, compare::default_dtype::<B>());
    let cell = M::build(&fixture.config, &device)
        .unwrap_or_else(|error| panic!("{}: config: {error}", fixture.name));
    let cell = parameters::replaced(cell, &fixture.group("param."), options().1);
    let xs = Tensor::from_data(fixture.tensor("xs").clone(), options());
    let state = M::STATE
        .iter()
        .map(|name| Tensor::from_data(fixture.tensor(&format!("{name}0")).clone(), options()));
    (cell, xs, state.collect())
}

fn named<B: Backend, M: Baseline<B>>(outputs: Tensor<B, 5>, state: Vec<Tensor<B, 4>>) -> Named {
    let state = M::STATE.iter().zip(state);
    let state = state.map(|(name, tensor)| (name.to_string(), compare::values(tensor)));
    state
        .chain([("outputs".to_string(), compare::values(outputs))])
        .collect()
}

/// Outputs and the last state are those of every fixture.
pub fn results_are_those_of_pytorch<B: Backend, M: Baseline<B>>() {
    for fixture in M::fixtures() {
        let (cell, xs, state) = load::<B, M>(&fixture);
        let (outputs, state) = cell.run(xs, state);
        let found = named::<B, M>(outputs, state);
        let expected = found
            .keys()
            .map(|name| (name.clone(), fixture.tensor(name).clone()))
            .collect();
        assert_all_close(
            &fixture.name,
            &found,
            &expected,
            Tolerance::of::<B>().results,
        );
    }
}

/// A sequence in two chunks gives what the whole gives, wherever it is split.
pub fn chunks_equal_the_whole<B: Backend, M: Baseline<B>>() {
    for fixture in M::fixtures() {
        let (cell, xs, start) = load::<B, M>(&fixture);
        let (outputs, state) = cell.run(xs.clone(), start.clone());
        let expected = named::<B, M>(outputs, state);
        let time = xs.dims()[1];
        for split in 1..time {
            let (first, state) = cell.run(xs.clone().narrow(1, 0, split), start.clone());
            let (second, state) = cell.run(xs.clone().narrow(1, split, time - split), state);
            let found = named::<B, M>(Tensor::cat(vec![first, second], 1), state);
            let what = format!("{}: split after {split}", fixture.name);
            assert_all_close(&what, &found, &expected, Tolerance::of::<B>().order);
        }
    }
}

/// The weighted sum of the results that is differentiated, `[1]`.
fn loss<B: Backend, M: Baseline<B>>(
    fixture: &Fixture,
    outputs: Tensor<B, 5>,
    state: Vec<Tensor<B, 4>>,
) -> Tensor<B, 1> {
    let (device, dtype) = (outputs.device(), outputs.dtype());
    let weights = |name: &str| fixture.tensor(&format!("upstream.{name}")).clone();
    let mut loss = (outputs * Tensor::from_data(weights("outputs"), (&device, dtype))).sum();
    for (name, tensor) in M::STATE.iter().zip(state) {
        loss = loss + (tensor * Tensor::from_data(weights(name), (&device, dtype))).sum();
    }
    loss
}

/// The gradients of every parameter, of the input `xs` and of the start state, as `cell0`.
fn differentiate<B: AutodiffBackend, M: Baseline<B> + AutodiffModule<B>>(
    fixture: &Fixture,
) -> Named {
    let (cell, xs, state) = load::<B, M>(fixture);
    let xs = xs.require_grad();
    let start: Vec<_> = state.into_iter().map(Tensor::require_grad).collect();
    let (outputs, state) = cell.run(xs.clone(), start.clone());
    let grads = loss::<B, M>(fixture, outputs, state).backward();

    let mut found = parameters::gradients(&cell, &grads);
    found.extend(
        xs.grad(&grads)
            .map(|grad| ("xs".to_string(), compare::values(grad))),
    );
    for (name, tensor) in M::STATE.iter().zip(start) {
        let gradient = tensor.grad(&grads);
        found.extend(gradient.map(|grad| (format!("{name}0"), compare::values(grad))));
    }
    found
}

/// The gradients of every parameter, of the input and of the start state are those of every
/// fixture.
pub fn gradients_are_those_of_pytorch<B: AutodiffBackend, M: Baseline<B> + AutodiffModule<B>>() {
    for fixture in M::fixtures() {
        assert_all_close(
            &fixture.name,
            &differentiate::<B, M>(&fixture),
            &fixture.group("grad."),
            Tolerance::of::<B>().gradients,
        );
    }
}

/// The first `steps` steps of a fixture's first video. The results and gradients that it still has
/// are those of the whole.
fn cut<B: Backend, M: Baseline<B>>(fixture: &Fixture, steps: usize) -> Fixture {
    let states = M::STATE.iter();
    let states = states.flat_map(|name| [format!("{name}0"), format!("upstream.{name}")]);
    let keys = ["xs".to_string(), "upstream.outputs".to_string()];
    keys.into_iter()
        .chain(states)
        .fold(fixture.clone(), |cut, key| {
            let data = fixture.tensor(&key);
            let mut shape = data.shape.to_vec();
            shape[0] = 1;
            if let [_, time, _, _, _] = &mut shape[..] {
                *time = steps;
            }
            // The first of everything, in order: a prefix.
            let len = shape.iter().product();
            let values: Vec<f32> = data.iter::<f32>().take(len).collect();
            cut.with(&key, TensorData::new(values, shape))
        })
}

/// The gradients of every parameter, of the input and of the start state are central differences
/// wherever one is taken, on a backend of `f64`.
pub fn gradients_are_central_differences<B, M>()
where
    B: AutodiffBackend,
    M: Baseline<B> + AutodiffModule<B>,
    M::InnerModule: Baseline<B::InnerBackend>,
{
    assert_eq!(compare::default_dtype::<B>(), DType::F64);
    for fixture in M::fixtures() {
        // Two runs a value: short ones.
        let fixture = cut::<B, M>(&fixture, 3);
        let parameters = fixture.group("param.").into_keys();
        let starts = M::STATE.iter().map(|name| format!("{name}0"));
        let names = parameters.chain(starts).chain(["xs".to_string()]);
        let expected = names.map(|name| {
            let parameter = format!("param.{name}");
            let key = fixture.get(&parameter).map_or(&name, |_| &parameter);
            let difference = central_difference(fixture.tensor(key), |values| {
                let fixture = fixture.with(key, values);
                let (cell, xs, state) = load::<B::InnerBackend, M::InnerModule>(&fixture);
                assert_eq!(xs.dtype(), DType::F64);
                let (outputs, state) = cell.run(xs, state);
                let loss = loss::<B::InnerBackend, M::InnerModule>(&fixture, outputs, state);
                loss.into_scalar().elem()
            });
            (name, difference)
        });
        let expected = expected.collect();
        let found = sample(&differentiate::<B, M>(&fixture));
        assert_all_close(&fixture.name, &found, &expected, 1e-6);
    }
}

/// After two optimiser steps over a sequence, from a state that is not zero, every parameter has
/// moved.
pub fn an_optimiser_moves_everything<B: AutodiffBackend, M: Baseline<B> + AutodiffModule<B>>() {
    for fixture in M::fixtures() {
        let (mut cell, xs, state) = load::<B, M>(&fixture);
        assert!(xs.dims()[1] >= 3, "{}: steps", fixture.name);
        let before = parameters::named(&cell);
        let mut optimiser = SgdConfig::new().init();
        for _ in 0..2 {
            let (outputs, next) = cell.run(xs.clone(), state.clone());
            let gradients = loss::<B, M>(&fixture, outputs, next).backward();
            let gradients = GradientsParams::from_grads(gradients, &cell);
            cell = optimiser.step(1e-3, cell, gradients);
        }
        for (name, after) in parameters::named(&cell) {
            assert_ne!(before[&name], after, "{}: {name} stood still", fixture.name);
        }
    }
}
