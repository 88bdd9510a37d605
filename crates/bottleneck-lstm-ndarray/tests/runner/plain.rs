//! The cell in plain loops in `f64`, where NaN and infinity go as in PyTorch: an activation, a bound
//! and a maximum keep NaN, and padding is left out, not multiplied. Burn's backends differ in that
//! from PyTorch and from each other.

use bottleneck_lstm::{Activation, BottleneckLstm, Depthwise};
use burn::module::Param;
use burn::tensor::Tensor;
use burn_flex::Flex;

/// What one step gives, `[channels, area]` each.
pub struct Step {
    pub output: Vec<f64>,
    pub cell: Vec<f64>,
    pub hidden: Vec<f64>,
}

/// One step on one image, `[input, area]`, from a state, `[hidden, area]` each.
pub fn step(
    cell: &BottleneckLstm<Flex>,
    [height, width]: [usize; 2],
    x: &[f32],
    [c, h]: [&[f32]; 2],
) -> Step {
    let config = cell.config();
    let (ci, ch, groups) = (config.input_channels, config.hidden_channels, config.groups);
    let (m, area, k) = (ch / groups, height * width, config.kernel_size);
    let map = Map { height, width, k };
    let [x, c, h] = [x, c, h].map(wide);
    let depthwise = values(&cell.depthwise);
    let depthwise_bias = cell.depthwise_bias.as_ref().map(values);
    let bottleneck = values(&cell.bottleneck);
    let bottleneck_bias = values(&cell.bottleneck_bias);
    let bottleneck_depthwise = values(&cell.bottleneck_depthwise);
    let gates = values(&cell.gates);
    let gates_bias = cell.gates_bias.as_ref().map(values);
    let peepholes = [
        &cell.peephole_input,
        &cell.peephole_forget,
        &cell.peephole_output,
    ]
    .map(|weights| weights.as_ref().map(values));
    let peep = |gate: usize, channel: usize, at: usize, c: f64| match &peepholes[gate] {
        None => 0.0,
        Some(weights) if weights.len() == ch => weights[channel] * c,
        Some(weights) => weights[channel * area + at] * c,
    };

    let mut step = Step {
        output: vec![0.0; ch * area],
        cell: vec![0.0; ch * area],
        hidden: vec![0.0; ch * area],
    };
    let mut bottlenecks = Vec::new();
    for group in 0..groups {
        let h = &h[group * m * area..][..m * area];
        let both = match config.depthwise {
            Depthwise::Input => {
                let bias = depthwise_bias.as_deref();
                [map.convolve(&x, &depthwise, bias), h.to_vec()].concat()
            }
            Depthwise::InputAndHidden => {
                let kernels = &depthwise[group * (ci + m) * k * k..];
                map.convolve(&[&x, h].concat(), kernels, None)
            }
        };
        let rows = &bottleneck[group * m * (ci + m)..][..m * (ci + m)];
        let bias = &bottleneck_bias[group * m..][..m];
        let mut p = product(&both, rows, Some(bias), area);
        for value in &mut p {
            *value = activate(config.bottleneck_activation, *value);
        }
        let kernels = &bottleneck_depthwise[group * m * k * k..];
        let b = map.convolve(&p, kernels, None);
        let rows = &gates[group * 4 * m * m..][..4 * m * m];
        let bias = gates_bias
            .as_ref()
            .map(|bias| &bias[group * 4 * m..][..4 * m]);
        let gates = product(&b, rows, bias, area);
        bottlenecks.extend(p);

        let places = || (0..m).flat_map(|channel| (0..area).map(move |at| (channel, at)));
        let mut new = vec![0.0; m * area];
        for (channel, at) in places() {
            let gate = |gate: usize| gates[(gate * m + channel) * area + at];
            let (all, here) = (group * m + channel, channel * area + at);
            let old = c[all * area + at];
            let input = sigmoid(gate(0) + peep(0, all, at, old));
            let forget = sigmoid(gate(1) + peep(1, all, at, old) + config.forget_bias);
            new[here] = forget * old + input * activate(config.activation, gate(2));
            if let Some(clip) = config.clip_state {
                new[here] = bound(new[here], -clip, clip);
            }
        }
        if config.scale_state {
            let larger = |a: f64, b: f64| if b > a || b.is_nan() { b } else { a };
            let max = new.iter().copied().fold(f64::NEG_INFINITY, |a, b| {
                if a.is_nan() { a } else { larger(a, b) }
            });
            let divisor = bound(max / 6.0, 1.0, f64::INFINITY);
            for value in &mut new {
                *value /= divisor;
            }
        }
        for (channel, at) in places() {
            let (all, here) = (group * m + channel, channel * area + at);
            let output = gates[(3 * m + channel) * area + at] + peep(2, all, at, new[here]);
            let activated = activate(config.activation, new[here]);
            step.hidden[all * area + at] = sigmoid(output) * activated;
            step.cell[all * area + at] = match config.carries_activated() {
                true => activated,
                false => new[here],
            };
        }
    }
    step.output.copy_from_slice(&step.hidden);
    if config.output_bottleneck {
        step.output.extend(bottlenecks);
    }
    step
}

struct Map {
    height: usize,
    width: usize,
    k: usize,
}

impl Map {
    /// The depthwise convolution of `x`, `[channels, area]`.
    fn convolve(&self, x: &[f64], kernels: &[f64], bias: Option<&[f64]>) -> Vec<f64> {
        let (area, taps, reach) = (self.height * self.width, self.k * self.k, self.k / 2);
        let mut out = vec![0.0; x.len()];
        for (at, out) in out.iter_mut().enumerate() {
            let (channel, y, x0) = (at / area, at % area / self.width, at % self.width);
            *out = bias.map_or(0.0, |bias| bias[channel]);
            for tap in 0..taps {
                let (y, x0) = (y + tap / self.k, x0 + tap % self.k);
                let rows = reach..self.height + reach;
                if rows.contains(&y) && (reach..self.width + reach).contains(&x0) {
                    let from = channel * area + (y - reach) * self.width + x0 - reach;
                    *out += kernels[channel * taps + tap] * x[from];
                }
            }
        }
        out
    }
}

/// The pointwise convolution of `x`, `[channels, area]`, with `weights`, `[outputs, channels]`.
fn product(x: &[f64], weights: &[f64], bias: Option<&[f64]>, area: usize) -> Vec<f64> {
    let channels = x.len() / area;
    let mut out = Vec::new();
    for (row, weights) in weights.chunks_exact(channels).enumerate() {
        let bias = bias.map_or(0.0, |bias| bias[row]);
        out.extend((0..area).map(|at| {
            let terms = weights.iter().zip(x.chunks_exact(area));
            bias + terms.map(|(weight, x)| weight * x[at]).sum::<f64>()
        }));
    }
    out
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

fn values<const D: usize>(param: &Param<Tensor<Flex, D>>) -> Vec<f64> {
    param.val().into_data().iter::<f64>().collect()
}

/// `x` within bounds; NaN stays NaN.
fn bound(x: f64, low: f64, high: f64) -> f64 {
    if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn activate(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Identity => x,
        Activation::Relu => bound(x, 0.0, f64::INFINITY),
        Activation::Relu6 => bound(x, 0.0, 6.0),
        Activation::Tanh => x.tanh(),
    }
}
