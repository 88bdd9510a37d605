//! The gradients of a cell's weights while they are summed, in the kernels' layout.

use crate::Plan;
use crate::depthwise;
use crate::lanes::{LANES, Octet};
use crate::pack::{Weights, part, unpack_peephole};

/// Sums of gradients. They are added to, so that videos can share one.
#[derive(Debug)]
pub struct Sums {
    /// `[groups, input octets, k * k]`
    pub(crate) input_kernels: Vec<Octet>,
    /// `[input octets]`
    pub(crate) input_bias: Vec<Octet>,
    /// `[hidden octets, k * k]`; empty if there are none.
    pub(crate) hidden_kernels: Vec<Octet>,
    /// `[hidden octets, 8, input octets]`
    pub(crate) bottleneck_input: Vec<Octet>,
    /// `[hidden octets, 8, octets of a group]`
    pub(crate) bottleneck_hidden: Vec<Octet>,
    /// `[hidden octets]`
    pub(crate) bottleneck_bias: Vec<Octet>,
    /// `[hidden octets, k * k]`
    pub(crate) bottleneck_kernels: Vec<Octet>,
    /// `[groups, 4, octets of a group, 8, octets of a group]`
    pub(crate) gates: Vec<Octet>,
    /// `[groups, 4, octets of a group]`
    pub(crate) gates_bias: Vec<Octet>,
    /// Of input, forget and output gate, `[hidden octets, 1 or area]`; empty if there are none.
    pub(crate) peepholes: [Vec<Octet>; 3],
}

impl Sums {
    /// Zeros for a cell of `plan`, with or without peepholes.
    pub fn zeros(plan: &Plan, peepholes: bool) -> Self {
        let zeros = |size: usize| vec![Octet::ZERO; size];
        let (taps, input, hidden) = (plan.taps(), plan.input_octets(), plan.hidden_octets());
        let group = plan.group_octets();
        let peephole = if peepholes { hidden * plan.pin() } else { 0 };
        Self {
            input_kernels: zeros(plan.groups * input * taps),
            input_bias: zeros(input),
            hidden_kernels: zeros(if plan.depthwise_hidden {
                hidden * taps
            } else {
                0
            }),
            bottleneck_input: zeros(hidden * LANES * input),
            bottleneck_hidden: zeros(hidden * LANES * group),
            bottleneck_bias: zeros(hidden),
            bottleneck_kernels: zeros(hidden * taps),
            gates: zeros(4 * hidden * LANES * group),
            gates_bias: zeros(4 * hidden),
            peepholes: [(); 3].map(|()| zeros(peephole)),
        }
    }

    /// Adds another sum.
    pub fn add(&mut self, other: &Self) {
        for (sum, other) in self.all_mut().into_iter().zip(other.all()) {
            for (sum, other) in sum.iter_mut().zip(other) {
                for (sum, other) in sum.0.iter_mut().zip(other.0) {
                    *sum += other;
                }
            }
        }
    }

    fn all(&self) -> [&Vec<Octet>; 12] {
        let [input, forget, output] = &self.peepholes;
        [
            &self.input_kernels,
            &self.input_bias,
            &self.hidden_kernels,
            &self.bottleneck_input,
            &self.bottleneck_hidden,
            &self.bottleneck_bias,
            &self.bottleneck_kernels,
            &self.gates,
            &self.gates_bias,
            input,
            forget,
            output,
        ]
    }

    fn all_mut(&mut self) -> [&mut Vec<Octet>; 12] {
        let [input, forget, output] = &mut self.peepholes;
        [
            &mut self.input_kernels,
            &mut self.input_bias,
            &mut self.hidden_kernels,
            &mut self.bottleneck_input,
            &mut self.bottleneck_hidden,
            &mut self.bottleneck_bias,
            &mut self.bottleneck_kernels,
            &mut self.gates,
            &mut self.gates_bias,
            input,
            forget,
            output,
        ]
    }

    /// The gradients in Burn's layout.
    pub fn unpack(&self, plan: &Plan) -> Weights<Vec<f32>> {
        let (groups, input, m) = (plan.groups, plan.input, plan.group());
        let (octets, taps) = (plan.group_octets(), plan.taps());
        let mut depthwise = vec![0.0; groups * (input + plan.over_hidden()) * taps];
        let mut bottleneck_depthwise = vec![0.0; plan.hidden * taps];
        let mut bottleneck = vec![0.0; plan.hidden * (input + m)];
        let mut gates = vec![0.0; 4 * plan.hidden * m];
        for group in 0..groups {
            let size = depthwise.len() / groups;
            let (over_input, over_hidden) =
                depthwise[group * size..][..size].split_at_mut(input * taps);
            let k = plan.map.kernel;
            depthwise::unpack(part(&self.input_kernels, groups, group), over_input, k);
            if plan.depthwise_hidden {
                depthwise::unpack(part(&self.hidden_kernels, groups, group), over_hidden, k);
            }
            let kernels = &mut bottleneck_depthwise[group * m * taps..][..m * taps];
            depthwise::unpack(part(&self.bottleneck_kernels, groups, group), kernels, k);

            let over_input = part(&self.bottleneck_input, groups, group);
            let over_hidden = part(&self.bottleneck_hidden, groups, group);
            let rows = bottleneck[group * m * (input + m)..].chunks_exact_mut(input + m);
            for (row, to) in rows.take(m).enumerate() {
                let (to_input, to_hidden) = to.split_at_mut(input);
                line(over_input, row, plan.input_octets(), to_input);
                line(over_hidden, row, octets, to_hidden);
            }
            let sums = part(&self.gates, groups, group);
            let rows = gates[group * 4 * m * m..].chunks_exact_mut(m).take(4 * m);
            for (row, to) in rows.enumerate() {
                line(part(sums, 4, row / m), row % m, octets, to);
            }
        }
        Weights {
            depthwise,
            depthwise_bias: Some(channels(&self.input_bias, input)),
            bottleneck,
            bottleneck_bias: grouped(&self.bottleneck_bias, groups, m),
            bottleneck_depthwise,
            gates,
            gates_bias: Some(grouped(&self.gates_bias, groups * 4, m)),
            peepholes: (!self.peepholes[0].is_empty()).then(|| {
                self.peepholes
                    .each_ref()
                    .map(|sum| unpack_peephole(plan, sum))
            }),
        }
    }
}

/// Copies a row of a matrix, `[rows, octets]`, to `to`.
fn line(matrix: &[Octet], row: usize, octets: usize, to: &mut [f32]) {
    let from = &matrix[row * octets..][..octets];
    for (to, from) in to.chunks_mut(LANES).zip(from) {
        to.copy_from_slice(&from.0[..to.len()]);
    }
}

/// The values of `channels` that fill octets from the first on.
fn channels(octets: &[Octet], channels: usize) -> Vec<f32> {
    let values = octets.iter().flat_map(|octet| octet.0);
    values.take(channels).collect()
}

/// [`channels`] of each of `groups`, `m` of them.
fn grouped(octets: &[Octet], groups: usize, m: usize) -> Vec<f32> {
    (0..groups)
        .flat_map(|group| channels(part(octets, groups, group), m))
        .collect()
}
