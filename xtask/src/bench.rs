//! Timings.

use anyhow::Result;
use clap::ValueEnum;

use crate::command::{cargo, run as run_to_end};

#[derive(clap::Args)]
pub struct Args {
    /// What to time, if not everything
    mode: Option<Mode>,

    /// Features of stock Burn's backends. Unless it is said, `lean` for `cpu` and `ssd` and `default` for all else
    #[arg(long)]
    burn: Option<Features>,

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
    /// The detector beside ONNX Runtime and TFLite, with the floors of its numbers
    Ssd,
    /// The GPU runner's numbers beside theirs; builds Burn's wgpu backend, for a quarter of an hour
    Wgpu,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Features {
    /// What a user gets who says nothing: NdArray with vector kernels of its own
    Default,
    /// No default features: what the floors of `cpu` and `ssd` were set against
    Lean,
}

/// Builds and runs the bench with optimisations.
pub fn run(args: &Args) -> Result<()> {
    let mut bench = cargo();
    bench.env("RAYON_NUM_THREADS", "1");
    bench.args(["run", "--release", "--locked", "--package", "benches"]);
    let lean = match (args.burn, args.mode) {
        (Some(features), _) => features == Features::Lean,
        (None, mode) => matches!(mode, Some(Mode::Cpu | Mode::Ssd)),
    };
    bench.args(["--features", if lean { "bench" } else { "stock" }]);
    if args.flex_x86_v4 {
        bench.args(["--features", "flex-x86-v4"]);
    }
    if let Some(Mode::Wgpu) = args.mode {
        bench.args(["--features", "wgpu"]);
    }
    bench.arg("--");
    match args.mode {
        Some(Mode::Cpu) => bench.arg("cpu"),
        Some(Mode::Ssd) => bench.arg("ssd"),
        Some(Mode::Wgpu) => bench.arg("wgpu"),
        None => &mut bench,
    };
    run_to_end(bench.args(&args.options))
}
