//! Long runs of the fuzz targets. The dev profile checks arithmetic for overflow; keep to it.

use std::fs;

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use fuzz::driver;
use fuzz::targets::{PYTORCH, Reader, SAFETENSORS};

/// Feed damaged files to the readers of weights
#[derive(Parser)]
struct Arguments {
    /// What to fuzz
    #[arg(value_enum)]
    target: Target,
    /// Files to read for each target
    #[arg(long, default_value_t = 1_000_000)]
    executions: u64,
    /// Start of the random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Add the first file of each new outcome to fuzz/corpus
    #[arg(long)]
    keep: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Target {
    Safetensors,
    Pytorch,
    All,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let readers: &[Reader] = match arguments.target {
        Target::Safetensors => &[SAFETENSORS],
        Target::Pytorch => &[PYTORCH],
        Target::All => &[SAFETENSORS, PYTORCH],
    };
    readers
        .iter()
        .try_for_each(|reader| fuzz(reader, &arguments))
}

fn fuzz(reader: &Reader, arguments: &Arguments) -> Result<()> {
    let seeds = reader.seeds().context("fixtures and corpus")?;
    let report = match driver::run(reader.target, &seeds, arguments.executions, arguments.seed) {
        Ok(report) => report,
        Err(failure) => {
            let path = format!("{}.failure", reader.name);
            fs::write(&path, &failure.file).with_context(|| path.clone())?;
            bail!("{}: {failure}; the file is in {path}", reader.name);
        }
    };
    println!("{}: {report}", reader.name);
    for (outcome, count) in &report.outcomes {
        println!("{count:>9}  {outcome}");
    }
    if arguments.keep {
        let folder = reader.corpus();
        let known = fs::read_dir(&folder)
            .with_context(|| folder.display().to_string())?
            .count();
        for (number, file) in report.discoveries.iter().enumerate() {
            let path = folder.join(format!("{:03}.found", known + number));
            fs::write(&path, file).with_context(|| path.display().to_string())?;
        }
        println!(
            "{} new files in {}",
            report.discoveries.len(),
            folder.display()
        );
    }
    Ok(())
}
