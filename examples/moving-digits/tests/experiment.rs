//! A full experiment in miniature: interrupted again and again, it comes to the same end.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bottleneck_lstm_ndarray::CpuRunner;
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use moving_digits::digits::Digits;
use moving_digits::experiment::{Experiment, Watch};
use moving_digits::plan::{Outcome, Plan};
use moving_digits::recurrent::Layer;
use moving_digits::report;
use moving_digits::training::{Duration, TrainingConfig};

fn plan() -> Plan {
    Plan {
        duration: Duration::Plateau {
            patience: 1,
            limit: 2,
        },
        warm_up: 1,
        decay: 1,
        evaluate_every: 1,
        validation_clips: 1,
        test_clips: 2,
        ..Plan::full(vec![Layer::NoMemory, Layer::BottleneckLstm], 0, 2)
    }
}

fn run(
    folder: &Path,
    digits: &Digits,
    stop: &AtomicBool,
    watch: &impl Watch,
) -> Option<Vec<Outcome>> {
    let (plan, runner) = (&plan(), &CpuRunner::new().with_threads(1));
    let experiment = Experiment {
        plan,
        folder,
        digits,
        runner,
        jobs: 2,
        stop,
    };
    experiment
        .run::<Autodiff<Flex>>(watch, &Default::default())
        .unwrap()
}

/// Presses Ctrl-C after a number of steps, and counts them.
struct Impatient<'a> {
    stop: &'a AtomicBool,
    steps: AtomicUsize,
    patience: usize,
}

impl Watch for Impatient<'_> {
    fn stepped(&self, _: &TrainingConfig, _: usize, _: usize, _: f64) {
        if self.steps.fetch_add(1, Ordering::Relaxed) + 1 == self.patience {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn interrupted_again_and_again_it_comes_to_the_same_end() {
    let digits = Digits::embedded().unwrap();
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [straight, interrupted] = folders.each_ref().map(|folder| folder.path());
    let never = AtomicBool::new(false);
    let expected = run(straight, &digits, &never, &()).unwrap();

    // Two learning rates with the first seed, one with each of the two others, of two layers.
    assert_eq!(expected.len(), 8);
    let plan = plan();
    for layer in &plan.layers {
        let chosen = plan.chosen(&expected, *layer);
        let seeds: Vec<u64> = chosen.iter().map(|outcome| outcome.training.seed).collect();
        assert_eq!(seeds, plan.seeds);
    }
    for outcome in &expected {
        assert!((2..=3).contains(&outcome.steps), "{} steps", outcome.steps);
        assert_eq!(outcome.curve.len(), outcome.steps);
    }

    let mut steps = 0;
    let mut runs = 0;
    let outcomes = loop {
        runs += 1;
        let stop = AtomicBool::new(false);
        let watch = Impatient {
            stop: &stop,
            steps: AtomicUsize::new(0),
            patience: 5,
        };
        let outcomes = run(interrupted, &digits, &stop, &watch);
        steps += watch.steps.into_inner();
        assert!(runs < 50, "it never ends");
        if let Some(outcomes) = outcomes {
            break outcomes;
        }
    };
    assert!(runs > 3, "{runs} runs");
    // No step is lost, and none is done twice.
    assert_eq!(
        steps,
        expected.iter().map(|outcome| outcome.steps).sum::<usize>()
    );
    assert!(outcomes == expected);

    // What is done is not done again.
    let watch = Impatient {
        stop: &never,
        steps: AtomicUsize::new(0),
        patience: 1,
    };
    assert!(run(interrupted, &digits, &never, &watch).unwrap() == expected);
    assert_eq!(watch.steps.into_inner(), 0);

    let report = report::write::<Flex, _>(
        interrupted,
        &plan,
        &outcomes,
        &digits,
        &CpuRunner::new(),
        &Default::default(),
    )
    .unwrap();
    assert_eq!(report.table.lines().count(), 5);
    assert!(
        report.table.lines().last().unwrap().contains('–'),
        "no spread: {}",
        report.table
    );
    let heads: [&[u8]; 3] = [b"| ", b"\x89PNG", b"GIF89a"];
    for (file, head) in report.files.iter().zip(heads) {
        assert!(
            std::fs::read(file).unwrap().starts_with(head),
            "{}",
            file.display()
        );
    }
}

#[test]
fn a_damaged_result_is_named() {
    let digits = Digits::embedded().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let training = folder.path().join("trainings/no-memory-seed-0-rate-0.001");
    std::fs::create_dir_all(&training).unwrap();
    std::fs::write(training.join("result.json"), "{").unwrap();
    let (plan, runner) = (&plan(), &CpuRunner::new());
    let stop = &AtomicBool::new(false);
    let experiment = Experiment {
        plan,
        folder: folder.path(),
        digits: &digits,
        runner,
        jobs: 1,
        stop,
    };
    let error = experiment
        .run::<Autodiff<Flex>>(&(), &Default::default())
        .unwrap_err();
    assert!(
        error.to_string().ends_with("result.json is no result"),
        "{error}"
    );
}
