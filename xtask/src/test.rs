//! The test suite.

use anyhow::{Result, ensure};

use crate::command::{cargo, stage, stage_of};
use crate::{binaries, driver};

#[derive(clap::Args)]
pub struct Args {
    /// Add the GPU suite
    #[arg(long)]
    all: bool,
}

/// All that needs nothing but a CPU. Without default features the video demo has no window and no GPU; no other
/// package has any. The detector's command is a default feature too, and needs neither.
const CPU: [&str; 5] = [
    "--workspace",
    "--exclude",
    "bottleneck-lstm-wgpu",
    "--no-default-features",
    "--features=lstm-ssd/cli",
];

/// What needs an adapter. The demo's window is not among it yet: it is compiled, by clippy, and its tests run by hand, as
/// CONTRIBUTING.md says.
const GPU: [&str; 2] = ["--package", "bottleneck-lstm-wgpu"];

/// The part of it that is run again with kernels compiled to SPIR-V rather than WGSL: every variant forward, without
/// fusion, and PyTorch's gradients. All of it would take as long as the rest of the tests together.
const SPIRV: [&[&str]; 2] = [
    &["cube::plain::"],
    &[
        "launches::",
        "stream::",
        "determinism::",
        "shared_device::",
        "tiling::",
        "cube::gradients::gradients_are_those_of_pytorch",
    ],
];

/// All of it, with kernels compiled to WGSL. A driver that runs on the CPU compiles each kernel on one core, and that is
/// most of the time: hence two processes, for two cores.
const WGSL: [&[&str]; 2] = [&["cube::"], &["--skip", "cube::"]];

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
        println!("The GPU suite: about 25 minutes more, and 2 GB of disk.");
        let binaries = stage("GPU, build", || binaries::build(&GPU))?;
        let (gpu, others): (Vec<_>, Vec<_>) =
            binaries.into_iter().partition(|binary| binary.is("gpu"));
        let parts = gpu.iter().flat_map(|gpu| WGSL.map(|part| gpu.part(part)));
        let binaries: Vec<_> = parts.chain(others).collect();
        stage("GPU, tests", || binaries::run(&binaries))?;
        let spirv = [&GPU[..], &["--features=vulkan"]].concat();
        let binaries = stage("GPU, SPIR-V, build", || binaries::build(&spirv))?;
        let gpu = binaries.iter().filter(|binary| binary.is("gpu"));
        let parts: Vec<_> = gpu
            .flat_map(|gpu| SPIRV.map(|part| gpu.part(part)))
            .collect();
        ensure!(!parts.is_empty(), "there is no test binary `gpu`");
        stage("GPU, SPIR-V, tests", || binaries::run(&parts))?;
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
