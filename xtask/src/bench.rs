//! Timings.

use anyhow::Result;
use clap::ValueEnum;

use crate::command::{cargo, run as run_to_end};

#[derive(clap::Args)]
pub struct Args {
    /// What to time, if not everything
    mode: Option<Mode>,

    /// Passed on to the bench; `-- --help` lists them
    #[arg(last = true)]
    options: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// The CPU runner's numbers beside their floors
    Cpu,
}

/// Builds and runs the bench with optimisations.
pub fn run(args: &Args) -> Result<()> {
    let mut bench = cargo();
    bench.env("RAYON_NUM_THREADS", "1");
    bench.args(["run", "--release", "--locked", "--package", "benches", "--"]);
    if let Some(Mode::Cpu) = args.mode {
        bench.arg("cpu");
    }
    run_to_end(bench.args(&args.options))
}
