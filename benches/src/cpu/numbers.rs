//! The table: what is measured, and the floor that it has to hold.

use std::fmt::Write as _;

use serde::Serialize;

use super::contestants::{
    FLEX, FLEX_RUNNER, FLEX_RUNNER_ALL, FLEX_STREAM, NDARRAY, NDARRAY_RUNNER, NDARRAY_STREAM, ORT,
    ORT_SEQ, ORT_STEP, POINTWISE, TORCH, TORCH_ALL,
};
use super::race::{Race, Task};
use crate::table::digits;
use crate::work::Shape;

/// One row: some work and its floors.
#[derive(Debug, Serialize)]
pub struct Row {
    work: &'static str,
    checks: Vec<Check>,
}

/// One number beside its floor.
#[derive(Debug, Serialize)]
struct Check {
    what: String,
    measured: Option<f64>,
    floor: f64,
    unit: &'static str,
}

impl Check {
    fn holds(&self) -> Option<bool> {
        Some(self.measured? >= self.floor)
    }
}

/// Every row, of what was timed so far.
pub fn rows(races: &[Race]) -> Vec<Row> {
    let step = |own, other| SpeedUps::new(races, Task::Step, own, &[other]);
    let training = |own, other| SpeedUps::new(races, Task::Training, own, &[other]);

    let stream = step(FLEX_STREAM, ORT);
    let sequence = SpeedUps::new(races, Task::Sequence, FLEX_RUNNER, &[ORT_SEQ, ORT_STEP]);
    let weights = training(FLEX_RUNNER, TORCH);
    let all = training(FLEX_RUNNER_ALL, TORCH_ALL);
    vec![
        Row {
            work: "stream step against ONNX Runtime",
            checks: vec![stream.mean("", 1.25), stream.worst(1.0)],
        },
        Row {
            work: "sequence, T=16, against the better of ONNX Runtime unrolled and step by step",
            checks: vec![sequence.mean("", 1.4), sequence.worst(1.05)],
        },
        Row {
            work: "training step, T=8, batch 4, against PyTorch, weight gradients alone",
            checks: vec![weights.mean("", 1.5), weights.worst(1.0)],
        },
        Row {
            work: "training step, T=8, batch 4, against PyTorch, all gradients",
            checks: vec![all.mean("", 1.5), all.worst(1.0)],
        },
        Row {
            work: "stream step against stock Burn",
            checks: vec![
                step(NDARRAY_STREAM, NDARRAY).mean("NdArray, ", 30.0),
                step(FLEX_STREAM, FLEX).mean("Flex, ", 2.4),
            ],
        },
        Row {
            work: "training step against stock Burn",
            checks: vec![
                training(NDARRAY_RUNNER, NDARRAY).mean("NdArray, ", 200.0),
                training(FLEX_RUNNER, FLEX).mean("Flex, ", 5.0),
            ],
        },
        Row {
            work: "pointwise kernels",
            checks: shares(races, Task::Pointwise, "of the peak", 0.8, |race| {
                race.share_of_peak(POINTWISE)
            }),
        },
        Row {
            work: "stream step on two threads against one",
            checks: shares(
                races,
                Task::Threads,
                "of what registers alone gain",
                0.85,
                Race::share_of_second_thread,
            ),
        },
    ]
}

/// How many times faster we are, shape by shape.
struct SpeedUps {
    found: Vec<(Shape, f64)>,
    /// Shapes of the task.
    shapes: usize,
}

impl SpeedUps {
    /// Of `own` over the fastest of `others`, all of which have to have run.
    fn new(races: &[Race], task: Task, own: &str, others: &[&str]) -> Self {
        let races = races.iter().filter(|race| race.task == task && race.counts);
        let slowest = |race: &Race| {
            let speed_ups = others.iter().map(|other| race.speed_up(own, other));
            let medians = speed_ups.map(|speed_up| Some(speed_up?.median));
            medians
                .collect::<Option<Vec<_>>>()?
                .into_iter()
                .reduce(f64::min)
        };
        Self {
            shapes: races.clone().count(),
            found: races
                .filter_map(|race| Some((race.shape, slowest(race)?)))
                .collect(),
        }
    }

    fn mean(&self, prefix: &str, floor: f64) -> Check {
        let count = self.found.len();
        let logarithms = self.found.iter().map(|(_, speed_up)| speed_up.ln());
        let measured = (count > 0).then(|| (logarithms.sum::<f64>() / count as f64).exp());
        let mut what = format!("{prefix}geometric mean");
        if count < self.shapes {
            let _ = write!(what, " of {count} of {} shapes", self.shapes);
        }
        Check {
            what,
            measured,
            floor,
            unit: "×",
        }
    }

    fn worst(&self, floor: f64) -> Check {
        let worst = self.found.iter().min_by(|a, b| a.1.total_cmp(&b.1));
        Check {
            what: worst.map_or("worst".to_owned(), |(shape, _)| format!("worst, {shape}")),
            measured: worst.map(|(_, speed_up)| *speed_up),
            floor,
            unit: "×",
        }
    }
}

/// A check for each shape of `task`.
fn shares(
    races: &[Race],
    task: Task,
    of: &str,
    floor: f64,
    share: impl Fn(&Race) -> Option<f64>,
) -> Vec<Check> {
    let races = races.iter().filter(|race| race.task == task);
    let check = |what, measured| Check {
        what,
        measured,
        floor,
        unit: "",
    };
    let checks = races.map(|race| check(format!("{of}, {}", race.shape), share(race)));
    let checks = checks.collect::<Vec<_>>();
    match checks.is_empty() {
        true => vec![check(of.to_owned(), None)],
        false => checks,
    }
}

/// Writes the table.
pub fn write(text: &mut String, rows: &[Row]) {
    text.push_str("| work | measured | floor | holds |\n|---|---|---|---|\n");
    for row in rows {
        let measured = row.checks.iter().map(|check| {
            let value = check.measured.map_or("not measured".to_owned(), |value| {
                digits(value) + check.unit
            });
            format!("{value} ({})", check.what)
        });
        let floors = row
            .checks
            .iter()
            .map(|check| format!("{}{}", check.floor, check.unit));
        let holds = row.checks.iter().map(|check| match check.holds() {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "?",
        });
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            row.work,
            cell(measured),
            cell(floors),
            cell(holds.map(str::to_owned))
        );
    }
}

/// Lines of a cell, one for each check.
fn cell(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("<br>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds::Timing;

    fn race(side: usize, counts: bool, times: &[(&'static str, f64)]) -> Race {
        let timings = times.iter().map(|(name, time)| Timing {
            name,
            is_peer: false,
            milliseconds: vec![*time],
            failed: None,
        });
        let shape = Shape {
            input: 8,
            hidden: 8,
            side,
        };
        Race::new(Task::Sequence, shape, counts, timings.collect())
    }

    #[test]
    fn the_better_rival_counts_and_every_shape() {
        let races = [
            race(
                1,
                true,
                &[(FLEX_RUNNER, 1.0), (ORT_SEQ, 8.0), (ORT_STEP, 4.0)],
            ),
            race(
                2,
                true,
                &[(FLEX_RUNNER, 2.0), (ORT_SEQ, 2.0), (ORT_STEP, 6.0)],
            ),
            race(
                3,
                false,
                &[(FLEX_RUNNER, 9.0), (ORT_SEQ, 1.0), (ORT_STEP, 1.0)],
            ),
        ];
        let checks = &rows(&races)[1].checks;
        let close = |check: &Check, to: f64| (check.measured.unwrap() - to).abs() < 1e-9;
        assert!(close(&checks[0], 2.0));
        assert_eq!(checks[0].holds(), Some(true));
        assert!(close(&checks[1], 1.0));
        assert_eq!(checks[1].holds(), Some(false));
        assert_eq!(checks[1].what, "worst, 8 → 8, 2×2");
    }

    #[test]
    fn a_shape_without_a_rival_is_told() {
        let races = [
            race(1, true, &[(FLEX_RUNNER, 1.0), (ORT_SEQ, 8.0)]),
            race(
                2,
                true,
                &[(FLEX_RUNNER, 2.0), (ORT_SEQ, 4.0), (ORT_STEP, 6.0)],
            ),
        ];
        let checks = &rows(&races)[1].checks;
        assert_eq!(checks[0].what, "geometric mean of 1 of 2 shapes");
        assert_eq!(rows(&[])[1].checks[0].holds(), None);
    }
}
