//! The detector on Burn's CPU backends beside ONNX Runtime and TFLite: same network, same frame, one thread each.

mod report;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use bottleneck_lstm::weights::Checkpoint;
use bottleneck_lstm_ndarray::CpuRunner;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use burn_flex::Flex;
use burn_ndarray::NdArray;
use clap::ValueEnum;
use lstm_ssd::network::{Memory, MobileNetV2Ssd, MobileNetV2SsdConfig, SsdRunner};
use serde_json::json;

use self::report::Report;
use crate::machine::Machine;
use crate::ours::contestant;
use crate::peers::ONNX_RUNTIME;
use crate::process::Process;
use crate::rounds::{self, Contestant, Limits};

/// What the peers' processes run.
const SCRIPT: &str = include_str!("../../ssd.py");

const NDARRAY: &str = "NdArray, stock";
const FLEX: &str = "Flex, stock";
const OURS: &str = "`SsdRunner`";
const MEMORY: &str = "`SsdRunner`, with a memory";
const TFLITE: &str = "TFLite, XNNPACK";

/// How far boxes and logits may be from the reference.
const TOLERANCE: f64 = 1e-3;

/// Classes of the published network.
const CLASSES: usize = 24;

/// Frames whose steps are timed one by one.
const PROFILES: usize = 51;

/// The detector beside ONNX Runtime and TFLite, with the floors of its numbers.
#[derive(clap::Args)]
pub struct Args {
    /// The folder with `ssd_mobilenet_v2.safetensors`, `reference.safetensors` and `layers.json`
    #[arg(long, default_value = "../shared/data/ssd_mobilenet_v2")]
    data: PathBuf,

    /// The network as its package has it: `cargo xtask weights --tflite` writes it
    #[arg(long, default_value = "target/weights/ssd_mobilenet_v2.tflite")]
    tflite: PathBuf,

    /// A tenth of the runs: 20, or 2 seconds a contestant
    #[arg(long)]
    quick: bool,

    /// The Python that has ONNX Runtime, with onnx and numpy
    #[arg(long, default_value = "python3")]
    python: PathBuf,

    /// The Python that has tflite-runtime, which wants numpy 1 [default: that of `--python`]
    #[arg(long)]
    tflite_python: Option<PathBuf>,

    /// Where ssd.md and ssd.json go
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,

    /// Only run a few frames of this, and print the most memory that the process had
    #[arg(long, hide = true)]
    peak: Option<Ours>,
}

/// What of ours runs.
#[derive(Clone, Copy, ValueEnum)]
enum Ours {
    /// The detector alone.
    Alone,
    /// With a memory, whose time does not depend on its weights.
    Memory,
}

pub fn run(args: &Args) -> Result<()> {
    if let Some(ours) = args.peak {
        return print_memory(args, ours);
    }
    let (peers, versions) = peers(args);
    let frame = args.frame()?;
    let mut all = vec![
        contestant(NDARRAY, stock::<NdArray>(args, &frame)?),
        contestant(FLEX, stock::<Flex>(args, &frame)?),
        contestant(OURS, ours(args, Ours::Alone, &frame)?),
        contestant(MEMORY, ours(args, Ours::Memory, &frame)?),
    ];
    let mut memory = vec![
        (OURS.to_owned(), own_memory(args, Ours::Alone)?),
        (MEMORY.to_owned(), own_memory(args, Ours::Memory)?),
    ];
    for (name, peer) in &peers {
        let peer = Rc::clone(peer);
        all.push(Contestant {
            name,
            is_peer: true,
            most: usize::MAX,
            run: Box::new(move || peer.borrow_mut().run(0)),
        });
    }
    let progress = crate::progress(1)?;
    progress.set_message("the detector");
    let timings = rounds::race(all, Limits::new(args.quick));
    progress.finish_and_clear();
    for (name, peer) in &peers {
        let bytes = peer.borrow_mut().ask(&json!("memory"))?;
        memory.push(((*name).to_owned(), bytes.as_u64().context("no number")?));
    }
    let report = Report {
        machine: Machine::this(versions),
        quick: args.quick,
        timings,
        memory,
        steps: profile(args, &frame)?,
    };
    report
        .save(&args.out)
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    print!("{}", report.markdown());
    println!(
        "\nWritten to {0}/ssd.md and {0}/ssd.json.",
        args.out.display()
    );
    Ok(())
}

impl Args {
    fn file(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    /// The first of the reference frames, `[3, 300, 300]`.
    fn frame(&self) -> Result<Vec<f32>> {
        let reference = Checkpoint::open(self.file("reference.safetensors"))?;
        let input = reference.get("input").context("no tensor `input`")?;
        let mut values = input.to_f32()?;
        values.truncate(values.len() / 3);
        Ok(values)
    }

    fn network<B: Backend>(&self) -> Result<MobileNetV2Ssd<B>> {
        let weights = Checkpoint::open(self.file("ssd_mobilenet_v2.safetensors"))?;
        let config = MobileNetV2SsdConfig::new(CLASSES);
        Ok(MobileNetV2Ssd::from_checkpoint(
            &config,
            &weights,
            &Default::default(),
        )?)
    }
}

/// The peers that can be started, each with the network, and their versions.
type Peers = (Vec<(&'static str, Rc<RefCell<Process>>)>, Vec<String>);

/// Says so of those that cannot.
fn peers(args: &Args) -> Peers {
    let tflite_python = args.tflite_python.as_ref().unwrap_or(&args.python);
    let modules = [
        (ONNX_RUNTIME, "onnxruntime", &args.python),
        (TFLITE, "tflite", tflite_python),
    ];
    let (mut peers, mut versions) = (Vec::new(), Vec::new());
    for (name, module, python) in modules {
        match peer(args, python, module) {
            Ok((process, version)) => {
                versions.push(format!("{name} {version}"));
                peers.push((name, Rc::new(RefCell::new(process))));
            }
            Err(error) => eprintln!("Without {name}: {error:#}"),
        }
    }
    (peers, versions)
}

fn peer(args: &Args, python: &Path, module: &str) -> Result<(Process, String)> {
    let (mut process, version) = Process::start(python, SCRIPT, module)?;
    let apart = process.ask(&json!({
        "weights": args.file("ssd_mobilenet_v2.safetensors"),
        "layers": args.file("layers.json"),
        "reference": args.file("reference.safetensors"),
        "tflite": args.tflite,
    }))?;
    let apart = apart.as_f64().context("the difference is no number")?;
    ensure!(
        apart <= TOLERANCE,
        "its outputs are {apart} from the reference"
    );
    Ok((process, version))
}

/// Burn's own operations.
fn stock<B: Backend>(args: &Args, frame: &[f32]) -> Result<impl FnMut() + use<B>> {
    let network = args.network::<B>()?;
    let [height, width] = network.input();
    let data = TensorData::new(frame.to_vec(), [1, 3, height, width]);
    let frame = Tensor::from_data(data, &Default::default());
    Ok(move || {
        let predictions = network.forward(frame.clone());
        std::hint::black_box(predictions);
    })
}

fn runner(args: &Args, ours: Ours) -> Result<SsdRunner> {
    let network = args.network::<Flex>()?;
    let runner = CpuRunner::new().with_threads(1);
    Ok(match ours {
        Ours::Alone => SsdRunner::new(&network, &runner)?,
        Ours::Memory => {
            let (memory, _) = Memory::<Flex>::published(&Default::default());
            SsdRunner::with_memory(&network, &memory, &runner)?
        }
    })
}

fn ours(args: &Args, ours: Ours, frame: &[f32]) -> Result<impl FnMut() + use<>> {
    let (mut runner, frame) = (runner(args, ours)?, frame.to_vec());
    Ok(move || {
        let numbers = runner.run(&frame).expect("a frame of its size");
        std::hint::black_box(numbers);
    })
}

/// The median time of each step, with a memory: its layers, multiply-accumulates, and milliseconds.
fn profile(args: &Args, frame: &[f32]) -> Result<Vec<(String, usize, f64)>> {
    let mut runner = runner(args, Ours::Memory)?;
    let mut profiles = Vec::new();
    for _ in 0..PROFILES {
        profiles.push(runner.profile(frame)?);
    }
    let median = |step: usize| {
        let mut times: Vec<_> = profiles.iter().map(|steps| steps[step].time).collect();
        times.sort();
        times[times.len() / 2].as_secs_f64() * 1e3
    };
    let first = &profiles[0];
    let steps = first.iter().enumerate();
    Ok(steps
        .map(|(index, step)| (step.name.clone(), step.macs, median(index)))
        .collect())
}

/// The most memory that a process of ours alone has had, in bytes.
fn own_memory(args: &Args, ours: Ours) -> Result<u64> {
    let ours = ours.to_possible_value().context("a value of the option")?;
    let output = Command::new(std::env::current_exe()?)
        .args(["ssd", "--peak", ours.get_name(), "--data"])
        .arg(&args.data)
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    text.trim()
        .parse()
        .context("a process of its own says nothing of its memory")
}

fn print_memory(args: &Args, which: Ours) -> Result<()> {
    let mut run = ours(args, which, &args.frame()?)?;
    (0..3).for_each(|_| run());
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    let kilobytes: u64 = kilobytes.context("no VmHWM")?.parse()?;
    println!("{}", kilobytes * 1024);
    Ok(())
}
