//! The contestants in Burn.

use std::time::Instant;

use bottleneck_lstm::{
    BottleneckLstm, BottleneckLstmConfig, BottleneckLstmState, CellRunner, ConvLstm,
    ConvLstmConfig, ConvLstmState, Reference,
};
use bottleneck_lstm_ndarray::{CpuBackend, CpuRunner};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Distribution, Tensor};
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use burn_ndarray::NdArray;

use crate::rounds::Contestant;
use crate::work::{Cell, Kind, Shape, Work};

/// Inputs that runs take in turn, so that none stays in a cache for being the only one.
const RING: usize = 32;

/// Multiply-accumulates of the largest training step of ConvLSTM that stock NdArray has to run. It
/// takes half a minute for that many, three times, so the largest shapes would take it the better part of an
/// hour.
const NDARRAY_LIMIT: u64 = 6_000_000_000;

/// Every contestant of ours for `work`.
pub fn contestants(work: &Work) -> Vec<Contestant> {
    let (kind, shape) = (work.kind, work.shape);
    let runner = || CpuRunner::new().with_threads(1);
    match (work.cell, kind) {
        (Cell::BottleneckLstm, Kind::Training) => vec![
            contestant(
                "NdArray, stock",
                train::<Autodiff<NdArray>, _>(Reference, shape),
            ),
            contestant("Flex, stock", train::<Autodiff<Flex>, _>(Reference, shape)),
            contestant(
                "NdArray, `CpuRunner`",
                train::<Autodiff<NdArray>, _>(runner(), shape),
            ),
            contestant(
                "Flex, `CpuRunner`",
                train::<Autodiff<Flex>, _>(runner(), shape),
            ),
        ],
        (Cell::BottleneckLstm, _) => {
            let mut all = vec![
                contestant(
                    "NdArray, stock",
                    forward::<NdArray, _>(Reference, kind, shape),
                ),
                contestant("Flex, stock", forward::<Flex, _>(Reference, kind, shape)),
                contestant(
                    "NdArray, `CpuRunner`",
                    forward::<NdArray, _>(runner(), kind, shape),
                ),
                contestant(
                    "Flex, `CpuRunner`",
                    forward::<Flex, _>(runner(), kind, shape),
                ),
            ];
            if kind == Kind::Step {
                all.push(contestant(
                    "Flex, `Stream`",
                    stream::<Flex>(&runner(), shape),
                ));
            }
            all
        }
        (Cell::ConvLstm, Kind::Training) if work.macs() > NDARRAY_LIMIT => vec![
            left_out("NdArray, stock"),
            contestant("Flex, stock", train_conv::<Autodiff<Flex>>(shape)),
        ],
        (Cell::ConvLstm, Kind::Training) => vec![
            contestant("NdArray, stock", train_conv::<Autodiff<NdArray>>(shape)),
            contestant("Flex, stock", train_conv::<Autodiff<Flex>>(shape)),
        ],
        (Cell::ConvLstm, _) => vec![
            contestant("NdArray, stock", forward_conv::<NdArray>(kind, shape)),
            contestant("Flex, stock", forward_conv::<Flex>(kind, shape)),
        ],
    }
}

/// One of ours, timed around `run`.
pub fn contestant(name: &'static str, mut run: impl FnMut() + 'static) -> Contestant {
    let run = Box::new(move || {
        let begin = Instant::now();
        run();
        Ok(begin.elapsed())
    });
    Contestant {
        name,
        is_peer: false,
        most: usize::MAX,
        run,
    }
}

/// A contestant that would take too long.
pub fn left_out(name: &'static str) -> Contestant {
    Contestant {
        name,
        is_peer: false,
        most: usize::MAX,
        run: Box::new(|| anyhow::bail!("left out: up to an hour")),
    }
}

fn cell<B: Backend>(shape: Shape) -> BottleneckLstm<B> {
    BottleneckLstmConfig::new(shape.input, shape.hidden).init(&Default::default())
}

fn conv_lstm<B: Backend>(shape: Shape) -> ConvLstm<B> {
    ConvLstmConfig::new(shape.input, shape.hidden).init(&Default::default())
}

/// Inputs in turn, `[batch, time, input, side, side]`.
fn inputs<B: Backend>(kind: Kind, shape: Shape) -> impl FnMut() -> Tensor<B, 5> {
    let (batch, time) = kind.batch_and_steps();
    let dims = [batch, time, shape.input, shape.side, shape.side];
    let normal = Distribution::Normal(0.0, 1.0);
    let draw = || Tensor::<B, 5>::random(dims, normal, &Default::default());
    // A training step runs long enough to be its own ring.
    let ring = (0..if kind == Kind::Step { RING } else { 2 })
        .map(|_| draw())
        .collect::<Vec<_>>();
    let mut next = 0;
    move || {
        next += 1;
        ring[next % ring.len()].clone()
    }
}

/// A state that is not zero.
fn start<B: Backend>(kind: Kind, shape: Shape) -> BottleneckLstmState<B> {
    let (batch, _) = kind.batch_and_steps();
    let dims = [batch, shape.hidden, shape.side, shape.side];
    let draw = || Tensor::random(dims, Distribution::Uniform(0.0, 1.0), &Default::default());
    BottleneckLstmState::new(draw(), draw())
}

/// A step or a sequence.
pub fn forward<B: Backend, R: CellRunner<B> + 'static>(
    runner: R,
    kind: Kind,
    shape: Shape,
) -> impl FnMut() {
    let (cell, mut inputs, start) = (
        cell::<B>(shape),
        inputs::<B>(kind, shape),
        start(kind, shape),
    );
    move || {
        let (outputs, state) = cell.forward_with(&runner, inputs(), Some(start.clone()));
        std::hint::black_box((outputs, state));
    }
}

/// A step of a stream.
pub fn stream<B: CpuBackend>(runner: &CpuRunner, shape: Shape) -> impl FnMut() + use<B> {
    let mut inputs = inputs::<B>(Kind::Step, shape);
    let mut stream = runner.stream(&cell::<B>(shape), 1, [shape.side; 2]);
    stream.set_state(start(Kind::Step, shape));
    move || {
        std::hint::black_box(stream.step(inputs().squeeze_dim(1)));
    }
}

/// A training step, with gradients of the weights alone.
pub fn train<B: AutodiffBackend, R: CellRunner<B> + 'static>(
    runner: R,
    shape: Shape,
) -> impl FnMut() {
    let kind = Kind::Training;
    fit(
        runner,
        cell::<B>(shape),
        inputs::<B>(kind, shape),
        start(kind, shape),
    )
}

/// A training step, with gradients of input and state too.
pub fn train_all<B: AutodiffBackend, R: CellRunner<B> + 'static>(
    runner: R,
    shape: Shape,
) -> impl FnMut() {
    let kind = Kind::Training;
    let mut inputs = inputs::<B>(kind, shape);
    let BottleneckLstmState { cell: c, hidden: h } = start::<B>(kind, shape);
    let start = BottleneckLstmState::new(c.require_grad(), h.require_grad());
    let inputs = move || inputs().require_grad();
    fit(runner, cell::<B>(shape), inputs, start)
}

fn fit<B: AutodiffBackend>(
    runner: impl CellRunner<B>,
    cell: BottleneckLstm<B>,
    mut inputs: impl FnMut() -> Tensor<B, 5>,
    start: BottleneckLstmState<B>,
) -> impl FnMut() {
    move || {
        let (hs, _) = cell.forward_with(&runner, inputs(), Some(start.clone()));
        std::hint::black_box(loss(hs).backward());
    }
}

fn forward_conv<B: Backend>(kind: Kind, shape: Shape) -> impl FnMut() {
    let (cell, mut inputs) = (conv_lstm::<B>(shape), inputs::<B>(kind, shape));
    let start: ConvLstmState<B> = start(kind, shape);
    move || {
        std::hint::black_box(cell.forward(inputs(), Some(start.clone())));
    }
}

fn train_conv<B: AutodiffBackend>(shape: Shape) -> impl FnMut() {
    let kind = Kind::Training;
    let (cell, mut inputs) = (conv_lstm::<B>(shape), inputs::<B>(kind, shape));
    let start: ConvLstmState<B> = start(kind, shape);
    move || {
        let (hs, _) = cell.forward(inputs(), Some(start.clone()));
        std::hint::black_box(loss(hs).backward());
    }
}

/// The sum over the steps of the mean square of the hidden state.
pub fn loss<B: Backend>(hs: Tensor<B, 5>) -> Tensor<B, 1> {
    let steps = hs.dims()[1] as f64;
    hs.square().mean().mul_scalar(steps)
}
