//! The cell in plain Burn operations: every backend, every element type, and the ground truth of
//! the other runners.

use burn::module::Param;
use burn::tensor::activation::{relu, tanh};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, ElementConversion, Tensor, activation};

use crate::convolution::same;
use crate::runner::CellRunner;
use crate::{Activation, BottleneckLstm, BottleneckLstmState, Depthwise, sequence};

/// The runner that every backend has: plain Burn operations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reference;

impl<B: Backend> CellRunner<B> for Reference {
    fn forward(
        &self,
        cell: &BottleneckLstm<B>,
        xs: Tensor<B, 5>,
        state: BottleneckLstmState<B>,
    ) -> (Tensor<B, 5>, BottleneckLstmState<B>) {
        sequence::scan(
            xs,
            |frames| project_input(cell, frames),
            state,
            |projected, state| {
                let (state, gates) = recur(cell, projected, state);
                (output(cell, &state, &gates), state)
            },
        )
    }

    fn is_fused(&self, _cell: &BottleneckLstm<B>) -> bool {
        false
    }
}

/// What one step of a [`BottleneckLstm`] computes on the way to its state, each
/// `[batch, hidden, height, width]`.
#[derive(Debug, Clone)]
pub struct Gates<B: Backend> {
    /// The input gate `i`, in `[0, 1]`.
    pub input: Tensor<B, 4>,
    /// The forget gate `f`, in `[0, 1]`.
    pub forget: Tensor<B, 4>,
    /// The candidate after its activation.
    pub candidate: Tensor<B, 4>,
    /// The output gate `o`, in `[0, 1]`.
    pub output: Tensor<B, 4>,
    /// The bottleneck `p` after its activation.
    pub bottleneck: Tensor<B, 4>,
}

/// The part of the bottleneck that does not depend on the state, `[n, hidden, height, width]` of
/// `frames`, `[n, input, height, width]`: all frames of a sequence at once.
///
/// `PW(DW(x) | h) = PW_x(DW(x)) + PW_h(h)`, since a pointwise convolution is linear in its input
/// channels; a depthwise one does not mix them at all.
pub(crate) fn project_input<B: Backend>(
    cell: &BottleneckLstm<B>,
    frames: Tensor<B, 4>,
) -> Tensor<B, 4> {
    let config = cell.config();
    let groups = config.groups;
    let input = config.input_channels;
    let kernels = match config.depthwise {
        Depthwise::Input => cell.depthwise.val(),
        Depthwise::InputAndHidden => group_kernels(cell, 0, input),
    };
    let bias = cell.depthwise_bias.as_ref().map(|bias| bias.val());
    let frames = if groups > 1 {
        // Not `repeat_dim`, whose gradient in Burn 0.21 takes tiles for interleaved copies.
        Tensor::cat(vec![frames; groups], 1)
    } else {
        frames
    };
    let x = depthwise(frames, kernels, bias);
    let weight = cell.bottleneck.val().narrow(1, 0, input);
    same(x, weight, Some(cell.bottleneck_bias.val()), groups)
}

/// One step from the projected input, `[batch, hidden, height, width]`.
pub(crate) fn recur<B: Backend>(
    cell: &BottleneckLstm<B>,
    projected: Tensor<B, 4>,
    state: BottleneckLstmState<B>,
) -> (BottleneckLstmState<B>, Gates<B>) {
    let config = cell.config();
    let (groups, m) = (config.groups, config.group_channels());

    let h = match config.depthwise {
        Depthwise::Input => state.hidden,
        Depthwise::InputAndHidden => depthwise(
            state.hidden,
            group_kernels(cell, config.input_channels, m),
            None,
        ),
    };
    let weight = cell.bottleneck.val().narrow(1, config.input_channels, m);
    let p = projected + same(h, weight, None, groups);
    let p = activate(p, config.bottleneck_activation);

    let b = depthwise(p.clone(), cell.bottleneck_depthwise.val(), None);
    let bias = cell.gates_bias.as_ref().map(|bias| bias.val());
    let gates = same(b, cell.gates.val(), bias, groups);
    // A group's channels are its four gates; a gate's channels are those of all groups.
    let gate = |index| {
        let part = |group| gates.clone().narrow(1, (4 * group + index) * m, m);
        match groups {
            1 => part(0),
            _ => Tensor::cat((0..groups).map(part).collect(), 1),
        }
    };

    let input = sigmoid(peephole(gate(0), &cell.peephole_input, &state.cell));
    let forget = peephole(gate(1), &cell.peephole_forget, &state.cell);
    let forget = sigmoid(forget.add_scalar(config.forget_bias));
    let candidate = activate(gate(2), config.activation);

    let c = forget.clone() * state.cell + input.clone() * candidate.clone();
    let c = match config.clip_state {
        Some(clip) => c.clamp(-clip, clip),
        None if config.scale_state => scale(c, groups),
        None => c,
    };
    let output = sigmoid(peephole(gate(3), &cell.peephole_output, &c));
    let activated = activate(c.clone(), config.activation);
    let hidden = output.clone() * activated.clone();
    let carried = if config.carries_activated() {
        activated
    } else {
        c
    };
    (
        BottleneckLstmState::new(carried, hidden),
        Gates {
            input,
            forget,
            candidate,
            output,
            bottleneck: p,
        },
    )
}

/// What a step yields: the hidden state, and the bottleneck if the configuration says so.
pub(crate) fn output<B: Backend>(
    cell: &BottleneckLstm<B>,
    state: &BottleneckLstmState<B>,
    gates: &Gates<B>,
) -> Tensor<B, 4> {
    let hidden = state.hidden.clone();
    if cell.config().output_bottleneck {
        Tensor::cat(vec![hidden, gates.bottleneck.clone()], 1)
    } else {
        hidden
    }
}

/// The depthwise kernels of every group from its channel `start` on, `[groups * len, 1, k, k]`.
fn group_kernels<B: Backend>(cell: &BottleneckLstm<B>, start: usize, len: usize) -> Tensor<B, 4> {
    let config = cell.config();
    let (groups, k) = (config.groups, config.kernel_size);
    let channels = config.input_channels + config.group_channels();
    let kernels = cell.depthwise.val().reshape([groups, channels, k, k]);
    kernels
        .narrow(1, start, len)
        .reshape([groups * len, 1, k, k])
}

fn depthwise<B: Backend>(
    x: Tensor<B, 4>,
    kernels: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
) -> Tensor<B, 4> {
    let channels = kernels.dims()[0];
    same(x, kernels, bias, channels)
}

/// The logistic function. Burn's own computes in `f32`, whatever the tensor's type.
pub(crate) fn sigmoid<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    match x.dtype() {
        DType::F64 => tanh(x.mul_scalar(0.5)).mul_scalar(0.5).add_scalar(0.5),
        _ => activation::sigmoid(x),
    }
}

fn activate<B: Backend>(x: Tensor<B, 4>, activation: Activation) -> Tensor<B, 4> {
    match activation {
        Activation::Identity => x,
        Activation::Relu => relu(x),
        // Not a clamp, whose derivative would be 1 at 0 and at 6.
        Activation::Relu6 => {
            let x = relu(x);
            let above = x.clone().greater_equal_elem(6.0);
            x.mask_fill(above, 6.0)
        }
        Activation::Tanh => tanh(x),
    }
}

/// A gate's pre-activation with what it sees of the cell state added.
pub(crate) fn peephole<B: Backend>(
    gate: Tensor<B, 4>,
    weights: &Option<Param<Tensor<B, 3>>>,
    cell: &Tensor<B, 4>,
) -> Tensor<B, 4> {
    match weights {
        Some(weights) => gate + weights.val().unsqueeze::<4>() * cell.clone(),
        None => gate,
    }
}

/// Divides `c` by `max(1, max(c) / 6)` for each sample and group.
fn scale<B: Backend>(c: Tensor<B, 4>, groups: usize) -> Tensor<B, 4> {
    let [batch, hidden, height, width] = c.dims();
    let c = c.reshape([batch, groups, hidden / groups * height * width]);
    let divisor = c
        .clone()
        .max_dim(2)
        .div_scalar(6.0)
        .clamp_min(1.0.elem::<f64>());
    (c / divisor).reshape([batch, hidden, height, width])
}
