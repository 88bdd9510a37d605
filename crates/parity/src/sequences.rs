//! Checks of how steps, sequences, states and rows hang together.

use bottleneck_lstm::{BottleneckLstmState, CellRunner, LearnedState};
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, DType, Tensor, TensorData};

use crate::case::{Case, Loaded};
use crate::compare::{self, Tolerance, assert_all_close, assert_close};
use crate::fixture::Fixture;
use crate::parameters::Named;
use crate::random::Random;
use crate::{layout, parameters};

fn cases() -> impl Iterator<Item = Case> {
    Fixture::all("bottleneck_lstm")
        .into_iter()
        .map(|fixture| fixture.case())
}

fn whole<B: Backend, R: CellRunner<B>>(runner: &R, loaded: &Loaded<B>) -> Named {
    let Loaded { cell, xs, state } = loaded.clone();
    let (outputs, state) = cell.forward_with(runner, xs, state);
    compare::results(outputs, state)
}

/// Any split of a sequence into chunks gives what the whole gives.
pub fn chunks_equal_the_whole<B: Backend, R: CellRunner<B>>(runner: &R) {
    for case in cases() {
        let loaded = case.load::<B>();
        let time = loaded.xs.dims()[1];
        let expected = whole(runner, &loaded);
        // The bits of `cuts` say after which step a chunk ends.
        for cuts in 1..1_usize << (time - 1) {
            let mut ends: Vec<_> = (1..time).filter(|end| cuts >> (end - 1) & 1 == 1).collect();
            ends.push(time);
            let (mut begin, mut state, mut outputs) = (0, loaded.state.clone(), Vec::new());
            for end in &ends {
                let chunk = loaded.frames(begin, *end);
                let (output, next) = loaded.cell.forward_with(runner, chunk, state);
                (begin, state) = (*end, Some(next));
                outputs.push(output);
            }
            let state = state.expect("at least one chunk");
            let found = compare::results(Tensor::cat(outputs, 1), state);
            let what = format!("{}: chunks that end at {ends:?}", case.name);
            assert_all_close(&what, &found, &expected, Tolerance::of::<B>().order);
        }
    }
}

/// Repeated steps give what the whole sequence gives, whichever way a step is called.
pub fn steps_equal_the_whole<B: Backend, R: CellRunner<B>>(runner: &R) {
    for case in cases() {
        let loaded = case.load::<B>();
        let expected = whole(runner, &loaded);
        let tolerance = Tolerance::of::<B>().order;
        let (mut state, mut outputs) = (loaded.state.clone(), Vec::new());
        for step in 0..loaded.xs.dims()[1] {
            let x = loaded.frame(step);
            let silent = loaded.cell.step_with(runner, x.clone(), state.clone());
            let result = loaded.cell.try_step_output_with(runner, x, state);
            let (output, next) = result.expect("shapes that fit");
            let what = format!("{}: step {step}", case.name);
            let found = compare::results(output.clone().unsqueeze_dim(1), silent);
            let same = compare::results(output.clone().unsqueeze_dim(1), next.clone());
            assert_all_close(&what, &found, &same, 0.0);
            outputs.push(output);
            state = Some(next);
        }
        let state = state.expect("at least one step");
        let found = compare::results(Tensor::stack(outputs, 1), state);
        assert_all_close(&case.name, &found, &expected, tolerance);
    }
}

/// What a step yields is its hidden state, followed by the bottleneck where the configuration says
/// so, and a traced step does the same.
pub fn a_step_yields_its_state<B: Backend, R: CellRunner<B>>(runner: &R) {
    for case in cases() {
        let loaded = case.load::<B>();
        let x = loaded.frame(0);
        let result = loaded
            .cell
            .try_step_output_with(runner, x.clone(), loaded.state.clone());
        let (output, state) = result.expect("shapes that fit");
        let (traced, gates) = loaded.cell.step_traced(x, loaded.state);

        let tolerance = Tolerance::of::<B>();
        let hidden = case.config.hidden_channels;
        assert_eq!(
            output.dims()[1],
            case.config.output_channels(),
            "{}",
            case.name
        );
        let yielded = compare::values(output.clone().narrow(1, 0, hidden));
        assert_close(
            &case.name,
            &yielded,
            &compare::values(state.hidden.clone()),
            0.0,
        );
        if case.config.output_bottleneck {
            let yielded = compare::values(output.clone().narrow(1, hidden, hidden));
            let bottleneck = compare::values(gates.bottleneck);
            assert_close(&case.name, &yielded, &bottleneck, tolerance.results);
        }
        let output = output.unsqueeze_dim::<5>(1);
        let found = compare::results(output.clone(), state);
        let expected = compare::results(output, traced);
        assert_all_close(&case.name, &found, &expected, tolerance.results);
    }
}

/// Each row of a batch gives what it gives alone.
pub fn rows_are_independent<B: Backend, R: CellRunner<B>>(runner: &R) {
    for case in cases() {
        let loaded = case.load::<B>();
        let row = |row: usize| {
            let state = loaded.state.clone().map(|state| narrowed(state, row));
            let xs = loaded.xs.clone().narrow(0, row, 1);
            loaded.cell.forward_with(runner, xs, state)
        };
        let (outputs, states): (Vec<_>, Vec<_>) = (0..loaded.xs.dims()[0]).map(row).unzip();
        let found = compare::results(Tensor::cat(outputs, 0), BottleneckLstmState::cat(states));
        let expected = whole(runner, &loaded);
        assert_all_close(&case.name, &found, &expected, Tolerance::of::<B>().order);
    }
}

fn narrowed<B: Backend>(state: BottleneckLstmState<B>, row: usize) -> BottleneckLstmState<B> {
    BottleneckLstmState::new(state.cell.narrow(0, row, 1), state.hidden.narrow(0, row, 1))
}

/// No state is the initial state, which is zero unless it is learned.
pub fn no_state_is_the_initial_state<B: Backend, R: CellRunner<B>>(runner: &R) {
    for case in cases() {
        let mut loaded = case.load::<B>();
        loaded.state = None;
        let found = whole(runner, &loaded);
        let start = loaded.start();
        if case.config.learned_state == LearnedState::None {
            for tensor in [&start.cell, &start.hidden] {
                assert!(
                    compare::values(tensor.clone())
                        .iter::<f64>()
                        .all(|value| value == 0.0)
                );
            }
        }
        loaded.state = Some(start);
        assert_all_close(&case.name, &found, &whole(runner, &loaded), 0.0);
    }
}

/// A row that is reset before a step goes on as a video that starts there.
pub fn a_reset_is_a_fresh_start<B: Backend, R: CellRunner<B>>(runner: &R) {
    for (seed, case) in cases().enumerate() {
        let mut random = Random::new(seed as u64);
        let loaded = case.load::<B>();
        let [batch, time, ..] = loaded.xs.dims();
        let mask: Vec<Vec<bool>> = (0..batch)
            .map(|_| (0..time).map(|_| random.chance(0.3)).collect())
            .collect();

        let (outputs, state) = loaded
            .cell
            .try_forward_reset_with(
                runner,
                loaded.xs.clone(),
                loaded.state.clone(),
                bools(&mask),
            )
            .expect("shapes that fit");
        let found = compare::results(outputs, state);

        let (mut outputs, mut states) = (Vec::new(), Vec::new());
        for (row, resets) in mask.iter().enumerate() {
            let mut state = loaded.state.clone().map(|state| narrowed(state, row));
            let mut steps = Vec::new();
            for (step, reset) in resets.iter().enumerate() {
                let x = loaded.frames(step, step + 1).narrow(0, row, 1);
                let from = if *reset { None } else { state };
                let (output, next) = loaded.cell.forward_with(runner, x, from);
                steps.push(output);
                state = Some(next);
            }
            outputs.push(Tensor::cat(steps, 1));
            states.extend(state);
        }
        let expected = compare::results(Tensor::cat(outputs, 0), BottleneckLstmState::cat(states));
        let what = format!("{}: resets {mask:?}", case.name);
        assert_all_close(&what, &found, &expected, Tolerance::of::<B>().order);
    }
}

fn bools<B: Backend>(mask: &[Vec<bool>]) -> Tensor<B, 2, Bool> {
    let data = TensorData::new(mask.concat(), [mask.len(), mask[0].len()]);
    Tensor::from_data(data, &B::Device::default())
}

/// Videos of unequal length run in one batch: padding, NaN here, touches neither the other rows nor
/// the video that follows it in its row.
pub fn padding_touches_nothing<B: Backend, R: CellRunner<B>>(runner: &R) {
    for case in cases() {
        let loaded = case.load::<B>();
        let [_, time, channels, height, width] = loaded.xs.dims();
        let video = |row: usize, begin: usize, end: usize| {
            loaded
                .frames(begin, end)
                .narrow(0, row % loaded.xs.dims()[0], 1)
        };
        // Row 0 is one long video; row 1 has a short one, padding, then another.
        let (long, first, second) = (video(0, 0, time), video(1, 0, 2), video(1, 3, time));
        let padding = Tensor::full([1, 1, channels, height, width], f64::NAN, &long.device());
        let short = Tensor::cat(vec![first.clone(), padding, second.clone()], 1);
        let xs = Tensor::cat(vec![long.clone(), short], 0);
        let mut mask = vec![vec![false; time], vec![false; time]];
        (mask[0][0], mask[1][0], mask[1][3]) = (true, true, true);

        let result = loaded
            .cell
            .try_forward_reset_with(runner, xs, None, bools(&mask));
        let (outputs, state) = result.expect("shapes that fit");

        let part = |row: usize, begin: usize, end: usize| {
            let outputs = outputs
                .clone()
                .narrow(0, row, 1)
                .narrow(1, begin, end - begin);
            compare::values(outputs)
        };
        let alone = |video: Tensor<B, 5>| loaded.cell.forward_with(runner, video, None);
        let tolerance = Tolerance::of::<B>().order;
        let (expected, _) = alone(long);
        assert_close(
            &case.name,
            &part(0, 0, time),
            &compare::values(expected),
            tolerance,
        );
        let (expected, _) = alone(first);
        assert_close(
            &case.name,
            &part(1, 0, 2),
            &compare::values(expected),
            tolerance,
        );
        let (expected, expected_state) = alone(second);
        let found = narrowed(state, 1);
        assert_close(
            &case.name,
            &part(1, 3, time),
            &compare::values(expected),
            tolerance,
        );
        let (found, expected) = (
            compare::values(found.cell),
            compare::values(expected_state.cell),
        );
        assert_close(&case.name, &found, &expected, tolerance);
    }
}

/// Permuted and sliced tensors are as good as contiguous ones.
pub fn layouts_do_not_matter<B: Backend, R: CellRunner<B>>(runner: &R) {
    for case in cases() {
        let loaded = case.load::<B>();
        let expected = whole(runner, &loaded);
        let tolerance = Tolerance::of::<B>().order;

        let permuted = Loaded {
            cell: parameters::permuted(loaded.cell.clone()),
            xs: layout::permuted(loaded.xs.clone()),
            state: loaded.state.clone().map(|state| {
                let (cell, hidden) = (layout::permuted(state.cell), layout::permuted(state.hidden));
                BottleneckLstmState::new(cell, hidden)
            }),
        };
        let what = format!("{}: permuted", case.name);
        assert_all_close(&what, &whole(runner, &permuted), &expected, tolerance);

        for dim in 0..5 {
            let sliced = Loaded {
                cell: loaded.cell.clone(),
                xs: layout::sliced(loaded.xs.clone(), dim),
                state: loaded.state.clone().map(|state| {
                    let dim = dim.min(3);
                    let cell = layout::sliced(state.cell, dim);
                    BottleneckLstmState::new(cell, layout::sliced(state.hidden, dim))
                }),
            };
            let what = format!("{}: sliced along {dim}", case.name);
            assert_all_close(&what, &whole(runner, &sliced), &expected, tolerance);
        }
    }
}

/// Whether the backend computes in `dtype`: wgpu counts F64 in where shaders have no `tanh` for it.
fn has_tanh<B: Backend>(dtype: DType) -> bool {
    let half = Tensor::<B, 1>::full([1], 0.5, (&B::Device::default(), dtype));
    let found = half.tanh().into_data().iter::<f64>().next();
    found.is_some_and(|found| (found - 0.5_f64.tanh()).abs() < 1e-3)
}

/// The state, made or carried, has the element type of the input, whatever the backend's default.
pub fn the_state_has_the_type_of_the_input<B: Backend, R: CellRunner<B>>(runner: &R) {
    let device = B::Device::default();
    let types: Vec<_> = [DType::F32, DType::F64]
        .into_iter()
        .filter(|dtype| B::supports_dtype(&device, *dtype) && has_tanh::<B>(*dtype))
        .collect();
    assert!(
        types.contains(&compare::default_dtype::<B>()),
        "types of {}",
        B::name(&device)
    );
    for case in cases() {
        let expected = whole(runner, &case.load::<B>());
        for dtype in &types {
            let loaded = case.load_as::<B>(*dtype);
            for state in [loaded.state.clone(), None] {
                let (outputs, state) = loaded.cell.forward_with(runner, loaded.xs.clone(), state);
                let types = [outputs.dtype(), state.cell.dtype(), state.hidden.dtype()];
                assert_eq!(types, [*dtype; 3], "{}", case.name);
            }
            let found = whole(runner, &loaded);
            let what = format!("{}: {dtype:?}", case.name);
            assert_all_close(&what, &found, &expected, 1e-5);
        }
    }
}
