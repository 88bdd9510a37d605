//! Results of a case and the gradients of a weighted sum of them.

use bottleneck_lstm::{BottleneckLstmState, CellRunner};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};

use crate::case::{Case, Loaded};
use crate::compare;
use crate::fixture::Fixture;
use crate::parameters::{self, Named};
use crate::random::Random;

/// The weights of the loss `sum(outputs . w) + sum(cell . w) + sum(hidden . w)`. A result without
/// weights takes no part in it.
#[derive(Debug, Clone)]
pub struct Loss {
    /// Of what the cell yields, `[batch, time, output, height, width]`.
    pub outputs: Option<TensorData>,
    /// Of the last cell state, `[batch, hidden, height, width]`.
    pub cell: Option<TensorData>,
    /// Of the last hidden state, `[batch, hidden, height, width]`.
    pub hidden: Option<TensorData>,
}

impl Loss {
    /// The weights of a fixture.
    pub fn of(fixture: &Fixture) -> Self {
        Self {
            outputs: fixture.get("upstream.outputs").cloned(),
            cell: fixture.get("upstream.cell").cloned(),
            hidden: fixture.get("upstream.hidden").cloned(),
        }
    }

    /// Random weights for a case.
    pub fn draw(case: &Case, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let [batch, time, _, height, width] = case.xs.shape.dims();
        let outputs = [batch, time, case.config.output_channels(), height, width];
        let state = [batch, case.config.hidden_channels, height, width];
        Self {
            outputs: Some(random.tensor(&outputs, 1.0)),
            cell: Some(random.tensor(&state, 1.0)),
            hidden: Some(random.tensor(&state, 1.0)),
        }
    }

    /// The loss of these results, `[1]`.
    ///
    /// # Panics
    ///
    /// If no result has weights.
    pub fn evaluate<B: Backend>(
        &self,
        outputs: Tensor<B, 5>,
        state: BottleneckLstmState<B>,
    ) -> Tensor<B, 1> {
        fn term<B: Backend, const D: usize>(
            result: Tensor<B, D>,
            weights: &Option<TensorData>,
        ) -> Option<Tensor<B, 1>> {
            let options = (&result.device(), result.dtype());
            let weights = Tensor::from_data(weights.clone()?, options);
            Some((result * weights).sum())
        }
        [
            term(outputs, &self.outputs),
            term(state.cell, &self.cell),
            term(state.hidden, &self.hidden),
        ]
        .into_iter()
        .flatten()
        .reduce(|sum, term| sum + term)
        .expect("a result with weights")
    }
}

/// What a case computes.
#[derive(Debug, Clone)]
pub struct Results {
    /// `outputs`, `cell` and `hidden`.
    pub results: Named,
    /// The gradients of the parameters, and of `xs`, `cell0` and `hidden0`, where there are any.
    pub gradients: Named,
}

/// Runs `case` and differentiates `loss` by everything that `trains` names, which may be a
/// parameter, `xs`, `cell0` or `hidden0`.
pub fn differentiate<B: AutodiffBackend, R: CellRunner<B>>(
    runner: &R,
    loaded: Loaded<B>,
    loss: &Loss,
    trains: impl Fn(&str) -> bool,
) -> Results {
    let run = |loaded: &Loaded<B>| {
        loaded
            .cell
            .forward_with(runner, loaded.xs.clone(), loaded.state.clone())
    };
    differentiate_with(loaded, loss, trains, run)
}

/// As [`differentiate`], with another way to run the case.
pub fn differentiate_with<B: AutodiffBackend>(
    loaded: Loaded<B>,
    loss: &Loss,
    trains: impl Fn(&str) -> bool,
    run: impl FnOnce(&Loaded<B>) -> (Tensor<B, 5>, BottleneckLstmState<B>),
) -> Results {
    let Loaded { cell, xs, state } = loaded;
    let loaded = Loaded {
        cell: parameters::trainable(cell, &trains),
        xs: xs.set_require_grad(trains("xs")),
        state: state.map(|state| BottleneckLstmState {
            cell: state.cell.set_require_grad(trains("cell0")),
            hidden: state.hidden.set_require_grad(trains("hidden0")),
        }),
    };
    let (outputs, state) = run(&loaded);
    let results = compare::results(outputs.clone(), state.clone());
    let grads = loss.evaluate(outputs, state).backward();
    let mut gradients = parameters::gradients(&loaded.cell, &grads);
    let mut insert = |name: &str, gradient: Option<TensorData>| {
        gradients.extend(gradient.map(|gradient| (name.to_string(), gradient)));
    };
    insert("xs", loaded.xs.grad(&grads).map(compare::values));
    if let Some(state) = &loaded.state {
        insert("cell0", state.cell.grad(&grads).map(compare::values));
        insert("hidden0", state.hidden.grad(&grads).map(compare::values));
    }
    Results { results, gradients }
}

/// The step of [`central_difference`].
const STEP: f64 = 1e-6;

/// Values of a tensor that [`central_difference`] looks at.
const SAMPLE: usize = 64;

/// Up to [`SAMPLE`] places in a tensor of `len` values, spread evenly.
fn places(len: usize) -> impl Iterator<Item = usize> {
    let count = len.min(SAMPLE);
    (0..count).map(move |index| index * len / count)
}

/// Of every tensor the values whose [`central_difference`] is taken.
pub fn sample(tensors: &Named) -> Named {
    let sample = |data: &TensorData| {
        let values: Vec<f64> = data.iter::<f64>().collect();
        let sample: Vec<f64> = places(values.len()).map(|place| values[place]).collect();
        TensorData::new(sample, [values.len().min(SAMPLE)])
    };
    tensors
        .iter()
        .map(|(name, data)| (name.clone(), sample(data)))
        .collect()
}

/// The [`sample`] of the gradient of `loss` at `values`, by central differences: they take two runs
/// a value.
pub fn central_difference(values: &TensorData, loss: impl Fn(TensorData) -> f64) -> TensorData {
    let shape = values.shape.clone();
    let mut values: Vec<f64> = values.iter::<f64>().collect();
    let evaluate = |values: &[f64]| loss(TensorData::new(values.to_vec(), shape.clone()));
    let differences = places(values.len())
        .map(|place| {
            let value = values[place];
            values[place] = value + STEP;
            let above = evaluate(&values);
            values[place] = value - STEP;
            let below = evaluate(&values);
            values[place] = value;
            (above - below) / (2.0 * STEP)
        })
        .collect::<Vec<f64>>();
    let len = differences.len();
    TensorData::new(differences, [len])
}
