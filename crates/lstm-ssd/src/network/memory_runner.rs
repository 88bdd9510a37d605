//! A memory through the CPU runner's kernels.

use std::time::Instant;

use bottleneck_lstm::{BottleneckLstm, BottleneckLstmState};
use bottleneck_lstm_ndarray::network::{
    Activation, Convolution, Graph, GraphError, Kind, Layout, Network, StepTime,
};
use bottleneck_lstm_ndarray::{CpuRunner, Loops, Stream};
use burn::module::Param;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use burn_flex::Flex;

use super::{Memory, NetworkError, RunnerError};

/// Values that a sum of many takes at a time, so that the compiler makes vectors of them.
const SUMS: usize = 8;

/// A [`Memory`] in a video of maps, `[channels, height, width]`, frame by frame. A frame allocates nothing on one
/// thread.
///
/// The scale is folded into the weights that read the map and into the correction, so the map itself is never divided
/// and multiplied again: where a gate is closed it comes out with the bits that it went in with.
#[derive(Debug)]
pub(super) struct MemoryRunner {
    cpu: CpuRunner,
    area: usize,
    channels: usize,
    cell: Stream<Flex>,
    /// From map, hidden state and change to the gate, before the share of the means and the sigmoid.
    gate: Network,
    correction: Network,
    /// From the means of the same, `[channels + hidden + channels, channels]`.
    of_means: Vec<f32>,
    /// What the gate is multiplied by, `[channels]`.
    amount: Vec<f32>,
    /// Multiply-accumulates of a frame.
    macs: usize,
    /// Map, hidden state and change of this frame, `[channels + hidden + channels, area]`.
    seen: Vec<f32>,
    /// The share of the means in this frame's gate, `[channels]`.
    share: Vec<f32>,
    /// This frame's gate, `[channels, area]`.
    gates: Vec<f32>,
    /// The repaired map, `[channels, area]`: that of the frame before until this one's is known.
    repaired: Vec<f32>,
    /// Whether there was a frame before.
    begun: bool,
    out: Vec<f32>,
}

/// What is remembered at a moment.
#[derive(Debug, Clone)]
pub struct MapMoment {
    cell: BottleneckLstmState<Flex>,
    repaired: Vec<f32>,
    begun: bool,
}

impl MemoryRunner {
    /// At the start of a video of maps of `[channels, height, width]`.
    pub fn new<B: Backend>(
        memory: &Memory<B>,
        [channels, height, width]: [usize; 3],
        cpu: &CpuRunner,
    ) -> Result<Self, RunnerError> {
        memory.check_map([1, channels, height, width])?;
        let config = memory.config();
        let (hidden, map) = (config.hidden, [height, width]);
        let scale = values(memory.scale.val());
        let cell = cell_of_unscaled(memory, &scale);
        let cell = cpu.try_stream(&cell, 1, map).map_err(NetworkError::from)?;

        let weights = |of: &Tensor<B, 4>| values(of.clone());
        let mut from_input = weights(&memory.gate_input.weight.val());
        let mut from_change = weights(&memory.gate_change.weight.val());
        let from_hidden = weights(&memory.gate_hidden.weight.val());
        for weights in [&mut from_input, &mut from_change] {
            for row in weights.chunks_exact_mut(channels) {
                divide(row, &scale);
            }
        }
        let rows = from_input.chunks_exact(channels);
        let rows = rows
            .zip(from_hidden.chunks_exact(hidden))
            .zip(from_change.chunks_exact(channels));
        let gate = rows.flat_map(|((input, hidden), change)| [input, hidden, change].concat());
        let bias = memory.gate_input.bias.as_ref();
        let gate = pointwise(
            "memory.gate",
            [2 * channels + hidden, channels],
            gate.collect(),
            bias.map_or(vec![0.0; channels], |bias| values(bias.val())),
            map,
        )?;

        let mut correction = weights(&memory.correction.weight.val());
        for (row, scale) in correction.chunks_exact_mut(hidden).zip(&scale) {
            row.iter_mut().for_each(|weight| *weight *= scale);
        }
        let bias = memory.correction.bias.as_ref();
        let mut bias = bias.map_or(vec![0.0; channels], |bias| values(bias.val()));
        for (bias, scale) in bias.iter_mut().zip(&scale) {
            *bias *= scale;
        }
        let correction = pointwise(
            "memory.correction",
            [hidden, channels],
            correction,
            bias,
            map,
        )?;

        let mut of_means = values(memory.gate_means.val());
        of_means.extend(values(memory.gate_mean_change.val()));
        let (front, change) = of_means.split_at_mut((channels + hidden) * channels);
        for rows in [front, change] {
            // A row for each channel of the map.
            for (row, scale) in rows.chunks_exact_mut(channels).zip(&scale) {
                row.iter_mut().for_each(|weight| *weight /= scale);
            }
        }
        let area = height * width;
        let zeros = |channels: usize| vec![0.0; channels * area];
        Ok(Self {
            cpu: cpu.clone(),
            area,
            channels,
            cell,
            gate: cpu.network(&gate),
            correction: cpu.network(&correction),
            of_means,
            amount: values(memory.amount.val().tanh()),
            macs: config.cost(map).macs as usize,
            seen: zeros(2 * channels + hidden),
            share: vec![0.0; channels],
            gates: zeros(channels),
            repaired: zeros(channels),
            begun: false,
            out: zeros(channels),
        })
    }

    /// The next frame's map: the map to go on with, both `[channels, height, width]`.
    ///
    /// # Panics
    ///
    /// If the map has another number of values.
    pub fn step(&mut self, map: &[f32]) -> &[f32] {
        const SIZES: &str = "sizes that were planned for";
        let size = self.channels * self.area;
        if !self.begun {
            self.repaired.copy_from_slice(map);
            self.begun = true;
        }
        let instructions = self.cpu.instructions();
        instructions.vectorize(Look(self, map));
        let (_, rest) = self.seen.split_at_mut(size);
        let (hidden, _) = rest.split_at_mut(rest.len() - size);
        self.cell.step_into(map, hidden).expect(SIZES);
        self.correction.run(hidden).expect(SIZES);
        self.gate.run(&self.seen).expect(SIZES);
        instructions.vectorize(Gates(self));
        self.cpu.sigmoid(&mut self.gates);
        instructions.vectorize(Mix(self, map));
        &self.out
    }

    /// As [`step`](Self::step); adds to `times` how long it took.
    pub fn profile(&mut self, map: &[f32], times: &mut Vec<StepTime>) -> &[f32] {
        let begin = Instant::now();
        self.step(map);
        times.push(StepTime {
            name: "memory".into(),
            macs: self.macs,
            time: begin.elapsed(),
        });
        &self.out
    }

    /// Goes back to the start of a video.
    pub fn reset(&mut self) {
        self.cell.reset();
        self.begun = false;
    }

    /// What is remembered now.
    pub fn moment(&self) -> MapMoment {
        MapMoment {
            cell: self.cell.state(),
            repaired: self.repaired.clone(),
            begun: self.begun,
        }
    }

    /// Goes on from a moment. False, and nothing changes, if it is one of another memory.
    pub fn go_on_from(&mut self, moment: &MapMoment) -> bool {
        let same = moment.repaired.len() == self.repaired.len();
        if !same || self.cell.try_set_state(moment.cell.clone()).is_err() {
            return false;
        }
        self.repaired.copy_from_slice(&moment.repaired);
        self.begun = moment.begun;
        true
    }

    #[inline(always)]
    fn share_of_means(&mut self) {
        self.share.fill(0.0);
        let planes = self.seen.chunks_exact(self.area);
        for (plane, row) in planes.zip(self.of_means.chunks_exact(self.channels)) {
            let mean = sum(plane) / self.area as f32;
            for (share, weight) in self.share.iter_mut().zip(row) {
                *share += mean * weight;
            }
        }
    }
}

/// What is seen of a map, besides the hidden state: the map, and how far it is from what is remembered.
struct Look<'a>(&'a mut MemoryRunner, &'a [f32]);

impl Loops for Look<'_> {
    #[inline(always)]
    fn run(self) {
        let Self(runner, map) = self;
        let (x, rest) = runner.seen.split_at_mut(map.len());
        let (_, change) = rest.split_at_mut(rest.len() - map.len());
        let given = runner.repaired.iter().zip(map);
        for ((x, change), (before, now)) in x.iter_mut().zip(change).zip(given) {
            *x = *now;
            *change = (before - now).abs();
        }
    }
}

/// The gates, before the sigmoid.
struct Gates<'a>(&'a mut MemoryRunner);

impl Loops for Gates<'_> {
    #[inline(always)]
    fn run(self) {
        let Self(runner) = self;
        runner.share_of_means();

        let planes = runner.gates.chunks_exact_mut(runner.area);
        let known = runner.gate.output(0).chunks_exact(runner.area);
        for ((plane, known), share) in planes.zip(known).zip(&runner.share) {
            for (gate, known) in plane.iter_mut().zip(known) {
                *gate = known + share;
            }
        }
    }
}

/// Puts what is remembered in the place of what is shown, as far as the gates are open, and corrects it.
struct Mix<'a>(&'a mut MemoryRunner, &'a [f32]);

impl Loops for Mix<'_> {
    #[inline(always)]
    fn run(self) {
        let Self(runner, map) = self;
        let corrections = runner.correction.output(0).chunks_exact(runner.area);
        let planes = runner.out.chunks_exact_mut(runner.area);
        let planes = planes.zip(runner.repaired.chunks_exact_mut(runner.area));
        let given = map.chunks_exact(runner.area).zip(corrections);
        let gates = runner.gates.chunks_exact(runner.area).zip(&runner.amount);
        for (((out, repaired), (map, correction)), (gates, amount)) in planes.zip(given).zip(gates)
        {
            let given = map.iter().zip(correction).zip(gates);
            for ((out, repaired), ((now, correction), gate)) in
                out.iter_mut().zip(repaired).zip(given)
            {
                let gate = amount * gate;
                *repaired = now + gate * (*repaired - now);
                *out = *repaired + gate * correction;
            }
        }
    }
}

/// The cell, for a map that is not divided by the scale.
fn cell_of_unscaled<B: Backend>(memory: &Memory<B>, scale: &[f32]) -> BottleneckLstm<Flex> {
    let from = &memory.cell;
    let mut cell = cell_on_flex(from);
    let mut depthwise = values(from.depthwise.val());
    let taps = from.depthwise.dims()[2..].iter().product();
    // Those over the input come first.
    for (kernel, scale) in depthwise.chunks_exact_mut(taps).zip(scale) {
        kernel.iter_mut().for_each(|weight| *weight /= scale);
    }
    let depthwise = TensorData::new(depthwise, from.depthwise.dims());
    cell.depthwise = Param::from_tensor(Tensor::from_data(depthwise, &Default::default()));
    cell
}

/// A cell of the TensorFlow family, wherever it is.
pub(super) fn cell_on_flex<B: Backend>(from: &BottleneckLstm<B>) -> BottleneckLstm<Flex> {
    let mut cell = from.config().init::<Flex>(&Default::default());
    cell.depthwise = on_flex(&from.depthwise);
    cell.bottleneck = on_flex(&from.bottleneck);
    cell.bottleneck_bias = on_flex(&from.bottleneck_bias);
    cell.bottleneck_depthwise = on_flex(&from.bottleneck_depthwise);
    cell.gates = on_flex(&from.gates);
    cell.gates_bias = from.gates_bias.as_ref().map(on_flex);
    cell
}

fn on_flex<B: Backend, const D: usize>(param: &Param<Tensor<B, D>>) -> Param<Tensor<Flex, D>> {
    let data = TensorData::new(values(param.val()), param.dims());
    Param::from_tensor(Tensor::from_data(data, &Default::default()))
}

pub(super) fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}

fn divide(row: &mut [f32], scale: &[f32]) {
    for (weight, scale) in row.iter_mut().zip(scale) {
        *weight /= scale;
    }
}

/// A graph of one pointwise convolution.
fn pointwise(
    name: &str,
    channels: [usize; 2],
    weight: Vec<f32>,
    bias: Vec<f32>,
    map: [usize; 2],
) -> Result<Graph, GraphError> {
    let mut graph = Graph::new(channels[0], map)?;
    let convolution = Convolution {
        name: name.into(),
        kind: Kind::Pointwise,
        channels,
        stride: 1,
        activation: Activation::Identity,
        weight,
        bias,
    };
    let out = graph.convolve(graph.input(), convolution)?;
    graph.output(&[out], Layout::ChannelsFirst)?;
    Ok(graph)
}

/// Always in the same order, whatever the threads.
#[inline(always)]
pub(super) fn sum(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<SUMS>();
    let mut sums = [0.0; SUMS];
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += value;
        }
    }
    sums.iter().chain(rest).sum()
}
