//! The forward pass of one video, with or without a tape.

use super::depthwise::{self, Map};
use super::gates::{self, Scaling, Step};
use super::gemm::{self, Matrix};
use super::{Plan, activate, layout};
use crate::pack::Packed;

/// What the backward pass needs of the forward pass of one video, all channels last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tape {
    /// The input, `[time, area, input]`.
    pub xs: Vec<f32>,
    /// The bottleneck after its activation, `[time, area, hidden]`.
    pub bottleneck: Vec<f32>,
    /// The activated gates, `[time, area, groups, 4, m]`.
    pub gates: Vec<f32>,
    /// The new cell state before its activation, `[time, area, hidden]`.
    pub raw: Vec<f32>,
    /// `[time, groups]`
    pub scaling: Vec<Scaling>,
    /// The carried cell states from the start on, `[time + 1, area, hidden]`.
    pub cells: Vec<f32>,
    /// The hidden states from the start on, `[time + 1, area, hidden]`.
    pub hiddens: Vec<f32>,
}

/// Memory that a call works in, kept by a stream from step to step.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// The input, `[time, area, input]`.
    xs: Vec<f32>,
    /// The input after its depthwise convolution, likewise.
    depthwise: Vec<f32>,
    /// The bottleneck, `[time, area, hidden]`.
    bottleneck: Vec<f32>,
    /// `[area, hidden]`
    convolved: Vec<f32>,
    /// `[area, 4 * hidden]`
    gates: Vec<f32>,
    /// `[area, hidden]`
    raw: Vec<f32>,
    scaling: Vec<Scaling>,
}

/// The state of one video, channels last, `[area, hidden]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub cell: Vec<f32>,
    pub hidden: Vec<f32>,
}

impl State {
    /// From the two tensors of a video, channels first, `[hidden, area]`.
    pub(crate) fn new(plan: &Plan, cell: &[f32], hidden: &[f32]) -> Self {
        let turn = |from: &[f32]| {
            let mut to = vec![0.0; plan.state()];
            layout::to_channels_last(from, &mut to, plan.hidden, plan.area());
            to
        };
        Self {
            cell: turn(cell),
            hidden: turn(hidden),
        }
    }
}

/// Runs one video, `xs` of `[time, input, area]`, from `state`, which becomes the last one. Writes
/// `[time, output, area]` to `outputs`.
pub(crate) fn run(
    plan: &Plan,
    weights: &Packed,
    xs: &[f32],
    state: &mut State,
    outputs: &mut [f32],
    scratch: &mut Scratch,
) {
    let (area, hidden) = (plan.area(), plan.hidden);
    project(plan, weights, xs, scratch);
    scratch.gates.resize(area * 4 * hidden, 0.0);
    scratch.raw.resize(plan.state(), 0.0);
    scratch.scaling.resize(plan.groups, Scaling::default());
    let bottlenecks = scratch.bottleneck.chunks_exact_mut(plan.state());
    for (bottleneck, output) in bottlenecks.zip(outputs.chunks_exact_mut(area * plan.output())) {
        let mut step = Step {
            gates: &mut scratch.gates,
            raw: &mut scratch.raw,
            scaling: &mut scratch.scaling,
        };
        recur(
            plan,
            weights,
            bottleneck,
            &mut step,
            state,
            &mut scratch.convolved,
        );
        emit(plan, &state.hidden, bottleneck, output);
    }
}

/// [`run`], recorded.
pub(crate) fn run_taped(
    plan: &Plan,
    weights: &Packed,
    xs: &[f32],
    state: &mut State,
    outputs: &mut [f32],
) -> Tape {
    let (time, area, size) = (plan.time, plan.area(), plan.state());
    let mut scratch = Scratch::default();
    project(plan, weights, xs, &mut scratch);
    let mut tape = Tape {
        xs: scratch.xs,
        bottleneck: scratch.bottleneck,
        gates: vec![0.0; time * 4 * size],
        raw: vec![0.0; time * size],
        scaling: vec![Scaling::default(); time * plan.groups],
        cells: Vec::with_capacity((time + 1) * size),
        hiddens: Vec::with_capacity((time + 1) * size),
    };
    tape.cells.extend_from_slice(&state.cell);
    tape.hiddens.extend_from_slice(&state.hidden);
    for (t, output) in outputs.chunks_exact_mut(area * plan.output()).enumerate() {
        let bottleneck = &mut tape.bottleneck[t * size..][..size];
        let mut step = Step {
            gates: &mut tape.gates[t * 4 * size..][..4 * size],
            raw: &mut tape.raw[t * size..][..size],
            scaling: &mut tape.scaling[t * plan.groups..][..plan.groups],
        };
        recur(
            plan,
            weights,
            bottleneck,
            &mut step,
            state,
            &mut scratch.convolved,
        );
        emit(plan, &state.hidden, bottleneck, output);
        tape.cells.extend_from_slice(&state.cell);
        tape.hiddens.extend_from_slice(&state.hidden);
    }
    tape
}

/// The part of the bottleneck that does not depend on the state, for all steps at once, into
/// `scratch.bottleneck`.
fn project(plan: &Plan, weights: &Packed, xs: &[f32], scratch: &mut Scratch) {
    let (area, input, hidden, m) = (plan.area(), plan.input, plan.hidden, plan.group());
    let rows = plan.time * area;
    scratch.xs.resize(rows * input, 0.0);
    scratch.depthwise.resize(rows * input, 0.0);
    scratch.bottleneck.resize(rows * hidden, 0.0);
    let frames = scratch.xs.chunks_exact_mut(area * input);
    for (from, to) in xs.chunks_exact(area * input).zip(frames) {
        layout::to_channels_last(from, to, input, area);
    }
    for line in scratch.bottleneck.chunks_exact_mut(hidden) {
        line.copy_from_slice(&weights.bottleneck_bias);
    }
    for group in 0..plan.groups {
        convolve_input(plan, weights, group, &scratch.xs, &mut scratch.depthwise);
        gemm::product(
            Matrix::new(&scratch.depthwise, rows, input, input),
            weights.bottleneck_input(plan, group).transposed(),
            &mut scratch.bottleneck[group * m..],
            hidden,
            true,
        );
    }
}

/// A group's first depthwise convolution over all frames, `[time, area, input]`.
pub(crate) fn convolve_input(
    plan: &Plan,
    weights: &Packed,
    group: usize,
    xs: &[f32],
    out: &mut [f32],
) {
    let kernels = &weights.input_kernels[group];
    depthwise::convolve(
        plan.map(plan.input),
        xs,
        kernels,
        weights.input_bias.as_deref(),
        out,
    );
}

/// One step, from the projected input in `bottleneck`, which becomes the bottleneck itself.
/// `convolved` is scratch.
fn recur(
    plan: &Plan,
    weights: &Packed,
    bottleneck: &mut [f32],
    step: &mut Step,
    state: &mut State,
    convolved: &mut Vec<f32>,
) {
    let (area, hidden, m) = (plan.area(), plan.hidden, plan.group());
    let map = plan.map(hidden);
    convolved.resize(area * hidden, 0.0);

    let over_hidden = match &weights.hidden_kernels {
        Some(kernels) => {
            depthwise::convolve(map, &state.hidden, kernels, None, convolved);
            &convolved[..]
        }
        None => &state.hidden[..],
    };
    for group in 0..plan.groups {
        gemm::product(
            Matrix::new(&over_hidden[group * m..], area, m, hidden),
            weights.bottleneck_hidden(plan, group).transposed(),
            &mut bottleneck[group * m..],
            hidden,
            true,
        );
    }
    for value in bottleneck.iter_mut() {
        *value = activate(plan.bottleneck_activation, *value);
    }

    depthwise::convolve(
        map,
        bottleneck,
        &weights.bottleneck_kernels,
        None,
        convolved,
    );
    for line in step.gates.chunks_exact_mut(4 * hidden) {
        line.copy_from_slice(&weights.gates_bias);
    }
    for group in 0..plan.groups {
        gemm::product(
            Matrix::new(&convolved[group * m..], area, m, hidden),
            weights.group_gates(plan, group).transposed(),
            &mut step.gates[group * 4 * m..],
            4 * hidden,
            true,
        );
    }
    let peepholes = weights
        .peepholes
        .as_ref()
        .map(|peepholes| peepholes.view(hidden));
    gates::update(
        plan,
        peepholes.as_ref(),
        step,
        &mut state.cell,
        &mut state.hidden,
    );
}

/// Writes what a step yields, `[output, area]`.
fn emit(plan: &Plan, hidden: &[f32], bottleneck: &[f32], output: &mut [f32]) {
    let (first, second) = output.split_at_mut(plan.state());
    layout::to_channels_first(hidden, first, plan.hidden, plan.area());
    if plan.output_bottleneck {
        layout::to_channels_first(bottleneck, second, plan.hidden, plan.area());
    }
}

impl Plan {
    /// A map of `channels` of this plan's size.
    pub(crate) fn map(&self, channels: usize) -> Map {
        Map {
            height: self.height,
            width: self.width,
            channels,
            kernel: self.kernel,
        }
    }
}
