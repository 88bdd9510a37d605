//! `moving-digits`: trains networks on damaged video with and without a memory, and shows what
//! each of them sees.

mod bars;
mod cli;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use bottleneck_lstm::CellRunner;
use bottleneck_lstm_ndarray::CpuRunner;
use burn::tensor::backend::AutodiffBackend;
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use burn_ndarray::NdArray;
use clap::Parser;
use moving_digits::digits::Digits;
use moving_digits::experiment::Experiment;
use moving_digits::plan::Plan;
use moving_digits::{report, session, weights};

use bars::Bars;
use cli::{Backend, Cli};

/// The exit status of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

const WITHOUT_GPU: &str =
    "this program was built without the GPU: add --features wgpu to cargo's own arguments";

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode> {
    let folder = cli.folder();
    let settings = if cli.resume {
        session::resume(&folder)?
    } else {
        // A backend that was not built is told before anything is discarded.
        backend(&cli.backend.name())?;
        let settings = cli.settings();
        session::start(&folder, &settings, cli.restart)?;
        settings
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = cli.jobs.map_or(cores, usize::from);
    let stop = stop_on_interrupt()?;
    let job = Job {
        plan: &settings.plan,
        folder: &folder,
        save_weights: cli.save_weights.as_deref(),
        jobs,
        stop: &stop,
    };

    // As many threads as trainings are busy already.
    let cpu = CpuRunner::new().with_threads((cores / jobs).max(1));
    let done = match backend(&settings.backend)? {
        Backend::Flex => job.run::<Autodiff<Flex>, _>(&cpu)?,
        Backend::Ndarray => job.run::<Autodiff<NdArray>, _>(&cpu)?,
        Backend::Wgpu => run_on_gpu(&job)?,
    };
    if done {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "Stopped and saved in {}. Add --resume to go on to the same bits.",
        folder.display()
    );
    Ok(ExitCode::from(INTERRUPTED))
}

/// The backend of this name, if it was built.
fn backend(name: &str) -> Result<Backend> {
    let backend = <Backend as clap::ValueEnum>::from_str(name, false)
        .ok()
        .with_context(|| format!("there is no backend {name:?}"))?;
    if backend == Backend::Wgpu && !cfg!(feature = "wgpu") {
        bail!(WITHOUT_GPU);
    }
    Ok(backend)
}

#[cfg(feature = "wgpu")]
fn run_on_gpu(job: &Job<'_>) -> Result<bool> {
    // A missing adapter is one clear line here, and a panic in Burn.
    let runner = bottleneck_lstm_wgpu::WgpuRunner::try_new(&Default::default())?;
    eprintln!("on {}", runner.describe());
    job.run::<Autodiff<burn_wgpu::Wgpu>, _>(&runner)
}

#[cfg(not(feature = "wgpu"))]
fn run_on_gpu(_job: &Job<'_>) -> Result<bool> {
    bail!(WITHOUT_GPU)
}

/// A flag that the first Ctrl-C sets; the second one ends the program at once.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(stop)
}

struct Job<'a> {
    plan: &'a Plan,
    folder: &'a Path,
    save_weights: Option<&'a Path>,
    jobs: usize,
    stop: &'a AtomicBool,
}

impl Job<'_> {
    /// Trains and reports. False if Ctrl-C stopped it.
    fn run<B, R>(&self, runner: &R) -> Result<bool>
    where
        B: AutodiffBackend,
        R: CellRunner<B> + CellRunner<B::InnerBackend> + Clone + Sync,
    {
        let Self {
            plan,
            folder,
            save_weights,
            jobs,
            stop,
        } = *self;
        let start = Instant::now();
        let digits = Digits::embedded()?;
        let device = Default::default();
        let bars = Bars::new();
        let experiment = Experiment {
            plan,
            folder,
            digits: &digits,
            runner,
            jobs,
            stop,
        };
        let outcomes = experiment.run::<B>(&bars, &device)?;
        bars.clear();
        let Some(outcomes) = outcomes else {
            return Ok(false);
        };
        let report =
            report::write::<B::InnerBackend, R>(folder, plan, &outcomes, &digits, runner, &device)?;
        println!("{}", report.table);
        let mut files = report.files;
        if let Some(into) = save_weights {
            let weights = weights::save::<B::InnerBackend>(folder, plan, &outcomes, into, &device)?;
            files.extend(weights);
        }
        for file in &files {
            eprintln!("wrote {}", file.display());
        }
        eprintln!("in {:.0} s", start.elapsed().as_secs_f64());
        Ok(true)
    }
}
