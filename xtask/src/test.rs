//! The test suite.

use anyhow::Result;

use crate::command::{cargo, stage};

#[derive(clap::Args)]
pub struct Args {
    /// Add the GPU suite
    #[arg(long)]
    all: bool,
}

/// Runs every test and documentation example that needs nothing but a CPU.
pub fn run(args: &Args) -> Result<()> {
    println!(
        "The CPU suite: about 12 minutes on two cores from an empty target folder, more than half \
         of them to compile Burn; 1.7 GB of disk; the network for the crates that Cargo has not got yet."
    );
    stage(
        "build",
        cargo().args(["test", "--workspace", "--locked", "--no-run"]),
    )?;
    stage(
        "tests",
        cargo().args(["test", "--workspace", "--locked", "--all-targets"]),
    )?;
    stage(
        "documentation examples",
        cargo().args(["test", "--workspace", "--locked", "--doc"]),
    )?;
    if args.all {
        println!("There is no GPU suite yet: the GPU runner is still to be written.");
    }
    Ok(())
}
