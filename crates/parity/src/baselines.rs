//! Checks of ConvLSTM and ConvGRU, which have no runner but their own.

use bottleneck_lstm::{
    BottleneckLstmState, ConvGru, ConvGruConfig, ConvGruState, ConvLstm, ConvLstmConfig,
};
use burn::module::{AutodiffModule, Module};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use serde_json::from_str;

use crate::compare::{self, Tolerance, assert_all_close};
use crate::fixture::Fixture;
use crate::parameters::{self, Named};

/// What the checks need of a cell.
pub trait Baseline<B: Backend>: Module<B> {
    /// Its kind of fixture.
    const KIND: &str;

    /// The tensors of its state.
    const STATE: &[&str];

    /// A cell of a configuration in JSON.
    fn build(config: &str, device: &B::Device) -> serde_json::Result<Self>;

    /// Runs `xs`, `[batch, time, input, height, width]`, from the tensors of a state.
    fn run(&self, xs: Tensor<B, 5>, state: Vec<Tensor<B, 4>>) -> (Tensor<B, 5>, Vec<Tensor<B, 4>>);
}

impl<B: Backend> Baseline<B> for ConvLstm<B> {
    const KIND: &str = "conv_lstm";
    const STATE: &[&str] = &["cell", "hidden"];

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
    const KIND: &str = "conv_gru";
    const STATE: &[&str] = &["hidden"];

    fn build(config: &str, device: &B::Device) -> serde_json::Result<Self> {
        from_str(config).map(|config: ConvGruConfig| config.init(device))
    }

    fn run(&self, xs: Tensor<B, 5>, state: Vec<Tensor<B, 4>>) -> (Tensor<B, 5>, Vec<Tensor<B, 4>>) {
        let (outputs, state) = self.forward(xs, Some(ConvGruState::new(state[0].clone())));
        (outputs, vec![state.hidden])
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
    for fixture in Fixture::all(M::KIND) {
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
    for fixture in Fixture::all(M::KIND) {
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

/// The gradients of every parameter, of the input and of the start state are those of every
/// fixture.
pub fn gradients_are_those_of_pytorch<B: AutodiffBackend, M: Baseline<B> + AutodiffModule<B>>() {
    for fixture in Fixture::all(M::KIND) {
        let (cell, xs, state) = load::<B, M>(&fixture);
        let xs = xs.require_grad();
        let start: Vec<_> = state.into_iter().map(Tensor::require_grad).collect();
        let (outputs, state) = cell.run(xs.clone(), start.clone());

        let device = xs.device();
        let upstream = |name: &str| fixture.tensor(&format!("upstream.{name}")).clone();
        let mut loss = (outputs * Tensor::from_data(upstream("outputs"), &device)).sum();
        for (name, tensor) in M::STATE.iter().zip(state) {
            loss = loss + (tensor * Tensor::from_data(upstream(name), &device)).sum();
        }
        let grads = loss.backward();

        let mut found = parameters::gradients(&cell, &grads);
        found.extend(
            xs.grad(&grads)
                .map(|grad| ("xs".to_string(), compare::values(grad))),
        );
        for (name, tensor) in M::STATE.iter().zip(start) {
            let gradient = tensor.grad(&grads);
            found.extend(gradient.map(|grad| (format!("{name}0"), compare::values(grad))));
        }
        let expected = fixture.group("grad.");
        assert_all_close(
            &fixture.name,
            &found,
            &expected,
            Tolerance::of::<B>().gradients,
        );
    }
}
