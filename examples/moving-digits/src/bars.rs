//! Progress on the terminal: a bar for each training; without a terminal, a line now and then.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use moving_digits::experiment::Watch;
use moving_digits::plan::Outcome;
use moving_digits::training::{Point, Progress, TrainingConfig};

const TEMPLATE: &str =
    "{prefix:>28}  {bar:28.cyan/black.bright}  {pos:>5}/{len:<5}  {msg:<44}  ETA {eta:>4}";

/// The bars of all trainings under way.
pub struct Bars {
    multi: MultiProgress,
    terminal: bool,
    style: ProgressStyle,
    under_way: Mutex<Vec<(TrainingConfig, ProgressBar, Scores)>>,
}

/// What a bar says beside its length.
#[derive(Default)]
struct Scores {
    loss: f64,
    f1: Option<[f64; 2]>,
}

impl Scores {
    /// Follows a loss, smoothly: it jumps from batch to batch.
    fn follow(&mut self, loss: f64) {
        self.loss = if self.loss == 0.0 {
            loss
        } else {
            0.95 * self.loss + 0.05 * loss
        };
    }

    fn message(&self) -> String {
        let f1 = self.f1.map_or(String::new(), |[clean, damaged]| {
            format!("  F1 clean {clean:.2}  damaged {damaged:.2}")
        });
        format!("loss {:.3}{f1}", self.loss)
    }
}

impl Bars {
    /// Bars on stderr.
    pub fn new() -> Self {
        let style = ProgressStyle::with_template(TEMPLATE)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━━━");
        Self {
            multi: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            terminal: std::io::stderr().is_terminal(),
            style,
            under_way: Mutex::default(),
        }
    }

    /// Clears the bars away.
    pub fn clear(&self) {
        // Nothing is lost if the terminal is gone.
        let _ = self.multi.clear();
    }

    fn with(&self, training: &TrainingConfig, f: impl FnOnce(&ProgressBar, &mut Scores)) {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(|poison| poison.into_inner());
        if let Some((_, bar, scores)) = under_way.iter_mut().find(|(other, ..)| other == training) {
            f(bar, scores);
            bar.set_message(scores.message());
        }
    }
}

impl Watch for Bars {
    fn started(&self, training: &TrainingConfig, progress: &Progress, total: usize) {
        let bar = self.multi.add(ProgressBar::new(total as u64));
        bar.set_style(self.style.clone());
        bar.set_prefix(name(training));
        // The time that is left is estimated from what is done in this process.
        bar.set_position(progress.step as u64);
        bar.reset_eta();
        bar.enable_steady_tick(Duration::from_millis(500));
        let last = progress.curve.last();
        let scores = Scores {
            loss: 0.0,
            f1: last.map(|point| [point.clean, point.damaged]),
        };
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(|poison| poison.into_inner());
        under_way.push((training.clone(), bar, scores));
    }

    fn stepped(&self, training: &TrainingConfig, step: usize, total: usize, loss: f64) {
        self.with(training, |bar, scores| {
            bar.set_length(total as u64);
            bar.set_position(step as u64);
            scores.follow(loss);
        });
    }

    fn evaluated(&self, training: &TrainingConfig, point: &Point) {
        self.with(training, |_, scores| {
            scores.f1 = Some([point.clean, point.damaged])
        });
        if !self.terminal {
            let Point {
                step,
                loss,
                clean,
                damaged,
                ..
            } = point;
            eprintln!(
                "{}: step {step}, loss {loss:.3}, F1 clean {clean:.2}, damaged {damaged:.2}",
                name(training)
            );
        }
    }

    fn finished(&self, outcome: &Outcome) {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(|poison| poison.into_inner());
        if let Some(index) = under_way
            .iter()
            .position(|(other, ..)| *other == outcome.training)
        {
            let (_, bar, _) = under_way.remove(index);
            bar.finish_and_clear();
        }
        let line = format!(
            "{}: done after {} steps, test F1 clean {:.2}, damaged {:.2}",
            name(&outcome.training),
            outcome.steps,
            outcome.test.clean.f1(),
            outcome.test.damaged.f1()
        );
        if self.terminal {
            // Nothing is lost if the terminal is gone.
            let _ = self.multi.println(line);
        } else {
            eprintln!("{line}");
        }
    }
}

fn name(training: &TrainingConfig) -> String {
    let TrainingConfig {
        layer,
        seed,
        schedule,
        ..
    } = training;
    format!("{} (seed {seed}, {})", layer.name(), schedule.peak)
}
