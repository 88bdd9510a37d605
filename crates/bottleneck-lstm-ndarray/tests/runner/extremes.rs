//! NaN, infinity, saturation, and decay to nothing.

use bottleneck_lstm::{BottleneckLstm, BottleneckLstmConfig, BottleneckLstmState};
use bottleneck_lstm_ndarray::{CpuRunner, Instructions};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use burn_flex::Flex;

use crate::plain;
use crate::variants::{ACTIVATIONS, Random, SPATIAL, variants};

const INPUT: usize = 11;
const HIDDEN: usize = 12;
const AREA: usize = SPATIAL[0] * SPATIAL[1];

fn runners() -> impl Iterator<Item = CpuRunner> {
    Instructions::available().map(|each| CpuRunner::new().with_instructions(each))
}

/// Every variant with every activation.
fn configs() -> impl Iterator<Item = (String, BottleneckLstmConfig)> {
    variants(INPUT).into_iter().flat_map(|(name, config)| {
        ACTIVATIONS.map(|activation| {
            let config = config
                .clone()
                .with_activation(activation)
                .with_bottleneck_activation(activation);
            (format!("{name}, {activation:?}"), config)
        })
    })
}

/// Changes the parameters one after the other, by index.
struct Change<F>(usize, F);

impl<B: Backend, F: FnMut(usize, &mut [f32])> ModuleMapper<B> for Change<F> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let index = self.0;
        self.0 += 1;
        param.map(|tensor| {
            let (shape, device) = (tensor.shape(), tensor.device());
            let mut values = tensor.into_data().to_vec::<f32>().unwrap();
            (self.1)(index, &mut values);
            Tensor::from_data(TensorData::new(values, shape), &device)
        })
    }
}

/// A cell with parameters that stay the same from run to run.
fn cell(config: &BottleneckLstmConfig, random: &mut Random) -> BottleneckLstm<Flex> {
    let cell = config.init::<Flex>(&Default::default());
    cell.map(&mut Change(0, |_, values: &mut [f32]| {
        values.fill_with(|| 0.5 * random.value());
    }))
}

fn poison(values: &mut [f32], value: f32) {
    values[values.len() / 3] = value;
}

#[track_caller]
fn same(name: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (at, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let found = f64::from(found);
        let same = match expected {
            expected if expected.is_finite() => {
                (found - expected).abs() <= 1e-4 * expected.abs().max(1.0)
            }
            expected => found == expected || (found.is_nan() && expected.is_nan()),
        };
        assert!(same, "{name}: found {found}, expected {expected} at {at}");
    }
}

/// Two steps, the second on an ordinary frame, by the runner and by plain loops.
fn compare(name: &str, cell: &BottleneckLstm<Flex>, x: &[f32], [c, h]: [&[f32]; 2]) {
    let device = Default::default();
    let tensor = |values: &[f32]| {
        let [height, width] = SPATIAL;
        let data = TensorData::new(values.to_vec(), [1, HIDDEN, height, width]);
        Tensor::<Flex, 4>::from_data(data, &device)
    };
    let narrow = |values: &[f64]| values.iter().map(|value| *value as f32).collect::<Vec<_>>();
    let quiet = vec![0.25; INPUT * AREA];
    let first = plain::step(cell, SPATIAL, x, [c, h]);
    let state = [narrow(&first.cell), narrow(&first.hidden)];
    let second = plain::step(
        cell,
        SPATIAL,
        &quiet,
        state.each_ref().map(|part| &part[..]),
    );
    for runner in runners() {
        let name = format!("{name} on {:?}", runner.instructions());
        let mut stream = runner.stream(cell, 1, SPATIAL);
        stream.set_state(BottleneckLstmState::new(tensor(c), tensor(h)));
        let mut output = vec![0.0; first.output.len()];
        for (x, expected) in [(x, &first), (&quiet, &second)] {
            stream.step_into(x, &mut output).unwrap();
            same(&format!("output, {name}"), &output, &expected.output);
            let state = stream.state();
            let [c, h] = [state.cell, state.hidden].map(|part| part.into_data().to_vec().unwrap());
            same(&format!("cell, {name}"), &c, &expected.cell);
            same(&format!("hidden, {name}"), &h, &expected.hidden);
        }
    }
}

const VALUES: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];

#[test]
fn ordinary_numbers_come_out_as_of_plain_loops() {
    let mut random = Random(1);
    for (name, config) in configs() {
        let cell = cell(&config, &mut random);
        let [x, c, h] = [INPUT, HIDDEN, HIDDEN].map(|channels| random.values(channels * AREA));
        compare(&name, &cell, &x, [&c, &h]);
    }
}

#[test]
fn nan_and_infinity_in_input_and_state_come_out_as_in_pytorch() {
    let mut random = Random(2);
    for (name, config) in configs() {
        let cell = cell(&config, &mut random);
        let ordinary = [INPUT, HIDDEN, HIDDEN].map(|channels| random.values(channels * AREA));
        for value in VALUES {
            for (index, place) in ["input", "cell state", "hidden state"].iter().enumerate() {
                let mut values = ordinary.clone();
                poison(&mut values[index], value);
                let [x, c, h] = &values;
                compare(
                    &format!("{value} in the {place} of {name}"),
                    &cell,
                    x,
                    [c, h],
                );
            }
        }
    }
}

#[test]
fn nan_and_infinity_in_weights_come_out_as_in_pytorch() {
    let mut random = Random(3);
    for (name, config) in configs() {
        let cell = cell(&config, &mut random);
        let [x, c, h] = [INPUT, HIDDEN, HIDDEN].map(|channels| random.values(channels * AREA));
        for value in VALUES {
            for parameter in 0.. {
                let mut poisoned = false;
                let cell = cell
                    .clone()
                    .map(&mut Change(0, |index, values: &mut [f32]| {
                        if index == parameter {
                            poison(values, value);
                            poisoned = true;
                        }
                    }));
                if !poisoned {
                    break;
                }
                compare(
                    &format!("{value} in parameter {parameter} of {name}"),
                    &cell,
                    &x,
                    [&c, &h],
                );
            }
        }
    }
}

#[test]
fn saturated_gates_are_finite() {
    let mut random = Random(4);
    for (name, config) in configs() {
        let cell = cell(&config, &mut random);
        for runner in runners() {
            for size in [1e4, -1e4] {
                let mut stream = runner.stream(&cell, 1, SPATIAL);
                let mut output = vec![0.0; config.output_channels() * AREA];
                for _ in 0..3 {
                    let x = random.values(INPUT * AREA).into_iter().map(|x| x * size);
                    stream
                        .step_into(&x.collect::<Vec<_>>(), &mut output)
                        .unwrap();
                    let finite = output.iter().all(|value| value.is_finite());
                    assert!(finite && stream.state().is_finite(), "{name} at {size}");
                }
            }
        }
    }
}

/// The state decays a little every frame, and would end among denormal numbers, which many machines
/// are slow with: the smallest of all, times more than a half, is rounded to itself.
#[test]
fn silence_leaves_no_denormal_numbers() {
    for (name, config) in [
        ("default", BottleneckLstmConfig::new(3, 4)),
        ("TensorFlow", BottleneckLstmConfig::tensorflow(3, 4)),
    ] {
        let cell = config.init::<Flex>(&Default::default());
        for runner in runners() {
            let mut stream = runner.stream(&cell, 1, [2, 3]);
            let mut output = vec![0.0; 4 * 6];
            let mut random = Random(5);
            for _ in 0..5 {
                stream
                    .step_into(&random.values(3 * 6), &mut output)
                    .unwrap();
            }
            let busy = |state: BottleneckLstmState<Flex>| {
                let data = state.cell.into_data();
                data.iter::<f32>().any(|value| value != 0.0)
            };
            assert!(busy(stream.state()), "no activity");
            for frame in 0..5_000 {
                stream.step_into(&[0.0; 3 * 6], &mut output).unwrap();
                let state = stream.state();
                for tensor in [state.cell, state.hidden] {
                    let data = tensor.into_data();
                    let subnormal = data.iter::<f32>().find(|value| value.is_subnormal());
                    assert_eq!(subnormal, None, "{name}, frame {frame}");
                }
            }
        }
    }
}
