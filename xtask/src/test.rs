//! The test suite.

use anyhow::Result;

use crate::binaries;
use crate::command::{cargo, stage, stage_of};

#[derive(clap::Args)]
pub struct Args {
    /// Add the GPU suite
    #[arg(long)]
    all: bool,
}

/// Runs every test and documentation example that needs nothing but a CPU.
pub fn run(args: &Args) -> Result<()> {
    println!(
        "The CPU suite: about 9 minutes on two cores from an empty target folder, more than half of \
         them to compile Burn; 1.7 GB of disk; the network for the crates that Cargo has not got yet."
    );
    let binaries = stage("build", binaries::build)?;
    stage("tests", || binaries::run(&binaries))?;
    stage_of(
        "documentation examples",
        cargo().args(["test", "--workspace", "--locked", "--doc"]),
    )?;
    if args.all {
        println!("There is no GPU suite yet: the GPU runner is still to be written.");
    }
    Ok(())
}
