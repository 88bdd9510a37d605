//! Checks against the numbers of PyTorch.

use bottleneck_lstm::CellRunner;
use burn::tensor::backend::{AutodiffBackend, Backend};

use crate::compare::{self, Tolerance, assert_all_close, assert_close};
use crate::differentiate::{Loss, differentiate};
use crate::fixture::Fixture;

/// The fixtures of the cell that every runner runs.
const KIND: &str = "bottleneck_lstm";

/// Outputs and the last state are those of every fixture.
pub fn results_are_those_of_pytorch<B: Backend, R: CellRunner<B>>(runner: &R) {
    for fixture in Fixture::all(KIND) {
        let loaded = fixture.case().load::<B>();
        let (outputs, state) = loaded.cell.forward_with(runner, loaded.xs, loaded.state);
        let expected = ["outputs", "cell", "hidden"];
        let expected = expected
            .map(|name| (name.to_string(), fixture.tensor(name).clone()))
            .into();
        let found = compare::results(outputs, state);
        assert_all_close(
            &fixture.name,
            &found,
            &expected,
            Tolerance::of::<B>().results,
        );
    }
}

/// The gates that a traced step shows are those of every fixture that has them.
pub fn gates_are_those_of_pytorch<B: Backend, R: CellRunner<B>>(_reference: &R) {
    let mut compared = 0;
    for fixture in Fixture::all(KIND) {
        let expected = fixture.group("gates.");
        if expected.is_empty() {
            continue;
        }
        let loaded = fixture.case().load::<B>();
        let (_, gates) = loaded.cell.step_traced(loaded.frame(0), loaded.state);
        let found = [
            ("input", gates.input),
            ("forget", gates.forget),
            ("candidate", gates.candidate),
            ("output", gates.output),
            ("bottleneck", gates.bottleneck),
        ];
        for (name, gate) in found {
            let what = format!("{}: {name}", fixture.name);
            let tolerance = Tolerance::of::<B>().results;
            assert_close(&what, &compare::values(gate), &expected[name], tolerance);
            compared += 1;
        }
    }
    assert!(compared > 0, "no fixture has gates");
}

/// The gradients of every parameter, of the input and of the start state are those of every
/// fixture.
pub fn gradients_are_those_of_pytorch<B: AutodiffBackend, R: CellRunner<B>>(runner: &R) {
    for fixture in Fixture::all(KIND) {
        let loaded = fixture.case().load::<B>();
        let found = differentiate(runner, loaded, &Loss::of(&fixture), |_| true);
        let expected = fixture.group("grad.");
        let tolerance = Tolerance::of::<B>().gradients;
        assert_all_close(&fixture.name, &found.gradients, &expected, tolerance);
    }
}
