//! The table of results, as Markdown that reads well in a terminal too.

use std::time::Duration;

use crate::network;
use crate::plan::{Outcome, Plan};
use crate::recurrent::Layer;
use crate::score::Score;

const HEADER: [&str; 7] = [
    "",
    "recurrent parameters",
    "recurrent MMAC a frame",
    "all MMAC a frame",
    "ms a frame",
    "F1 clean",
    "F1 damaged",
];

/// The table of a plan's outcomes, with the time of a frame for each of its layers.
pub fn table(plan: &Plan, outcomes: &[Outcome], times: &[(Layer, Duration)]) -> String {
    let mut rows = vec![HEADER.map(String::from)];
    for layer in &plan.layers {
        let chosen = plan.chosen(outcomes, *layer);
        let time = times
            .iter()
            .find(|(other, _)| other == layer)
            .map(|(_, time)| *time);
        let tests: Vec<Score> = chosen.iter().map(|outcome| outcome.test).collect();
        rows.push(row(layer.name(), *layer, time, &tests));
        let holds: Option<Vec<Score>> = chosen
            .iter()
            .map(|outcome| outcome.hold.map(|hold| hold.test))
            .collect();
        if let Some(tests) = holds.filter(|tests| !tests.is_empty()) {
            rows.push(row("hold the last prediction", *layer, time, &tests));
        }
    }
    markdown(&rows)
}

fn row(name: &str, layer: Layer, time: Option<Duration>, tests: &[Score]) -> [String; 7] {
    let mega = |macs: u64| format!("{:.2}", macs as f64 / 1e6);
    [
        name.into(),
        thousands(layer.parameters()),
        mega(layer.macs()),
        mega(network::macs(layer)),
        time.map_or("–".into(), |time| {
            format!("{:.2}", 1e3 * time.as_secs_f64())
        }),
        spread(tests.iter().map(|test| test.clean.f1())),
        spread(tests.iter().map(|test| test.damaged.f1())),
    ]
}

/// One number as it is; of several the mean and, in brackets, the lowest and the highest.
fn spread(values: impl Iterator<Item = f64>) -> String {
    let values: Vec<f64> = values.collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    match values.as_slice() {
        [] => "–".into(),
        [only] => format!("{only:.2}"),
        _ => {
            let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
            let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            format!("{mean:.3} ({lowest:.3}–{highest:.3})")
        }
    }
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The first column to the left, numbers to the right.
fn markdown<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
            .max(3)
    };
    let widths: [usize; N] = core::array::from_fn(width);
    let mut table = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let cell = if column == 0 {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            };
            table += &format!("| {cell} ");
        }
        table += "|\n";
        if index == 0 {
            for (column, width) in widths.into_iter().enumerate() {
                let end = if column == 0 { '-' } else { ':' };
                table += &format!("| {}{end} ", "-".repeat(width - 1));
            }
            table += "|\n";
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hold::Hold;
    use crate::plan::HoldOutcome;
    use crate::score::Tally;

    fn score(clean: usize, damaged: usize) -> Score {
        let tally = |matched| Tally {
            matched,
            detections: 100,
            objects: 100,
        };
        Score {
            clean: tally(clean),
            damaged: tally(damaged),
        }
    }

    fn outcome(plan: &Plan, layer: Layer, seed: u64, rate: f64, score: Score) -> Outcome {
        let hold = HoldOutcome {
            hold: Hold {
                threshold: 0.5,
                frames: 2,
            },
            test: score,
        };
        Outcome {
            training: plan.training(layer, seed, rate),
            steps: 1,
            curve: Vec::new(),
            threshold: 0.5,
            validation: score,
            test: score,
            hold: (layer == Layer::NoMemory).then_some(hold),
        }
    }

    #[test]
    fn it_has_a_row_for_each_layer_and_one_for_holding() {
        let plan = Plan::quick(vec![Layer::NoMemory, Layer::BottleneckLstm], 0, 100);
        let outcomes = [
            outcome(&plan, Layer::NoMemory, 0, 1e-2, score(81, 12)),
            outcome(&plan, Layer::BottleneckLstm, 0, 1e-2, score(85, 72)),
        ];
        let times = [(Layer::BottleneckLstm, Duration::from_micros(1234))];
        let table = table(&plan, &outcomes, &times);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 5);
        assert!(
            lines
                .iter()
                .all(|line| line.chars().count() == lines[0].chars().count())
        );
        assert!(lines[2].starts_with("| no memory "));
        assert!(lines[3].starts_with("| hold the last prediction "));
        let cells: Vec<&str> = lines[4].split('|').map(str::trim).collect();
        assert_eq!(cells[1..4], ["Bottleneck-LSTM", "25,856", "1.65"]);
        assert_eq!(cells[5..8], ["1.23", "0.85", "0.72"]);
    }

    #[test]
    fn several_seeds_give_mean_and_spread_at_the_rate_that_the_first_chose() {
        let plan = Plan::full(vec![Layer::ConvGru], 0, 100);
        let outcomes = [
            outcome(&plan, Layer::ConvGru, 0, 1e-3, score(60, 50)),
            outcome(&plan, Layer::ConvGru, 0, 3e-3, score(80, 70)),
            outcome(&plan, Layer::ConvGru, 1, 3e-3, score(82, 71)),
            outcome(&plan, Layer::ConvGru, 2, 3e-3, score(81, 75)),
        ];
        let table = table(&plan, &outcomes, &[]);
        assert!(
            table.contains("| 0.810 (0.800–0.820) | 0.720 (0.700–0.750) |"),
            "{table}"
        );
        assert!(table.contains("221,376"), "{table}");
    }
}
