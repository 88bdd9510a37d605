//! The same input gives the same bits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bottleneck_lstm::{BottleneckLstm, BottleneckLstmConfig, LearnedState};
use bottleneck_lstm_ndarray::{CpuRunner, Instructions};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Distribution, Tensor};
use burn_autodiff::Autodiff;
use burn_flex::Flex;

use crate::variants::{SPATIAL, variants};

type Train = Autodiff<Flex>;

fn bits<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<u32> {
    let values = tensor.into_data().to_vec::<f32>().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

/// The gradients of a module's parameters.
struct Gradients<'a> {
    all: &'a <Train as AutodiffBackend>::Gradients,
    found: Vec<Vec<u32>>,
}

impl ModuleVisitor<Train> for Gradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Train, D>>) {
        let gradient = param.val().grad(self.all).expect("every parameter trains");
        self.found.push(bits(gradient));
    }
}

/// Everything that comes out of a sequence, forward and backward.
fn run(runner: &CpuRunner, cell: &BottleneckLstm<Train>, xs: &Tensor<Train, 5>) -> Vec<Vec<u32>> {
    let xs = xs.clone().detach().require_grad();
    let (outputs, state) = cell.forward_with(runner, xs.clone(), None);
    let mut all = vec![
        bits(outputs.clone()),
        bits(state.cell.clone()),
        bits(state.hidden),
    ];
    let gradients = (outputs.square().sum() + state.cell.sum()).backward();
    all.push(bits(xs.grad(&gradients).expect("the input is tracked")));
    let mut visitor = Gradients {
        all: &gradients,
        found: Vec::new(),
    };
    cell.visit(&mut visitor);
    all.extend(visitor.found);
    all
}

fn check(name: &str, config: &BottleneckLstmConfig, spatial: [usize; 2], batches: &[usize]) {
    let device = Default::default();
    let cell = config.init::<Train>(&device);
    for &batch in batches {
        let shape = [batch, 2, config.input_channels, spatial[0], spatial[1]];
        let xs = Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device);
        for instructions in Instructions::available() {
            let on = |threads| {
                let runner = CpuRunner::new().with_instructions(instructions);
                run(&runner.with_threads(threads), &cell, &xs)
            };
            let expected = on(1);
            for threads in [1, 2, 3, 5] {
                let found = on(threads);
                assert_eq!(found.len(), expected.len());
                for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    assert!(
                        found == expected,
                        "{name}, batch {batch}, {instructions:?}: result {index} of {threads} threads"
                    );
                }
            }
        }
    }
}

#[test]
fn threads_change_no_bit_of_any_variant() {
    for (name, config) in variants(19) {
        check(name, &config, SPATIAL, &[1, 3, 9]);
    }
}

/// A map that is worked on in several bands.
#[test]
fn threads_change_no_bit_of_a_large_map() {
    let config = BottleneckLstmConfig::new(20, 40);
    check("large", &config, [27, 23], &[1, 3]);
    let config = BottleneckLstmConfig::tensorflow(20, 40)
        .with_groups(2)
        .with_kernel_size(5);
    check("large and grouped", &config, [27, 23], &[1]);
}

#[test]
fn streams_in_two_threads_do_not_disturb_each_other() {
    let device = Default::default();
    let cell = BottleneckLstmConfig::tensorflow(40, 48)
        .with_groups(2)
        .init::<Flex>(&device);
    for threads in [1, 2] {
        // Clones share their memory.
        let runner = CpuRunner::new().with_threads(threads);
        let play = |seed: usize| {
            let mut stream = runner.clone().stream(&cell, 2, [11, 9]);
            let mut output = vec![0.0; 2 * 48 * 99];
            let mut all = Vec::new();
            for step in 0..40 {
                let x = (0..2 * 40 * 99).map(|i| ((i * 31 + step * 17 + seed) % 101) as f32 / 50.0);
                stream
                    .step_into(&x.collect::<Vec<_>>(), &mut output)
                    .unwrap();
                all.extend(output.iter().map(|value| value.to_bits()));
            }
            all
        };
        let expected = [play(3), play(58)];
        let found = thread::scope(|scope| {
            let one = scope.spawn(|| play(3));
            let other = scope.spawn(|| play(58));
            [one.join().unwrap(), other.join().unwrap()]
        });
        assert!(found == expected, "{threads} threads");
    }
}

/// While a forward pass runs, nobody but the runner holds what its inputs come from: a backward
/// pass in another thread must not take that for garbage.
#[test]
fn a_backward_pass_elsewhere_costs_no_gradient() {
    let device = Default::default();
    let cell = BottleneckLstmConfig::new(9, 10)
        .with_learned_state(LearnedState::PerChannel)
        .init::<Train>(&device);
    let [height, width] = SPATIAL;
    let shape = [1, 2, 9, height, width];
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let one = Tensor::<Train, 1>::ones([1], &device).require_grad();
                one.square().backward();
            }
        });
        let lost = (0..300)
            .filter(|_| {
                let xs = Tensor::ones(shape, &device);
                let (outputs, _) = cell.forward_with(&CpuRunner::new(), xs, None);
                let gradients = outputs.sum().backward();
                let start = cell.initial_cell.as_ref().expect("a learned state");
                start.val().grad(&gradients).is_none()
            })
            .count();
        done.store(true, Ordering::Relaxed);
        assert_eq!(lost, 0, "of 300 gradients");
    });
}
