//! Timings.

use anyhow::Result;
use clap::ValueEnum;

use crate::command::{cargo, run as run_to_end};

#[derive(clap::Args)]
pub struct Args {
    /// What to time, if not everything
    mode: Option<Mode>,

    /// Stock backends without Burn's default features, which cost them their own vector kernels
    #[arg(long)]
    lean: bool,

    /// Stock Flex with the AVX-512 kernels of its matrix products, which its default leaves out
    #[arg(long)]
    flex_x86_v4: bool,

    /// Passed on to the bench; `-- --help` lists them
    #[arg(last = true)]
    options: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// The CPU runner's numbers beside their floors
    Cpu,
    /// The GPU runner's numbers beside theirs; builds Burn's wgpu backend, for a quarter of an hour
    Wgpu,
}

/// Builds and runs the bench with optimisations.
pub fn run(args: &Args) -> Result<()> {
    let mut bench = cargo();
    bench.env("RAYON_NUM_THREADS", "1");
    bench.args(["run", "--release", "--locked", "--package", "benches"]);
    bench.args(["--features", if args.lean { "bench" } else { "stock" }]);
    if args.flex_x86_v4 {
        bench.args(["--features", "flex-x86-v4"]);
    }
    if let Some(Mode::Wgpu) = args.mode {
        bench.args(["--features", "wgpu"]);
    }
    bench.arg("--");
    match args.mode {
        Some(Mode::Cpu) => bench.arg("cpu"),
        Some(Mode::Wgpu) => bench.arg("wgpu"),
        None => &mut bench,
    };
    run_to_end(bench.args(&args.options))
}
