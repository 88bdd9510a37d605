//! An interrupted training goes on to the same bits.

use std::path::Path;

use bottleneck_lstm_ndarray::CpuRunner;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use moving_digits::clip::Clip;
use moving_digits::digits::{Digits, Split};
use moving_digits::evaluation::held_out;
use moving_digits::recurrent::Layer;
use moving_digits::schedule::Schedule;
use moving_digits::training::{Duration, Progress, Trainer, TrainingConfig};

type Train<'a> = Trainer<'a, Autodiff<Flex>, CpuRunner>;

/// Small, with everything in it: a state that is carried between chunks, evaluations, warm-up and
/// decay.
fn config(layer: Layer) -> TrainingConfig {
    TrainingConfig {
        layer,
        seed: 3,
        schedule: Schedule {
            peak: 1e-2,
            warm_up: 3,
            decay: 8,
        },
        duration: Duration::Steps(8),
        batch: 2,
        chunk: 3,
        chunks: 3,
        evaluate_every: 2,
    }
}

fn trainer(digits: &Digits, layer: Layer) -> Train<'_> {
    Trainer::new(config(layer), digits, CpuRunner::new(), Default::default())
}

fn train(trainer: &mut Train<'_>, until: usize, validation: &[Clip]) {
    while trainer.progress().step < until {
        trainer.step().unwrap();
        if trainer.is_evaluation_due() {
            trainer.evaluate(validation);
        }
    }
}

/// The bits of every number of a module, running statistics included, by name of the parameter.
#[derive(Default, PartialEq, Debug)]
struct Bits(Vec<Vec<u32>>);

impl<B: Backend> ModuleVisitor<B> for Bits {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let values = param.val().into_data().into_vec::<f32>().unwrap();
        self.0.push(values.into_iter().map(f32::to_bits).collect());
    }
}

fn outcome(trainer: &Train<'_>) -> (Bits, Progress) {
    let mut bits = Bits::default();
    trainer.network().visit(&mut bits);
    (bits, trainer.progress().clone())
}

fn interrupted(
    digits: &Digits,
    layer: Layer,
    at: usize,
    validation: &[Clip],
    file: &Path,
) -> (Bits, Progress) {
    let mut first = trainer(digits, layer);
    train(&mut first, at, validation);
    first.save(file).unwrap();
    drop(first);
    let mut second = trainer(digits, layer).resume(file).unwrap();
    assert_eq!(second.progress().step, at);
    train(&mut second, 8, validation);
    outcome(&second)
}

#[test]
fn an_interrupted_training_goes_on_to_the_same_bits() {
    let digits = Digits::embedded().unwrap();
    let validation = held_out(&digits, Split::Validation, 2);
    let folder = tempfile::tempdir().unwrap();
    for layer in Layer::ALL {
        let mut straight = trainer(&digits, layer);
        train(&mut straight, 8, &validation);
        let expected = outcome(&straight);
        assert!(straight.is_done());
        assert_eq!(expected.1.curve.len(), 4);
        // Between two videos, and within one, between two chunks.
        for at in [3, 5] {
            let file = folder.path().join(format!("{}-{at}.mpk", layer.slug()));
            let found = interrupted(&digits, layer, at, &validation, &file);
            assert!(found == expected, "{} interrupted at {at}", layer.name());
        }
    }
}

#[test]
fn the_carried_state_matters_to_the_bits() {
    // What the test above would miss if a checkpoint dropped the state and nothing noticed.
    let digits = Digits::embedded().unwrap();
    let mut carried = trainer(&digits, Layer::BottleneckLstm);
    train(&mut carried, 2, &[]);
    let fresh = TrainingConfig {
        chunks: 1,
        ..config(Layer::BottleneckLstm)
    };
    let mut fresh: Train<'_> = Trainer::new(fresh, &digits, CpuRunner::new(), Default::default());
    fresh.step().unwrap();
    fresh.step().unwrap();
    assert!(outcome(&carried).0 != outcome(&fresh).0);
}

#[test]
fn a_file_that_is_no_checkpoint_is_an_error() {
    let digits = Digits::embedded().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checkpoint.mpk");
    let error = |file: &Path| match trainer(&digits, Layer::NoMemory).resume(file) {
        Ok(_) => panic!("resumed from nothing"),
        Err(error) => error.to_string(),
    };
    assert!(error(&file).contains("checkpoint.mpk: "));

    trainer(&digits, Layer::NoMemory).save(&file).unwrap();
    let whole = std::fs::read(&file).unwrap();
    for bytes in [&b"nonsense"[..], &[], &whole[..whole.len() / 2]] {
        std::fs::write(&file, bytes).unwrap();
        assert!(error(&file).contains("checkpoint.mpk: not the expected record"));
    }
}
