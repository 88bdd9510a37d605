//! A stream against the cell that it runs, on both backends.

use bottleneck_lstm::{BottleneckLstm, BottleneckLstmConfig, LearnedState, ShapeError};
use bottleneck_lstm_ndarray::{CpuBackend, CpuRunner};
use burn::tensor::{DType, Distribution, Tensor, Tolerance};
use burn_flex::Flex;
use burn_ndarray::NdArray;

const BATCH: usize = 3;
const SPATIAL: [usize; 2] = [5, 4];

fn config() -> BottleneckLstmConfig {
    BottleneckLstmConfig::tensorflow(5, 8)
        .with_groups(2)
        .with_learned_state(LearnedState::PerChannel)
        .with_output_bottleneck(true)
}

/// A cell whose learned state is not zero.
fn cell<B: CpuBackend>() -> BottleneckLstm<B> {
    let mut cell = config().init::<B>(&Default::default());
    let draw = |param: Option<burn::module::Param<Tensor<B, 3>>>| {
        param.map(|param| param.map(|zeros| zeros.random_like(Distribution::Normal(0.0, 1.0))))
    };
    cell.initial_cell = draw(cell.initial_cell);
    cell.initial_hidden = draw(cell.initial_hidden);
    cell
}

fn frame<B: CpuBackend>() -> Tensor<B, 4> {
    let [height, width] = SPATIAL;
    let normal = Distribution::Normal(0.0, 1.0);
    Tensor::random([BATCH, 5, height, width], normal, &Default::default())
}

fn equal<B: CpuBackend>(left: Tensor<B, 4>, right: Tensor<B, 4>) {
    left.into_data()
        .assert_approx_eq::<f32>(&right.into_data(), Tolerance::rel_abs(1e-5, 1e-5));
}

fn a_stream_equals_steps<B: CpuBackend>() {
    let cell = cell::<B>();
    for threads in [1, 2, 5] {
        let runner = CpuRunner::new().with_threads(threads);
        let mut stream = runner.stream(&cell, BATCH, SPATIAL);
        let mut state = None;
        for _ in 0..4 {
            let x = frame::<B>();
            let (expected, next) = cell.step_output(x.clone(), state);
            equal(stream.step(x), expected);
            equal(stream.state().cell, next.cell.clone());
            equal(stream.state().hidden, next.hidden.clone());
            state = Some(next);
        }
    }
}

fn a_stream_forgets_and_is_told<B: CpuBackend>() {
    let cell = cell::<B>();
    let mut stream = CpuRunner::new().stream(&cell, BATCH, SPATIAL);
    let (x, y) = (frame::<B>(), frame::<B>());
    let first = stream.step(x.clone());
    let saved = stream.state();
    let second = stream.step(y.clone());

    stream.reset();
    let bits = |tensor: &Tensor<B, 4>| tensor.to_data().to_vec::<f32>().unwrap();
    assert_eq!(bits(&stream.step(x)), bits(&first));
    stream.step(frame());
    stream.set_state(saved);
    assert_eq!(bits(&stream.step(y)), bits(&second));
}

fn slices_give_what_tensors_give<B: CpuBackend>() {
    let cell = cell::<B>();
    let mut stream = CpuRunner::new().stream(&cell, BATCH, SPATIAL);
    let mut twin = CpuRunner::new().stream(&cell, BATCH, SPATIAL);
    let mut output = vec![f32::NAN; BATCH * 16 * 5 * 4];
    for _ in 0..3 {
        let x = frame::<B>();
        let values = x.to_data().to_vec::<f32>().unwrap();
        stream.step_into(&values, &mut output).unwrap();
        assert_eq!(twin.step(x).into_data().to_vec::<f32>().unwrap(), output);
    }

    let before = output.clone();
    let error = stream.step_into(&[0.0; 7], &mut output).unwrap_err();
    assert_eq!(error.to_string(), "input: expected 300 entries, found 7");
    let error = stream.step_into(&[0.0; 300], &mut output[1..]).unwrap_err();
    assert_eq!(error.to_string(), "output: expected 960 entries, found 959");
    assert_eq!(output, before);
    let [state, expected] = [&stream, &twin].map(|stream| stream.state());
    assert_eq!(state.hidden.into_data(), expected.hidden.into_data());
    assert_eq!(state.cell.into_data(), expected.cell.into_data());
}

fn a_stream_refuses_what_does_not_fit<B: CpuBackend>() {
    let cell = cell::<B>();
    let device = Default::default();
    let runner = CpuRunner::new();
    assert!(matches!(
        runner.try_stream(&cell, 0, SPATIAL),
        Err(ShapeError::Empty { .. })
    ));
    let huge = runner.try_stream(&cell, usize::MAX, SPATIAL);
    assert!(matches!(huge, Err(ShapeError::TooLarge { .. })));

    let mut stream = runner.stream(&cell, BATCH, SPATIAL);
    stream.step(frame());
    let before = stream.state().hidden.into_data();
    let error = stream
        .try_step(Tensor::zeros([BATCH, 5, 5, 5], &device))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "input: expected 4 width, found 5 (shape [3, 5, 5, 5])"
    );
    let doubles = Tensor::zeros([BATCH, 5, 5, 4], (&device, DType::F64));
    assert!(matches!(
        stream.try_step(doubles),
        Err(ShapeError::DType { .. })
    ));
    let state = cell.init_state(BATCH + 1, SPATIAL);
    let error = stream.try_set_state(state).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("state.cell: expected 3 batch, found 4"),
        "{error}"
    );
    assert_eq!(stream.state().hidden.into_data(), before);
}

/// Flex holds `f64` at run time, whatever its default: such a cell goes to the reference.
#[test]
fn a_stream_of_doubles_goes_to_the_reference() {
    use bottleneck_lstm::CellRunner;
    use burn::module::{Module, ModuleMapper, Param};
    use burn::tensor::backend::Backend;

    struct Doubles;
    impl<B: Backend> ModuleMapper<B> for Doubles {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            param.map(|tensor| tensor.cast(DType::F64))
        }
    }
    let cell = cell::<Flex>();
    assert!(CpuRunner::new().is_fused(&cell));
    let cell = cell.map(&mut Doubles);
    assert!(!CpuRunner::new().is_fused(&cell));

    let mut stream = CpuRunner::new().stream(&cell, BATCH, SPATIAL);
    let x = frame::<Flex>().cast(DType::F64);
    let output = stream.step(x.clone());
    assert_eq!(output.dtype(), DType::F64);
    let expected = cell.step_output(x.clone(), None).0.into_data();
    assert_eq!(output.into_data(), expected);

    stream.reset();
    let x = x.into_data().iter::<f32>().collect::<Vec<_>>();
    let mut output = vec![0.0; expected.num_elements()];
    stream.step_into(&x, &mut output).unwrap();
    assert_eq!(output, expected.iter::<f32>().collect::<Vec<_>>());
}

macro_rules! on_both {
    ($($test:ident),+) => {
        mod flex {
            $(
                #[test]
                fn $test() {
                    super::$test::<super::Flex>();
                }
            )+
        }
        mod ndarray {
            $(
                #[test]
                fn $test() {
                    super::$test::<super::NdArray>();
                }
            )+
        }
    };
}

on_both!(
    a_stream_equals_steps,
    a_stream_forgets_and_is_told,
    slices_give_what_tensors_give,
    a_stream_refuses_what_does_not_fit
);
