//! The test suite.

use anyhow::Result;

use crate::command::{cargo, stage, stage_of};
use crate::{binaries, driver};

#[derive(clap::Args)]
pub struct Args {
    /// Add the GPU suite
    #[arg(long)]
    all: bool,
}

/// All that needs nothing but a CPU.
const CPU: [&str; 3] = ["--workspace", "--exclude", "bottleneck-lstm-wgpu"];

/// What needs an adapter.
const GPU: [&str; 2] = ["--package", "bottleneck-lstm-wgpu"];

/// The same with kernels compiled to SPIR-V rather than WGSL.
const SPIRV: [&str; 3] = ["--package", "bottleneck-lstm-wgpu", "--features=vulkan"];

/// Runs every test and documentation example that needs nothing but a CPU, and on request those that
/// need an adapter.
pub fn run(args: &Args) -> Result<()> {
    println!(
        "The CPU suite: about 9 minutes on two cores from an empty target folder, more than half of \
         them to compile Burn; 1.7 GB of disk; the network for the crates that Cargo has not got yet."
    );
    suite("CPU", &CPU)?;
    stage_of("documentation examples", &mut doc(&CPU))?;
    if args.all {
        driver::install()?;
        println!("The GPU suite: about 14 minutes more, and 1.4 GB of disk.");
        suite("GPU", &GPU)?;
        suite("GPU, SPIR-V", &SPIRV)?;
        stage_of("GPU, documentation examples", &mut doc(&GPU))?;
    }
    Ok(())
}

fn suite(name: &str, selection: &[&str]) -> Result<()> {
    let binaries = stage(&format!("{name}, build"), || binaries::build(selection))?;
    stage(&format!("{name}, tests"), || binaries::run(&binaries))
}

fn doc(selection: &[&str]) -> std::process::Command {
    let mut doc = cargo();
    doc.args(["test", "--locked", "--doc"]).args(selection);
    doc
}
