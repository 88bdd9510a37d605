//! Who takes part in which task.

use anyhow::Result;
use bottleneck_lstm::Reference;
use bottleneck_lstm_kernels::roofline::{Pointwise, multiply_adds};
use bottleneck_lstm_ndarray::CpuRunner;
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use burn_ndarray::NdArray;
use rayon::ThreadPoolBuilder;

use super::race::Task;
use crate::ours::{contestant, forward, left_out, stream, train, train_all};
use crate::peers::{ONNX_RUNTIME, PYTORCH, Peers, Way};
use crate::rounds::Contestant;
use crate::work::{Kind, Shape};

pub const NDARRAY: &str = "NdArray, stock";
pub const FLEX: &str = "Flex, stock";
pub const NDARRAY_RUNNER: &str = "NdArray, `CpuRunner`";
pub const FLEX_RUNNER: &str = "Flex, `CpuRunner`";
pub const FLEX_RUNNER_ALL: &str = "Flex, `CpuRunner`, all gradients";
pub const NDARRAY_STREAM: &str = "NdArray, `Stream`";
pub const FLEX_STREAM: &str = "Flex, `Stream`";
pub const STREAM_TWO: &str = "Flex, `Stream`, two threads";
pub const ORT: &str = ONNX_RUNTIME;
/// All steps in one graph.
pub const ORT_SEQ: &str = "ONNX Runtime, unrolled";
/// A graph of one step, run step by step.
pub const ORT_STEP: &str = "ONNX Runtime, step by step";
pub const TORCH: &str = PYTORCH;
pub const TORCH_ALL: &str = "PyTorch, all gradients";
pub const POINTWISE: &str = "both pointwise kernels";
pub const BOTTLENECK: &str = "bottleneck alone";
pub const GATES: &str = "gates alone, with activations and new state";
/// Multiply-adds between registers alone: what the machine has to give.
pub const LOOP: &str = "registers only";
pub const LOOP_TWO: &str = "registers only, two threads";

/// Multiply-accumulates of a run of [`LOOP`].
pub const LOOP_MACS: u64 = 200_000_000;

/// Who is to be faster than whom: ours, the other.
pub fn rivals(task: Task) -> &'static [(&'static str, &'static str)] {
    match task {
        Task::Step => &[
            (NDARRAY_STREAM, NDARRAY),
            (FLEX_STREAM, FLEX),
            (FLEX_STREAM, ORT),
        ],
        Task::Sequence => &[(FLEX_RUNNER, ORT_SEQ), (FLEX_RUNNER, ORT_STEP)],
        Task::Training => &[
            (NDARRAY_RUNNER, NDARRAY),
            (FLEX_RUNNER, FLEX),
            (FLEX_RUNNER, TORCH),
            (FLEX_RUNNER_ALL, TORCH_ALL),
        ],
        Task::Pointwise => &[],
        Task::Threads => &[(STREAM_TWO, FLEX_STREAM), (LOOP_TWO, LOOP)],
    }
}

/// Everyone who does `task`, and the loop over registers.
pub fn of(task: Task, shape: Shape, quick: bool, peers: &Peers) -> Result<Vec<Contestant>> {
    peers.forget()?;
    let work = task.work(shape);
    let peer = |peer, name, way| peers.contestant(peer, name, &work, way);
    let runner = || CpuRunner::new().with_threads(1);
    let mut all = Vec::new();
    if task != Task::Threads {
        all.push(contestant(LOOP, || multiply_adds(LOOP_MACS)));
    }
    match task {
        Task::Step => {
            let kind = Kind::Step;
            all.extend([
                contestant(NDARRAY, forward::<NdArray, _>(Reference, kind, shape)),
                contestant(FLEX, forward::<Flex, _>(Reference, kind, shape)),
                contestant(NDARRAY_STREAM, stream::<NdArray>(&runner(), shape)),
                contestant(FLEX_STREAM, stream::<Flex>(&runner(), shape)),
            ]);
            all.extend(peer(ONNX_RUNTIME, ORT, Way::Usual)?);
        }
        Task::Sequence => {
            let run = forward::<Flex, _>(runner(), Kind::Sequence, shape);
            all.push(contestant(FLEX_RUNNER, run));
            all.extend(peer(ONNX_RUNTIME, ORT_SEQ, Way::Usual)?);
            all.extend(peer(ONNX_RUNTIME, ORT_STEP, Way::StepByStep)?);
        }
        Task::Training => {
            all.extend(ndarray_training(shape, quick));
            all.extend([
                contestant(FLEX, train::<Autodiff<Flex>, _>(Reference, shape)),
                contestant(FLEX_RUNNER, train::<Autodiff<Flex>, _>(runner(), shape)),
                contestant(
                    FLEX_RUNNER_ALL,
                    train_all::<Autodiff<Flex>, _>(runner(), shape),
                ),
            ]);
            all.extend(peer(PYTORCH, TORCH, Way::Usual)?);
            all.extend(peer(PYTORCH, TORCH_ALL, Way::AllGradients)?);
        }
        Task::Pointwise => {
            let [mut both, mut one, mut other] =
                std::array::from_fn(|_| Pointwise::new(shape.input, shape.hidden, shape.side));
            all.extend([
                contestant(POINTWISE, move || both.run()),
                contestant(BOTTLENECK, move || one.bottleneck()),
                contestant(GATES, move || other.gates()),
            ]);
        }
        Task::Threads => all.extend(two_threads(shape)?),
    }
    Ok(all)
}

/// Stock NdArray and ours, in as many runs as one has the patience for: minutes in all.
fn ndarray_training(shape: Shape, quick: bool) -> Vec<Contestant> {
    let (most, macs) = match quick {
        true => (1, 2_000_000_000),
        false => (3, 16_000_000_000),
    };
    if Task::Training.work(shape).macs() > macs {
        return vec![left_out(NDARRAY)];
    }
    let runner = CpuRunner::new().with_threads(1);
    let stock = contestant(NDARRAY, train::<Autodiff<NdArray>, _>(Reference, shape));
    let ours = contestant(NDARRAY_RUNNER, train::<Autodiff<NdArray>, _>(runner, shape));
    [stock, ours]
        .map(|contestant| Contestant { most, ..contestant })
        .into()
}

/// Stream and loop, on one thread and on two. Each run is a burst of steps: threads that were asleep
/// take a while to find a core each.
fn two_threads(shape: Shape) -> Result<[Contestant; 4]> {
    // The global pool has one thread, so that stock backends take no more; beside the caller's it is
    // the stream's second.
    let one = CpuRunner::new().with_threads(1);
    let two = stream::<Flex>(&one.clone().with_threads(2), shape);
    let loop_pool = ThreadPoolBuilder::new().num_threads(2).build()?;
    let half = || multiply_adds(LOOP_MACS / 2);
    Ok([
        burst(LOOP, || multiply_adds(LOOP_MACS)),
        burst(LOOP_TWO, move || {
            loop_pool.join(half, half);
        }),
        burst(FLEX_STREAM, stream::<Flex>(&one, shape)),
        burst(STREAM_TWO, two),
    ])
}

fn burst(name: &'static str, mut run: impl FnMut() + 'static) -> Contestant {
    let steps = Task::Threads.repeats();
    let burst = contestant(name, move || (0..steps).for_each(|_| run()));
    Contestant { most: 60, ..burst }
}
