//! The test suite.

use anyhow::{Result, ensure};

use crate::binaries::{self, Binary};
use crate::command::{cargo, stage, stage_of};
use crate::debian;

#[derive(clap::Args)]
pub struct Args {
    /// Add what needs a GPU or a window
    #[arg(long)]
    all: bool,
}

/// All that needs nothing but a CPU. Without default features the video demo has no window and no GPU; no other
/// package has any. The detector's command is a default feature too, and needs neither.
const CPU: [&str; 5] = [
    "--workspace",
    "--exclude=bottleneck-lstm-wgpu",
    "--no-default-features",
    "--features=lstm-ssd/cli",
    "--all-targets",
];

/// Everything. In one build, or Burn would be compiled once with wgpu and once without.
const ALL: [&str; 3] = ["--workspace", "--features=lstm-ssd/wgpu", "--all-targets"];

/// All of the GPU runner's suite, with kernels compiled to WGSL. A driver that runs on the CPU compiles each kernel on
/// one core, and that is most of the time: hence two processes, for two cores.
const WGSL: [&[&str]; 2] = [&["cube::"], &["--skip", "cube::"]];

/// The suite with kernels compiled to SPIR-V: with the features that all packages want, as most dependencies are
/// compiled with these by now.
const VULKAN: [&str; 3] = [
    "--workspace",
    "--test=gpu",
    "--features=bottleneck-lstm-wgpu/vulkan,lstm-ssd/wgpu",
];

/// What of it is run: every variant forward, without fusion, and PyTorch's gradients. All of it would take as long as
/// the rest of the tests together.
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

/// Runs every test and documentation example that needs nothing but a CPU, and on request those that
/// need an adapter or a screen.
pub fn run(args: &Args) -> Result<()> {
    if args.all {
        return all();
    }
    println!(
        "The CPU suite: some 16 minutes on two cores from an empty target folder, more than half of \
         them to compile Burn; some 2.5 GB of disk; the network for the crates that Cargo has not got yet."
    );
    suite("CPU", &CPU, Ok)?;
    stage_of("documentation examples", &mut doc(&CPU[..4]))
}

fn all() -> Result<()> {
    debian::driver()?;
    debian::screen()?;
    println!(
        "All tests: some 45 minutes on two cores from an empty target folder, and 5 GB of disk."
    );
    suite("all", &ALL, |binaries| {
        let (gpu, mut all) = parts(binaries, &WGSL)?;
        all.extend(gpu);
        Ok(all)
    })?;
    suite("GPU, SPIR-V", &VULKAN, |binaries| {
        Ok(parts(binaries, &SPIRV)?.0)
    })?;
    stage_of("documentation examples", &mut doc(&ALL[..2]))
}

/// Builds what `selection` names, and runs what `choose` makes of it.
fn suite(
    name: &str,
    selection: &[&str],
    choose: impl FnOnce(Vec<Binary>) -> Result<Vec<Binary>>,
) -> Result<()> {
    let binaries = stage(&format!("{name}, build"), || binaries::build(selection))?;
    let binaries = choose(binaries)?;
    stage(&format!("{name}, tests"), || binaries::run(&binaries))
}

/// The binary `gpu` in parts, by their filters, and all others.
fn parts(binaries: Vec<Binary>, filters: &[&[&str]]) -> Result<(Vec<Binary>, Vec<Binary>)> {
    let (gpu, others): (Vec<_>, Vec<_>) = binaries.into_iter().partition(|binary| binary.is("gpu"));
    ensure!(!gpu.is_empty(), "there is no test binary `gpu`");
    let parts = gpu
        .iter()
        .flat_map(|gpu| filters.iter().map(|part| gpu.part(part)));
    Ok((parts.collect(), others))
}

fn doc(selection: &[&str]) -> std::process::Command {
    let mut doc = cargo();
    doc.args(["test", "--locked", "--doc"]).args(selection);
    doc
}
