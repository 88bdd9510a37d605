//! The suite in `f64`, and gradients against central differences.
//!
//! A device has one default element type, fixed by its first use, and `NdArray<f32>` shares a
//! device with `NdArray<f64>`: hence a test binary, and so a process, of its own.

use bottleneck_lstm::{BottleneckLstmStack, ConvGru, ConvLstm, Reference};
use bottleneck_lstm_ndarray::CpuRunner;
use burn::tensor::{DType, Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use parity::baselines;
use parity::case::Case;
use parity::compare;
use parity::differentiate::{self, Loss, differentiate};
use parity::fixture::Fixture;

type Double = NdArray<f64>;

parity::results!(reference, Double, Reference);
// What else there is to gradients, the suite in `f32` looks at.
parity::checks!(
    gradients,
    Autodiff<Double>,
    Reference,
    [
        fixtures::gradients_are_those_of_pytorch,
        gradients::chunks_have_the_gradients_of_the_whole,
    ]
);
// Not fused, but it has to answer all the same.
parity::results!(cpu_runner, Double, CpuRunner::new());

/// The distance of every value to every kink, so that no step crosses one.
const MARGIN: f64 = 1e-3;

#[test]
fn default_cell() {
    gradients_are_central_differences("default");
}

#[test]
fn peepholes() {
    gradients_are_central_differences("peephole");
}

#[test]
fn paper() {
    gradients_are_central_differences("paper");
}

#[test]
fn tensorflow() {
    gradients_are_central_differences("tensorflow");
}

#[test]
fn grouped() {
    gradients_are_central_differences("grouped");
}

#[test]
fn combined() {
    gradients_are_central_differences("combined");
}

#[test]
fn conv_lstm() {
    baselines::gradients_are_central_differences::<Autodiff<Double>, ConvLstm<Autodiff<Double>>>();
}

#[test]
fn conv_gru() {
    baselines::gradients_are_central_differences::<Autodiff<Double>, ConvGru<Autodiff<Double>>>();
}

#[test]
fn stack() {
    type Stack = BottleneckLstmStack<Autodiff<Double>>;
    baselines::gradients_are_central_differences::<Autodiff<Double>, Stack>();
}

/// Every gradient of the configurations whose fixture's name begins with `family`.
fn gradients_are_central_differences(family: &str) {
    let zeros = Tensor::<Double, 1>::zeros([1], &Default::default());
    assert_eq!(zeros.dtype(), DType::F64);

    let configs = Fixture::all("bottleneck_lstm")
        .into_iter()
        .filter(|fixture| fixture.name.starts_with(family))
        .map(|fixture| (fixture.name.clone(), fixture.case().config))
        // What is only wide waits for the checks of awkward sizes.
        .filter(|(_, config)| config.num_params() < 1_000);
    let configs: Vec<_> = configs.collect();
    assert!(!configs.is_empty());
    for (seed, (name, config)) in configs.into_iter().enumerate() {
        let [height, width] = config.pinned_spatial().unwrap_or([2, 3]);
        let sizes = [2, 3, height, width];
        let case = Case::find(&name, &config, sizes, seed as u64, |survey| {
            survey.distance >= MARGIN && survey.bounded
        });
        let loss = Loss::draw(&case, seed as u64);
        let found = differentiate(&Reference, case.load::<Autodiff<Double>>(), &loss, |_| true);

        let mut tensors = case.parameters.clone();
        tensors.insert("xs".to_string(), case.xs.clone());
        if let Some([cell, hidden]) = &case.start {
            tensors.insert("cell0".to_string(), cell.clone());
            tensors.insert("hidden0".to_string(), hidden.clone());
        }
        let expected = tensors
            .into_iter()
            .map(|(name, values)| {
                let difference = central_difference(&case, &loss, &name, values);
                (name, difference)
            })
            .collect();
        let found = differentiate::sample(&found.gradients);
        compare::assert_all_close(&case.name, &found, &expected, 1e-6);
    }
}

fn central_difference(case: &Case, loss: &Loss, name: &str, values: TensorData) -> TensorData {
    differentiate::central_difference(&values, |data| {
        let mut case = case.clone();
        match (name, &mut case.start) {
            ("xs", _) => case.xs = data,
            ("cell0", Some([cell, _])) => *cell = data,
            ("hidden0", Some([_, hidden])) => *hidden = data,
            _ => *case.parameters.get_mut(name).expect("a parameter") = data,
        }
        let loaded = case.load::<Double>();
        let (outputs, state) = loaded.cell.forward(loaded.xs, loaded.state);
        loss.evaluate(outputs, state).into_scalar()
    })
}
