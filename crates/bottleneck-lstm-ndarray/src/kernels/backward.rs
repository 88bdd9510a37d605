//! The backward pass of one video.

use super::forward::{State, Tape, convolve_input};
use super::gates::{self, Peepholes, Step};
use super::gemm::{self, Matrix};
use super::{Plan, depthwise, derivative, layout};
use crate::pack::{Packed, Weights};

/// What of the input side is wanted; weights and states come as a matter of course.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// The gradient of the input.
    pub xs: bool,
    /// Gradients of any weights.
    pub weights: bool,
}

/// The gradients of one video: those of its input and its start, and its share of the weights'.
#[derive(Debug)]
pub(crate) struct Gradients {
    /// `[time, input, area]`, empty if it was not wanted.
    pub xs: Vec<f32>,
    /// Of the state at the start, channels last.
    pub start: State,
    /// In Burn's layout; zeros if they were not wanted.
    pub weights: Weights<Vec<f32>>,
}

/// Runs one video backward from the gradients of its outputs, `[time, output, area]`, and of its
/// last cell state, `[hidden, area]`. The tape is used up.
pub(crate) fn run(
    plan: &Plan,
    weights: &Packed,
    mut tape: Tape,
    outputs: &[f32],
    last_cell: &[f32],
    wanted: Wanted,
) -> Gradients {
    let mut sums = Weights::zeros(plan, weights);
    let mut peepholes = weights.peepholes.as_ref().map(|peepholes| {
        Peepholes(
            peepholes
                .0
                .each_ref()
                .map(|weights| vec![0.0; weights.len()]),
        )
    });
    let start = through_time(
        plan,
        weights,
        &mut tape,
        outputs,
        last_cell,
        &mut sums,
        &mut peepholes,
    );
    if let (Some(sums), Some(peepholes)) = (&mut sums.peepholes, peepholes) {
        for (sum, gradient) in sums.iter_mut().zip(peepholes.0) {
            let positions = gradient.len() / plan.hidden;
            layout::to_channels_first(&gradient, sum, plan.hidden, positions);
        }
    }
    if wanted.weights {
        recurrent_weights(plan, weights, &tape, &mut sums);
    }
    let mut xs = Vec::new();
    if wanted.xs || wanted.weights {
        xs = through_input(plan, weights, &tape, wanted.xs, &mut sums);
    }
    Gradients {
        xs,
        start,
        weights: sums,
    }
}

/// The recurrence, last step first. In the tape, gradients take the place of what they belong to:
/// those of the gates' pre-activations in `gates`, those of the bottleneck's in `bottleneck`, the
/// bottleneck's depthwise convolution's output in `raw`.
fn through_time(
    plan: &Plan,
    weights: &Packed,
    tape: &mut Tape,
    outputs: &[f32],
    last_cell: &[f32],
    sums: &mut Weights<Vec<f32>>,
    peephole_sums: &mut Option<Peepholes<Vec<f32>>>,
) -> State {
    let (area, hidden, m, size) = (plan.area(), plan.hidden, plan.group(), plan.state());
    let map = plan.map(hidden);
    let turned = depthwise::turn(&weights.bottleneck_kernels, hidden);
    let turned_hidden = weights
        .hidden_kernels
        .as_ref()
        .map(|kernels| depthwise::turn(kernels, hidden));
    let mut kernels = vec![0.0; weights.bottleneck_kernels.len()];
    let mut hidden_kernels = weights.hidden_kernels.as_ref().map(|k| vec![0.0; k.len()]);
    let views = weights
        .peepholes
        .as_ref()
        .map(|peepholes| peepholes.view(hidden));

    let mut d_cell = vec![0.0; size];
    layout::to_channels_last(last_cell, &mut d_cell, hidden, area);
    let mut d_hidden = vec![0.0; size];
    let mut d_output = vec![0.0; size];
    let mut d_convolved = vec![0.0; size];
    let mut d_bottleneck = vec![0.0; size];

    for (t, output) in outputs.chunks_exact(area * plan.output()).enumerate().rev() {
        let (of_hidden, of_bottleneck) = output.split_at(size);
        layout::to_channels_last(of_hidden, &mut d_output, hidden, area);
        add(&mut d_hidden, &d_output);

        let mut step = Step {
            gates: &mut tape.gates[t * 4 * size..][..4 * size],
            raw: &mut tape.raw[t * size..][..size],
            scaling: &mut tape.scaling[t * plan.groups..][..plan.groups],
        };
        let old = &tape.cells[t * size..][..size];
        let peepholes = views.as_ref().zip(peephole_sums.as_mut());
        gates::backward(plan, peepholes, &mut step, old, &d_hidden, &mut d_cell);

        for group in 0..plan.groups {
            gemm::product(
                Matrix::new(&step.gates[group * 4 * m..], area, 4 * m, 4 * hidden),
                weights.group_gates(plan, group),
                &mut d_convolved[group * m..],
                hidden,
                false,
            );
        }
        let bottleneck = &mut tape.bottleneck[t * size..][..size];
        depthwise::kernel_gradient(map, bottleneck, &d_convolved, &mut kernels);
        depthwise::convolve(map, &d_convolved, &turned, None, &mut d_bottleneck);
        // The gates' product of the weight gradients wants this again.
        depthwise::convolve(map, bottleneck, &weights.bottleneck_kernels, None, step.raw);
        if plan.output_bottleneck {
            layout::to_channels_last(of_bottleneck, &mut d_output, hidden, area);
            add(&mut d_bottleneck, &d_output);
        }
        for (value, gradient) in bottleneck.iter_mut().zip(&d_bottleneck) {
            *value = gradient * derivative(plan.bottleneck_activation, *value);
        }

        let over_hidden = if turned_hidden.is_some() {
            &mut d_convolved
        } else {
            &mut d_hidden
        };
        for group in 0..plan.groups {
            gemm::product(
                Matrix::new(&bottleneck[group * m..], area, m, hidden),
                weights.bottleneck_hidden(plan, group),
                &mut over_hidden[group * m..],
                hidden,
                false,
            );
        }
        if let (Some(turned), Some(kernels)) = (&turned_hidden, &mut hidden_kernels) {
            let old = &tape.hiddens[t * size..][..size];
            depthwise::kernel_gradient(map, old, &d_convolved, kernels);
            depthwise::convolve(map, &d_convolved, turned, None, &mut d_hidden);
        }
    }
    depthwise::unpack_add(&kernels, &mut sums.bottleneck_depthwise, plan.kernel);
    if let Some(kernels) = hidden_kernels {
        // Each group's kernels over the hidden state follow its kernels over the input.
        let taps = plan.kernel * plan.kernel;
        let mut unpacked = vec![0.0; kernels.len()];
        depthwise::unpack_add(&kernels, &mut unpacked, plan.kernel);
        let groups = sums.depthwise.chunks_exact_mut((plan.input + m) * taps);
        for (to, from) in groups.zip(unpacked.chunks_exact(m * taps)) {
            to[plan.input * taps..].copy_from_slice(from);
        }
    }
    State {
        cell: d_cell,
        hidden: d_hidden,
    }
}

/// Weights and bias of the gates and the recurrent half of the bottleneck: one product each over
/// all steps.
fn recurrent_weights(plan: &Plan, weights: &Packed, tape: &Tape, sums: &mut Weights<Vec<f32>>) {
    let (hidden, m, rows) = (plan.hidden, plan.group(), plan.time * plan.area());
    let mut convolved = Vec::new();
    let over_hidden = match &weights.hidden_kernels {
        Some(kernels) => {
            convolved.resize(rows * hidden, 0.0);
            let map = plan.map(hidden);
            depthwise::convolve(
                map,
                &tape.hiddens[..rows * hidden],
                kernels,
                None,
                &mut convolved,
            );
            &convolved[..]
        }
        None => &tape.hiddens[..],
    };
    for group in 0..plan.groups {
        gemm::product(
            Matrix::new(&tape.gates[group * 4 * m..], rows, 4 * m, 4 * hidden).transposed(),
            Matrix::new(&tape.raw[group * m..], rows, m, hidden),
            &mut sums.gates[group * 4 * m * m..][..4 * m * m],
            m,
            false,
        );
        let stride = plan.input + m;
        gemm::product(
            Matrix::new(&tape.bottleneck[group * m..], rows, m, hidden).transposed(),
            Matrix::new(&over_hidden[group * m..], rows, m, hidden),
            &mut sums.bottleneck[group * m * stride + plan.input..],
            stride,
            false,
        );
    }
    add_lines(&tape.bottleneck, &mut sums.bottleneck_bias);
    if let Some(bias) = &mut sums.gates_bias {
        add_lines(&tape.gates, bias);
    }
}

/// The input half of the bottleneck, all steps at once. Returns the gradient of the input,
/// `[time, input, area]`, if it is wanted.
fn through_input(
    plan: &Plan,
    weights: &Packed,
    tape: &Tape,
    wanted: bool,
    sums: &mut Weights<Vec<f32>>,
) -> Vec<f32> {
    let (area, input, hidden, m) = (plan.area(), plan.input, plan.hidden, plan.group());
    let rows = plan.time * area;
    let (map, taps) = (plan.map(input), plan.kernel * plan.kernel);
    let mut convolved = vec![0.0; rows * input];
    let mut gradient = if wanted {
        vec![0.0; rows * input]
    } else {
        Vec::new()
    };
    let mut kernels = vec![0.0; taps * input];
    for group in 0..plan.groups {
        let bottleneck = Matrix::new(&tape.bottleneck[group * m..], rows, m, hidden);
        convolve_input(plan, weights, group, &tape.xs, &mut convolved);
        let stride = input + m;
        gemm::product(
            bottleneck.transposed(),
            Matrix::new(&convolved, rows, input, input),
            &mut sums.bottleneck[group * m * stride..],
            stride,
            false,
        );
        let over_input = weights.bottleneck_input(plan, group);
        gemm::product(bottleneck, over_input, &mut convolved, input, false);

        kernels.fill(0.0);
        depthwise::kernel_gradient(map, &tape.xs, &convolved, &mut kernels);
        let size = sums.depthwise.len() / plan.groups;
        let sum = &mut sums.depthwise[group * size..][..input * taps];
        depthwise::unpack_add(&kernels, sum, plan.kernel);
        if let Some(bias) = &mut sums.depthwise_bias {
            add_lines(&convolved, bias);
        }
        if wanted {
            let turned = depthwise::turn(&weights.input_kernels[group], input);
            depthwise::convolve_add(map, &convolved, &turned, &mut gradient);
        }
    }
    let mut xs = vec![0.0; gradient.len()];
    for (from, to) in gradient
        .chunks_exact(area * input)
        .zip(xs.chunks_exact_mut(area * input))
    {
        layout::to_channels_first(from, to, input, area);
    }
    xs
}

fn add(sum: &mut [f32], values: &[f32]) {
    sum.iter_mut()
        .zip(values)
        .for_each(|(sum, value)| *sum += value);
}

/// Adds every line of `values`, `[lines, sum.len()]`, to `sum`.
fn add_lines(values: &[f32], sum: &mut [f32]) {
    values
        .chunks_exact(sum.len())
        .for_each(|line| add(sum, line));
}

impl Weights<Vec<f32>> {
    /// Zeros in the shapes of a cell's weights.
    fn zeros(plan: &Plan, packed: &Packed) -> Self {
        let Plan {
            input,
            hidden,
            groups,
            kernel,
            ..
        } = *plan;
        let over_hidden = if plan.depthwise_hidden {
            plan.group()
        } else {
            0
        };
        Self {
            depthwise: vec![0.0; groups * (input + over_hidden) * kernel * kernel],
            depthwise_bias: packed.input_bias.as_ref().map(|bias| vec![0.0; bias.len()]),
            bottleneck: vec![0.0; packed.bottleneck.len()],
            bottleneck_bias: vec![0.0; hidden],
            bottleneck_depthwise: vec![0.0; packed.bottleneck_kernels.len()],
            gates: vec![0.0; packed.gates.len()],
            gates_bias: Some(vec![0.0; 4 * hidden]),
            peepholes: packed
                .peepholes
                .as_ref()
                .map(|weights| weights.0.each_ref().map(|weights| vec![0.0; weights.len()])),
        }
    }

    /// Adds another video's share.
    pub(crate) fn add(&mut self, other: &Self) {
        add(&mut self.depthwise, &other.depthwise);
        add(&mut self.bottleneck, &other.bottleneck);
        add(&mut self.bottleneck_bias, &other.bottleneck_bias);
        add(&mut self.bottleneck_depthwise, &other.bottleneck_depthwise);
        add(&mut self.gates, &other.gates);
        let biases = [
            (&mut self.depthwise_bias, &other.depthwise_bias),
            (&mut self.gates_bias, &other.gates_bias),
        ];
        for (sum, values) in biases {
            if let (Some(sum), Some(values)) = (sum, values) {
                add(sum, values);
            }
        }
        if let (Some(sums), Some(values)) = (&mut self.peepholes, &other.peepholes) {
            sums.iter_mut()
                .zip(values)
                .for_each(|(sum, values)| add(sum, values));
        }
    }
}
