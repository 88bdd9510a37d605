//! Timings.

use anyhow::Result;

use crate::command::{cargo, run as run_to_end};

#[derive(clap::Args)]
pub struct Args {
    /// Passed on to the bench; `-- --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

/// Builds and runs the bench with optimisations.
pub fn run(args: &Args) -> Result<()> {
    let mut bench = cargo();
    bench.env("RAYON_NUM_THREADS", "1");
    bench.args(["run", "--release", "--locked", "--package", "benches", "--"]);
    run_to_end(bench.args(&args.options))
}
