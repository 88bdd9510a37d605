//! Times the cell and ConvLSTM on Burn's CPU backends beside ONNX Runtime and PyTorch, and the detector.
//!
//! One round runs every contestant once, one after the other; a ratio is that of two runs of one
//! round, so that a machine whose speed drifts slows both sides. One thread each.

mod cpu;
mod machine;
mod ours;
mod peers;
mod process;
mod rounds;
mod ssd;
mod table;
#[cfg(feature = "wgpu")]
mod wgpu;
mod work;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use crate::machine::Machine;
use crate::peers::Peers;
use crate::rounds::Limits;
use crate::table::Report;
use crate::work::{Cell, Kind, Shape, Work};

/// Times the cell and ConvLSTM on Burn's CPU backends beside ONNX Runtime and PyTorch.
///
/// The peers want a Python with numpy, onnx, onnxruntime and torch (`--python`). Without them the
/// bench runs all the same.
#[derive(Parser)]
#[command(name = "cargo xtask bench --", args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    mode: Option<Mode>,

    /// Shapes as INPUT,HIDDEN,SIDE: channels, channels, height and width
    #[arg(long, num_args = 1.., default_values = work::SHAPES)]
    shapes: Vec<Shape>,

    /// Which work
    #[arg(long, num_args = 1.., value_enum, default_values = ["step", "sequence", "training"])]
    works: Vec<Kind>,

    /// Which cells
    #[arg(long, num_args = 1.., value_enum, default_values = ["bottleneck-lstm", "conv-lstm"])]
    cells: Vec<Cell>,

    /// A tenth of the runs: 20, or 2 seconds a contestant
    #[arg(long)]
    quick: bool,

    /// The Python that has the peers
    #[arg(long, default_value = "python3")]
    python: PathBuf,

    /// Where bench.md and bench.json go
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

#[derive(Subcommand)]
enum Mode {
    Cpu(cpu::Args),
    Ssd(ssd::Args),
    #[cfg(feature = "wgpu")]
    Wgpu(wgpu::Args),
}

fn main() -> Result<()> {
    let args = Args::parse();
    // Flex and its matrix products take their threads from rayon, which reads this.
    ensure!(
        std::env::var("RAYON_NUM_THREADS").is_ok_and(|threads| threads == "1"),
        "one thread each: set RAYON_NUM_THREADS=1, as `cargo xtask bench` does"
    );
    match &args.mode {
        Some(Mode::Cpu(args)) => cpu::run(args),
        Some(Mode::Ssd(args)) => ssd::run(args),
        #[cfg(feature = "wgpu")]
        Some(Mode::Wgpu(args)) => wgpu::run(args),
        None => run(&args),
    }
}

fn run(args: &Args) -> Result<()> {
    let mut peers = peers(&args.python);
    let works = works(args);
    let progress = progress(works.len())?;
    let mut report = Report::new(Machine::this(peers.versions()), std::env::args().skip(1));
    for work in works {
        progress.set_message(work.to_string());
        let mut contestants = ours::contestants(&work);
        contestants.extend(peers.contestants(&work)?);
        report.add(work, rounds::race(contestants, Limits::new(args.quick)));
        progress.inc(1);
        report
            .save(&args.out)
            .with_context(|| format!("cannot write {}", args.out.display()))?;
    }
    progress.finish_and_clear();
    print!("{}", report.markdown());
    println!(
        "\nWritten to {0}/bench.md and {0}/bench.json.",
        args.out.display()
    );
    Ok(())
}

/// The peers; says so if they are absent.
fn peers(python: &Path) -> Peers {
    let peers = Peers::start(python);
    if let Some(reason) = peers.absent() {
        eprintln!("Without ONNX Runtime and PyTorch: {reason}");
    }
    peers
}

fn progress(races: usize) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} (ETA {eta})")?;
    Ok(ProgressBar::new(races as u64).with_style(style))
}

fn works(args: &Args) -> Vec<Work> {
    let mut works = Vec::new();
    for cell in &args.cells {
        for kind in &args.works {
            for shape in &args.shapes {
                works.push(Work {
                    cell: *cell,
                    kind: *kind,
                    shape: *shape,
                });
            }
        }
    }
    works
}
