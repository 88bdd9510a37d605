//! The GPU runner's numbers, each beside the floor that it has to hold, against Burn's own operations on the
//! same adapter.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result};
use bottleneck_lstm::{BottleneckLstmConfig, BottleneckLstmState, CellRunner, Reference};
use bottleneck_lstm_ndarray::CpuRunner;
use bottleneck_lstm_wgpu::WgpuRunner;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Distribution, Tensor};
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use burn_wgpu::{Wgpu, WgpuDevice};
use clap::ValueEnum;
use serde::Serialize;

use crate::machine::Machine;
use crate::ours::{contestant, loss};
use crate::rounds::{self, Limits, Timing};
use crate::table::{self, digits};
use crate::work::{self, Shape};

/// The GPU runner's numbers beside their floors, and what it launches.
///
/// An adapter that is a CPU in disguise, as lavapipe, tells what kernels cost beside each other, not what a GPU
/// takes for them.
#[derive(clap::Args)]
pub struct Args {
    /// Shapes as INPUT,HIDDEN,SIDE
    #[arg(long, num_args = 1.., default_values = work::SHAPES)]
    shapes: Vec<Shape>,

    /// Which tasks
    #[arg(long, num_args = 1.., value_enum, default_values = ["step", "sequence", "training"])]
    tasks: Vec<Task>,

    /// `default`, `cpu`, or `discrete:N`, `integrated:N` or `virtual:N`
    #[arg(long, default_value = "default")]
    adapter: Device,

    /// A tenth of the runs: 20, or 2 seconds a contestant
    #[arg(long)]
    quick: bool,

    /// Where wgpu.md and wgpu.json go
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

#[derive(Debug, Clone)]
struct Device(WgpuDevice);

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, index) = text.split_once(':').unwrap_or((text, "0"));
        let index = index.parse().map_err(|_| format!("no number: {index}"))?;
        Ok(Self(match kind {
            "default" => WgpuDevice::DefaultDevice,
            "cpu" => WgpuDevice::Cpu,
            "discrete" => WgpuDevice::DiscreteGpu(index),
            "integrated" => WgpuDevice::IntegratedGpu(index),
            "virtual" => WgpuDevice::VirtualGpu(index),
            _ => return Err(format!("no such adapter: {kind}")),
        }))
    }
}

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Task {
    /// One step, batch 1.
    Step,
    /// Sixteen steps at once, batch 1.
    Sequence,
    /// Forward and backward over two steps of batch 1, since Burn's own take minutes for more on a CPU.
    Training,
}

impl Task {
    fn batch_and_steps(self) -> [usize; 2] {
        match self {
            Self::Step => [1, 1],
            Self::Sequence => [1, work::SEQUENCE],
            Self::Training => [1, 2],
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Step => "one step",
            Self::Sequence => "a sequence of 16 steps",
            Self::Training => "a training step, T=2, batch 1, weight gradients",
        }
    }

    /// How many times faster than stock Burn it has to be.
    fn floor(self) -> f64 {
        match self {
            Self::Step | Self::Sequence => 8.0,
            Self::Training => 5.0,
        }
    }
}

const OURS: &str = "`WgpuRunner`";
const STOCK: &str = "Burn, stock";
const CPU: &str = "`CpuRunner` on Flex, one thread";

/// The times of a task at one shape, and what a run of ours launches.
#[derive(Debug, Serialize)]
struct Race {
    task: Task,
    shape: Shape,
    launches: u64,
    bytes: u64,
    timings: Vec<Timing>,
}

impl Race {
    fn speed_up(&self, other: &str) -> Option<f64> {
        let timing = |name| self.timings.iter().find(|timing| timing.name == name);
        Some(timing(other)?.ratio(timing(OURS)?)?.median)
    }
}

#[derive(Serialize)]
struct Report {
    machine: Machine,
    adapter: String,
    quick: bool,
    races: Vec<Race>,
}

pub fn run(args: &Args) -> Result<()> {
    let Device(device) = &args.adapter;
    let runner = WgpuRunner::try_new(device)?;
    let mut report = Report {
        machine: Machine::this(Vec::new()),
        adapter: runner.describe().to_string(),
        quick: args.quick,
        races: Vec::new(),
    };
    let progress = crate::progress(args.tasks.len() * args.shapes.len())?;
    for task in &args.tasks {
        for shape in &args.shapes {
            progress.set_message(format!("{task:?} {shape}"));
            report
                .races
                .push(race(*task, *shape, &runner, device, args.quick));
            progress.inc(1);
            report
                .save(args)
                .with_context(|| format!("cannot write {}", args.out.display()))?;
        }
    }
    progress.finish_and_clear();
    print!("{}", report.markdown());
    println!(
        "\nWritten to {0}/wgpu.md and {0}/wgpu.json.",
        args.out.display()
    );
    Ok(())
}

fn race(task: Task, shape: Shape, runner: &WgpuRunner, device: &WgpuDevice, quick: bool) -> Race {
    let cpu = || CpuRunner::new().with_threads(1);
    let work = Work { task, shape };
    let mut once = work.run::<Wgpu, _>(runner.clone(), device);
    once();
    let launches = runner.launches();
    let before = [launches.count(), launches.bytes()];
    once();
    let counts = [launches.count() - before[0], launches.bytes() - before[1]];
    // Burn's first runs compile and tune.
    let mut stock = work.run::<Wgpu, _>(Reference, device);
    for _ in 0..3 {
        stock();
    }
    let contestants = vec![
        contestant(STOCK, stock),
        contestant(OURS, once),
        contestant(CPU, work.run::<Flex, _>(cpu(), &Default::default())),
    ];
    Race {
        task,
        shape,
        launches: counts[0],
        bytes: counts[1],
        timings: rounds::race(contestants, Limits::new(quick)),
    }
}

struct Work {
    task: Task,
    shape: Shape,
}

impl Work {
    /// Runs the work until the device has done it.
    fn run<B, R>(&self, runner: R, device: &B::Device) -> Box<dyn FnMut()>
    where
        B: Backend,
        R: CellRunner<B> + CellRunner<Autodiff<B>> + 'static,
    {
        match self.task {
            Task::Training => self.train::<Autodiff<B>, R>(runner, device),
            _ => self.forward::<B, R>(runner, device),
        }
    }

    fn config(&self) -> BottleneckLstmConfig {
        BottleneckLstmConfig::new(self.shape.input, self.shape.hidden)
    }

    fn tensors<B: Backend>(&self, device: &B::Device) -> (Tensor<B, 5>, BottleneckLstmState<B>) {
        let [batch, time] = self.task.batch_and_steps();
        let Shape {
            input,
            hidden,
            side,
        } = self.shape;
        let normal = Distribution::Normal(0.0, 1.0);
        let state = || Tensor::random([batch, hidden, side, side], normal, device);
        (
            Tensor::random([batch, time, input, side, side], normal, device),
            BottleneckLstmState::new(state(), state()),
        )
    }

    fn forward<B: Backend, R: CellRunner<B> + 'static>(
        &self,
        runner: R,
        device: &B::Device,
    ) -> Box<dyn FnMut()> {
        let (cell, device) = (self.config().init::<B>(device), device.clone());
        let (xs, start) = self.tensors::<B>(&device);
        Box::new(move || {
            let result = cell.forward_with(&runner, xs.clone(), Some(start.clone()));
            finish::<B>(&device);
            drop(result);
        })
    }

    fn train<B: AutodiffBackend, R: CellRunner<B> + 'static>(
        &self,
        runner: R,
        device: &B::Device,
    ) -> Box<dyn FnMut()> {
        let (cell, device) = (self.config().init::<B>(device), device.clone());
        let (xs, start) = self.tensors::<B>(&device);
        Box::new(move || {
            let (hs, _) = cell.forward_with(&runner, xs.clone(), Some(start.clone()));
            let gradients = loss(hs).backward();
            finish::<B>(&device);
            drop(gradients);
        })
    }
}

fn finish<B: Backend>(device: &B::Device) {
    if let Err(error) = B::sync(device) {
        panic!("the device failed: {error}");
    }
}

impl Report {
    fn save(&self, args: &Args) -> io::Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        table::write(
            &args.out,
            [("wgpu.md", self.markdown()), ("wgpu.json", json)],
        )
    }

    fn markdown(&self) -> String {
        let options = if self.quick { " -- --quick" } else { "" };
        let mut text = format!(
            "Machine: {}. Adapter: {}. Command: `cargo xtask bench wgpu{options}`.\n\n\
             | work | against stock Burn | floor | holds | against `CpuRunner` |\n\
             |---|---|---|---|---|\n",
            self.machine, self.adapter
        );
        let tasks = [Task::Step, Task::Sequence, Task::Training];
        for task in tasks {
            let races = || self.races.iter().filter(|race| race.task == task);
            let mean = |other: &'static str| {
                let found = races().filter_map(|race| race.speed_up(other));
                let logarithms: Vec<_> = found.map(f64::ln).collect();
                let count = logarithms.len();
                (count > 0).then(|| (logarithms.iter().sum::<f64>() / count as f64).exp())
            };
            let (Some(stock), Some(cpu)) = (mean(STOCK), mean(CPU)) else {
                continue;
            };
            let holds = if stock >= task.floor() {
                "yes"
            } else {
                "**no**"
            };
            let _ = writeln!(
                text,
                "| {} | {}× (geometric mean of {}) | {}× | {holds} | {}× |",
                task.describe(),
                digits(stock),
                races().count(),
                task.floor(),
                digits(cpu),
            );
        }
        for task in tasks {
            let races: Vec<_> = self.races.iter().filter(|race| race.task == task).collect();
            if races.is_empty() {
                continue;
            }
            let _ = write!(
                text,
                "\n### The GPU runner: {}\n\n\
                 | shape | launches | MB | ms | Burn, stock, ms | × | `CpuRunner`, ms | × | runs |\n\
                 |---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
                task.describe()
            );
            for race in races {
                race.line(&mut text);
            }
        }
        text
    }
}

impl Race {
    fn line(&self, text: &mut String) {
        let timing = |name| {
            self.timings
                .iter()
                .find(|timing: &&Timing| timing.name == name)
        };
        let median = |name| {
            let spread = timing(name).and_then(Timing::spread);
            spread.map_or("failed".to_owned(), |spread| digits(spread.median))
        };
        let ratio = |name| self.speed_up(name).map_or(String::new(), digits);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            self.shape,
            self.launches,
            digits(self.bytes as f64 / 1e6),
            median(OURS),
            median(STOCK),
            ratio(STOCK),
            median(CPU),
            ratio(CPU),
            timing(OURS).map_or(0, |timing| timing.milliseconds.len()),
        );
    }
}
