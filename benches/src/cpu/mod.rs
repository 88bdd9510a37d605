//! The CPU runner's numbers, each beside the floor that it has to hold.

mod contestants;
mod details;
mod numbers;
mod race;

use std::io;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;

use self::numbers::Row;
use self::race::{Race, Task};
use crate::machine::{Machine, OPTIONS};
use crate::rounds::{self, Limits};
use crate::table;
use crate::work::{self, Shape};

/// The CPU runner's numbers beside their floors, and the roofline.
///
/// One thread each, but for the task `threads`.
#[derive(clap::Args)]
pub struct Args {
    /// Shapes that the floors hold for, as INPUT,HIDDEN,SIDE
    #[arg(long, num_args = 1.., default_values = work::SHAPES)]
    shapes: Vec<Shape>,

    /// Shapes of awkward sizes, shown in the details alone
    #[arg(long, num_args = 0.., default_values = ["24,20,13", "100,36,7", "3,10,33"])]
    awkward: Vec<Shape>,

    /// Which tasks
    #[arg(long, num_args = 1.., value_enum, default_values = ["step", "sequence", "training", "pointwise", "threads"])]
    tasks: Vec<Task>,

    /// A tenth of the runs: 20, or 2 seconds a contestant
    #[arg(long)]
    quick: bool,

    /// The Python that has the peers
    #[arg(long, default_value = "python3")]
    python: PathBuf,

    /// Where cpu.md and cpu.json go
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Report {
    machine: Machine,
    quick: bool,
    numbers: Vec<Row>,
    races: Vec<Race>,
}

pub fn run(args: &Args) -> Result<()> {
    let peers = crate::peers(&args.python);
    let races = races(args);
    let progress = crate::progress(races.len())?;
    let mut report = Report {
        machine: Machine::this(peers.versions()),
        quick: args.quick,
        numbers: Vec::new(),
        races: Vec::new(),
    };
    for (task, shape, counts) in races {
        progress.set_message(format!("{task:?} {shape}"));
        let contestants = contestants::of(task, shape, args.quick, &peers)?;
        let timings = rounds::race(contestants, Limits::new(args.quick));
        report.races.push(Race::new(task, shape, counts, timings));
        report.numbers = numbers::rows(&report.races);
        progress.inc(1);
        report
            .save(args)
            .with_context(|| format!("cannot write {}", args.out.display()))?;
    }
    progress.finish_and_clear();
    print!("{}", report.markdown());
    println!(
        "\nWritten to {0}/cpu.md and {0}/cpu.json.",
        args.out.display()
    );
    Ok(())
}

/// Every task with its shapes, and whether the floors hold for them.
fn races(args: &Args) -> Vec<(Task, Shape, bool)> {
    let mut races = Vec::new();
    for task in &args.tasks {
        match task.own_shapes() {
            Some(shapes) => races.extend(shapes.iter().map(|shape| (*task, *shape, true))),
            None => {
                races.extend(args.shapes.iter().map(|shape| (*task, *shape, true)));
                races.extend(args.awkward.iter().map(|shape| (*task, *shape, false)));
            }
        }
    }
    races
}

impl Report {
    fn save(&self, args: &Args) -> io::Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        table::write(&args.out, [("cpu.md", self.markdown()), ("cpu.json", json)])
    }

    fn markdown(&self) -> String {
        let mut text = format!(
            "Machine: {}. Command: `cargo xtask bench cpu{OPTIONS}{}`.\n\n",
            self.machine,
            if self.quick { " -- --quick" } else { "" }
        );
        numbers::write(&mut text, &self.numbers);
        details::write(&mut text, &self.races);
        text
    }
}
