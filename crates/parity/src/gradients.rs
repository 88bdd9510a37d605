//! Checks of what is differentiated, and of what is not.

use std::collections::{BTreeMap, BTreeSet};

use bottleneck_lstm::{BottleneckLstmState, CellRunner, Reference};
use burn::optim::{GradientsParams, Optimizer, SgdConfig};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};

use crate::case::Loaded;
use crate::compare::{self, Tolerance, assert_all_close};
use crate::differentiate::{Loss, differentiate, differentiate_with};
use crate::fixture::Fixture;
use crate::parameters::{self, Named};
use crate::random::Random;

fn fixtures() -> impl Iterator<Item = Fixture> {
    Fixture::all("bottleneck_lstm").into_iter()
}

/// One fixture for each set of tensors that a cell may have, grouped or not: which of them train has
/// nothing to do with activations or sizes, and takes a run each.
fn sets_of_tensors() -> impl Iterator<Item = Fixture> {
    let mut seen = BTreeSet::new();
    fixtures().filter(move |fixture| {
        let case = fixture.case();
        let names = case.parameters.keys().cloned().collect::<Vec<_>>();
        seen.insert((names, case.start.is_some(), case.config.groups > 1))
    })
}

/// Whatever is frozen, the rest has the gradients that it always has, and the frozen have none.
pub fn frozen_tensors_have_none<B: AutodiffBackend, R: CellRunner<B>>(runner: &R) {
    let mut random = Random::new(1);
    for fixture in sets_of_tensors() {
        let (case, loss) = (fixture.case(), Loss::of(&fixture));
        let all = differentiate(&Reference, case.load::<B>(), &loss, |_| true);
        let names: Vec<&String> = all.gradients.keys().collect();
        // Each alone, and some at random; of those the first at least.
        let alone = names.iter().map(|name| vec![*name]);
        let some = (0..3).map(|_| {
            let others = names[1..].iter().filter(|_| random.chance(0.5));
            others.chain(&names[..1]).copied().collect()
        });
        for trained in alone.chain(some).collect::<Vec<Vec<&String>>>() {
            let trains = |name: &str| trained.iter().any(|trained| *trained == name);
            let found = differentiate(runner, case.load::<B>(), &loss, trains);
            let expected: Named = trained
                .iter()
                .map(|name| ((*name).clone(), all.gradients[*name].clone()))
                .collect();
            let tolerance = Tolerance::of::<B>();
            let what = format!("{}: only {trained:?} train", case.name);
            assert_all_close(&what, &found.gradients, &expected, tolerance.gradients);
            assert_all_close(&what, &found.results, &all.results, tolerance.results);
        }
    }
}

/// Where nothing trains, nothing is tracked, and the results are the same.
pub fn nothing_is_tracked_without_need<B: AutodiffBackend, R: CellRunner<B>>(runner: &R) {
    for fixture in fixtures() {
        let case = fixture.case();
        let Loaded { cell, xs, state } = case.load::<B>();
        let (outputs, next) = cell.forward_with(runner, xs.clone(), state.clone());
        let expected = compare::results(outputs, next);

        let frozen = parameters::trainable(cell, |_| false);
        let (outputs, next) = frozen.forward_with(runner, xs, state);
        // Each panics on a tensor that comes from something tracked.
        let outputs = outputs.require_grad();
        let next = BottleneckLstmState::new(next.cell.require_grad(), next.hidden.require_grad());
        let found = compare::results(outputs, next);
        assert_all_close(&case.name, &found, &expected, Tolerance::of::<B>().order);
    }
}

/// Gradients flow through the state from chunk to chunk, and add up.
pub fn chunks_have_the_gradients_of_the_whole<B: AutodiffBackend, R: CellRunner<B>>(runner: &R) {
    for fixture in fixtures() {
        let (case, loss) = (fixture.case(), Loss::of(&fixture));
        let found = differentiate_with(
            case.load::<B>(),
            &loss,
            |_| true,
            |loaded| {
                let time = loaded.xs.dims()[1];
                let (mut state, mut outputs) = (loaded.state.clone(), Vec::new());
                for (begin, end) in [(0, 2), (2, 3), (3, time)] {
                    let xs = loaded.frames(begin, end);
                    let (output, next) = loaded.cell.forward_with(runner, xs, state);
                    state = Some(next);
                    outputs.push(output);
                }
                (Tensor::cat(outputs, 1), state.expect("three chunks"))
            },
        );
        let expected = fixture.group("grad.");
        let tolerance = Tolerance::of::<B>().gradients;
        assert_all_close(&case.name, &found.gradients, &expected, tolerance);
    }
}

/// Each result has its gradients when the loss sees it alone: those of all three add up to
/// PyTorch's.
pub fn each_result_has_its_own<B: AutodiffBackend, R: CellRunner<B>>(runner: &R) {
    for fixture in fixtures() {
        let (case, all) = (fixture.case(), Loss::of(&fixture));
        let none = Loss {
            outputs: None,
            cell: None,
            hidden: None,
        };
        let losses = [
            Loss {
                outputs: all.outputs,
                ..none.clone()
            },
            Loss {
                cell: all.cell,
                ..none.clone()
            },
            Loss {
                hidden: all.hidden,
                ..none
            },
        ];
        let mut sums = BTreeMap::<String, Vec<f64>>::new();
        for loss in losses {
            let found = differentiate(runner, case.load::<B>(), &loss, |_| true);
            for (name, gradient) in found.gradients {
                let sum = sums.entry(name).or_default();
                sum.resize(gradient.num_elements(), 0.0);
                for (sum, value) in sum.iter_mut().zip(gradient.iter::<f64>()) {
                    *sum += value;
                }
            }
        }
        let expected = fixture.group("grad.");
        let sums = sums.into_iter().map(|(name, sum)| {
            let shape = expected[&name].shape.clone();
            (name, TensorData::new(sum, shape))
        });
        let what = format!("{}: one result after the other", case.name);
        let tolerance = Tolerance::of::<B>().gradients;
        assert_all_close(&what, &sums.collect(), &expected, tolerance);
    }
}

/// After two optimiser steps over a sequence every trainable parameter has moved, and no frozen
/// one.
pub fn an_optimiser_moves_what_trains<B: AutodiffBackend, R: CellRunner<B>>(runner: &R) {
    for fixture in sets_of_tensors() {
        let (case, loss) = (fixture.case(), Loss::of(&fixture));
        // First everything trains, then every second parameter, then the others.
        for (remainder, stride) in [(0, 1), (0, 2), (1, 2)] {
            let names: Vec<&String> = case.parameters.keys().collect();
            let trains = |name: &str| {
                let index = names.iter().position(|other| *other == name);
                index.is_some_and(|index| index % stride == remainder)
            };
            let Loaded { cell, xs, state } = case.load::<B>();
            let mut cell = parameters::trainable(cell, trains);
            let before = parameters::named(&cell);
            let mut optimiser = SgdConfig::new().init();
            for _ in 0..2 {
                let (outputs, next) = cell.forward_with(runner, xs.clone(), state.clone());
                let gradients = loss.evaluate(outputs, next).backward();
                let gradients = GradientsParams::from_grads(gradients, &cell);
                cell = optimiser.step(1e-3, cell, gradients);
            }
            for (name, after) in parameters::named(&cell) {
                let moved = before[&name] != after;
                assert_eq!(moved, trains(&name), "{}: whether {name} moved", case.name);
            }
        }
    }
}
