//! Weights in the layout that the kernels want, packed once.

use crate::Plan;
use crate::depthwise;
use crate::gates::GateWeights;
use crate::instructions::Instructions;
use crate::lanes::{LANES, Octet};
use crate::panels::{Pack, pack_transposed};
use crate::product::{Block, EMPTY, Panels};

/// A cell's weights, or their gradients, as Burn has them: `Ci` input and `Ch` hidden channels in `G`
/// groups of `m`, kernels of `k * k`. `T` where a cell always has it, `O` where it may be absent.
#[derive(Debug, Clone)]
pub struct Weights<T, O = Option<T>> {
    /// `[G, Ci, k, k]`, or with kernels over the hidden state too `[G, Ci + m, k, k]`.
    pub depthwise: T,
    /// `[Ci]`
    pub depthwise_bias: O,
    /// `[G, m, Ci + m]`
    pub bottleneck: T,
    /// `[Ch]`
    pub bottleneck_bias: T,
    /// `[Ch, k, k]`
    pub bottleneck_depthwise: T,
    /// Input, forget, candidate and output gate, `[G, 4, m, m]`.
    pub gates: T,
    /// `[G, 4, m]`
    pub gates_bias: O,
    /// Of input, forget and output gate, `[Ch]` or `[Ch, height, width]`.
    pub peepholes: Option<[T; 3]>,
}

/// A cell's weights, packed for the forward pass.
#[derive(Debug, Clone)]
pub struct Packed {
    /// Kernels over the input, `[input octets, groups, k * k]`.
    pub(crate) input_kernels: Vec<Octet>,
    /// `[input octets]`
    pub(crate) input_bias: Vec<Octet>,
    /// Kernels over the hidden state, `[hidden octets, k * k]`; empty if there are none.
    pub(crate) hidden_kernels: Vec<Octet>,
    /// `[groups, pairs of octets, input octets + octets of a group]`
    pub(crate) bottleneck: Vec<Block>,
    /// `[groups, pairs of octets]`
    pub(crate) bottleneck_bias: Vec<[Octet; 2]>,
    /// Kernels over the bottleneck, `[hidden octets, k * k]`.
    pub(crate) bottleneck_kernels: Vec<Octet>,
    /// `[groups, octets, 2, octets of a group]`
    pub(crate) gates: Vec<Block>,
    /// Input gate, candidate, forget gate with the forget bias, output gate, `[hidden octets]`.
    pub(crate) gates_bias: Vec<[Octet; 4]>,
    /// Of input, forget and output gate, `[hidden octets, 1 or area]`.
    pub(crate) peepholes: Option<[Vec<Octet>; 3]>,
}

/// Weights of the pointwise convolutions with inputs and outputs exchanged, for the backward pass.
#[derive(Debug, Clone)]
pub struct Transposed {
    /// From the gates, `[groups, pairs of octets, 4, octets of a group]`.
    pub(crate) gates: Vec<Block>,
    /// From the bottleneck to the hidden state, `[groups, pairs of octets, octets of a group]`.
    pub(crate) hidden: Vec<Block>,
    /// From the bottleneck to the input, `[groups, pairs of input octets, octets of a group]`.
    pub(crate) input: Vec<Block>,
}

impl Packed {
    /// Packs `weights` for `plan`.
    ///
    /// # Panics
    ///
    /// If a weight has another size than the plan says, as a record of another cell may.
    pub fn new(
        plan: &Plan,
        weights: &Weights<&[f32]>,
        forget_bias: f64,
        instructions: Instructions,
    ) -> Self {
        check(plan, weights);
        let (m, taps) = (plan.group(), plan.taps());
        let size = (plan.input + plan.over_hidden()) * taps;
        let mut input_kernels = vec![Octet::ZERO; plan.input_octets() * plan.groups * taps];
        let mut hidden_kernels = Vec::new();
        for (group, weights) in weights.depthwise.chunks_exact(size).enumerate() {
            let (input, hidden) = weights.split_at(plan.input * taps);
            let packed = depthwise::pack(input, plan.map.kernel);
            for (octet, kernel) in packed.chunks_exact(taps).enumerate() {
                let at = (octet * plan.groups + group) * taps;
                input_kernels[at..at + taps].copy_from_slice(kernel);
            }
            hidden_kernels.extend(depthwise::pack(hidden, plan.map.kernel));
        }
        let bottleneck_kernels = weights
            .bottleneck_depthwise
            .chunks_exact(m * taps)
            .flat_map(|group| depthwise::pack(group, plan.map.kernel))
            .collect();
        Self {
            input_kernels,
            input_bias: match weights.depthwise_bias {
                Some(bias) => bias.chunks(LANES).map(octet).collect(),
                None => vec![Octet::ZERO; plan.input_octets()],
            },
            hidden_kernels,
            bottleneck: bottleneck(plan, weights.bottleneck, instructions),
            bottleneck_bias: weights
                .bottleneck_bias
                .chunks_exact(m)
                .flat_map(|group| group.chunks(2 * LANES))
                .map(|pair| {
                    let (left, right) = pair.split_at(LANES.min(pair.len()));
                    [octet(left), octet(right)]
                })
                .collect(),
            bottleneck_kernels,
            gates: gates(plan, weights.gates, instructions),
            gates_bias: gates_bias(plan, weights.gates_bias, forget_bias as f32),
            peepholes: weights
                .peepholes
                .map(|all| all.map(|weights| peephole(plan, weights))),
        }
    }

    /// Whether the cell has peepholes.
    pub fn has_peepholes(&self) -> bool {
        self.peepholes.is_some()
    }

    /// The panels of a group's bottleneck, from the octet `first` of input and hidden state on.
    pub(crate) fn group_bottleneck(&self, plan: &Plan, group: usize, first: usize) -> Panels<'_> {
        Panels {
            blocks: part(&self.bottleneck, plan.groups, group),
            depth: plan.input_octets() + plan.group_octets(),
            first,
        }
    }

    /// The bias of a group's bottleneck.
    pub(crate) fn group_bottleneck_bias(&self, plan: &Plan, group: usize) -> &[[Octet; 2]] {
        part(&self.bottleneck_bias, plan.groups, group)
    }

    /// The weights of a group's gates.
    pub(crate) fn group_gates(&self, plan: &Plan, group: usize) -> GateWeights<'_> {
        GateWeights {
            panels: part(&self.gates, plan.groups, group),
            bias: part(&self.gates_bias, plan.groups, group),
            peepholes: self.peepholes.as_ref().map(|all| {
                all.each_ref()
                    .map(|weights| part(weights, plan.groups, group))
            }),
        }
    }
}

impl Transposed {
    /// Packs `weights`, which [`Packed::new`] has accepted.
    pub fn new(plan: &Plan, weights: &Weights<&[f32]>) -> Self {
        let (groups, input, m) = (plan.groups, plan.input, plan.group());
        let (octets, pairs) = (plan.group_octets(), plan.group_octets().div_ceil(2));
        let mut gates = vec![EMPTY; groups * pairs * 4 * octets];
        let mut hidden = vec![EMPTY; groups * pairs * octets];
        let mut over_input = vec![EMPTY; groups * plan.input_octets().div_ceil(2) * octets];
        let columns = |from: usize, size: usize| (from + 2 * LANES).min(size) - from;
        for group in 0..groups {
            let rows = &weights.gates[group * 4 * m * m..][..4 * m * m];
            for (pair, panel) in part_mut(&mut gates, groups, group)
                .chunks_exact_mut(4 * octets)
                .enumerate()
            {
                let from = pair * 2 * LANES;
                for (gate, blocks) in panel.chunks_exact_mut(octets).enumerate() {
                    let rows = &rows[gate * m * m + from..];
                    pack_transposed(rows, m, m, columns(from, m), blocks);
                }
            }
            let stride = input + m;
            let rows = &weights.bottleneck[group * m * stride..][..m * stride];
            let halves = [(&mut over_input, 0, input), (&mut hidden, input, m)];
            for (panels, offset, size) in halves {
                for (pair, blocks) in part_mut(panels, groups, group)
                    .chunks_exact_mut(octets)
                    .enumerate()
                {
                    let from = pair * 2 * LANES;
                    let rows = &rows[offset + from..];
                    pack_transposed(rows, m, stride, columns(from, size), blocks);
                }
            }
        }
        Self {
            gates,
            hidden,
            input: over_input,
        }
    }
}

/// The part of `all` that belongs to `group`.
pub fn part<T>(all: &[T], groups: usize, group: usize) -> &[T] {
    let size = all.len() / groups;
    &all[group * size..][..size]
}

/// As [`part`].
pub fn part_mut<T>(all: &mut [T], groups: usize, group: usize) -> &mut [T] {
    let size = all.len() / groups;
    &mut all[group * size..][..size]
}

/// The four gates' parts.
pub fn quarters(all: &mut [Octet]) -> [&mut [Octet]; 4] {
    let (front, back) = all.split_at_mut(all.len() / 2);
    let (input, forget) = front.split_at_mut(front.len() / 2);
    let (candidate, output) = back.split_at_mut(back.len() / 2);
    [input, forget, candidate, output]
}

fn check(plan: &Plan, weights: &Weights<&[f32]>) {
    let size = |name: &str, expected: usize, found: &[f32]| {
        assert_eq!(
            expected,
            found.len(),
            "{name} has another number of values than its cell"
        );
    };
    let (groups, hidden, m, taps) = (plan.groups, plan.hidden, plan.group(), plan.taps());
    let kernels = groups * (plan.input + plan.over_hidden());
    size("depthwise", kernels * taps, weights.depthwise);
    size("bottleneck", hidden * (plan.input + m), weights.bottleneck);
    size("bottleneck_bias", hidden, weights.bottleneck_bias);
    size(
        "bottleneck_depthwise",
        hidden * taps,
        weights.bottleneck_depthwise,
    );
    size("gates", 4 * hidden * m, weights.gates);
    if let Some(bias) = weights.depthwise_bias {
        size("depthwise_bias", plan.input, bias);
    }
    if let Some(bias) = weights.gates_bias {
        size("gates_bias", 4 * hidden, bias);
    }
    for weights in weights.peepholes.iter().flatten() {
        let positions = if plan.pinned { plan.area() } else { 1 };
        size("a peephole", hidden * positions, weights);
    }
}

fn octet(values: &[f32]) -> Octet {
    let mut octet = Octet::ZERO;
    octet.0[..values.len()].copy_from_slice(values);
    octet
}

/// Up to eight rows of a matrix with lines of `stride`, from row `first` of `count` on.
fn rows(matrix: &[f32], stride: usize, first: usize, count: usize) -> [&[f32]; LANES] {
    std::array::from_fn(|i| match first + i < count {
        true => &matrix[(first + i) * stride..][..stride],
        false => &[],
    })
}

/// Two times eight rows.
fn both<'a>(left: [&'a [f32]; LANES], right: [&'a [f32]; LANES]) -> [&'a [f32]; 2 * LANES] {
    std::array::from_fn(|i| if i < LANES { left[i] } else { right[i - LANES] })
}

fn bottleneck(plan: &Plan, weights: &[f32], instructions: Instructions) -> Vec<Block> {
    let (input, m) = (plan.input, plan.group());
    let stride = input + m;
    let depth = plan.input_octets() + plan.group_octets();
    let pairs = plan.group_octets().div_ceil(2);
    let mut panels = vec![EMPTY; plan.groups * pairs * depth];
    for (index, panel) in panels.chunks_exact_mut(depth).enumerate() {
        let (group, pair) = (index / pairs, index % pairs);
        let matrix = &weights[group * m * stride..][..m * stride];
        let first = pair * 2 * LANES;
        let rows = both(
            rows(matrix, stride, first, m),
            rows(matrix, stride, first + LANES, m),
        );
        let (over_input, over_hidden) = panel.split_at_mut(plan.input_octets());
        let halves = [(0..input, over_input), (input..stride, over_hidden)];
        for (columns, blocks) in halves {
            let rows = rows.map(|row| row.get(columns.clone()).unwrap_or(&[]));
            instructions.run(Pack { rows, blocks });
        }
    }
    panels
}

fn gates(plan: &Plan, weights: &[f32], instructions: Instructions) -> Vec<Block> {
    let (m, octets) = (plan.group(), plan.group_octets());
    let mut panels = vec![EMPTY; plan.groups * octets * 2 * octets];
    for (index, blocks) in panels.chunks_exact_mut(octets).enumerate() {
        let (group, octet, pair) = (index / 2 / octets, index / 2 % octets, index % 2);
        // Burn has input, forget, candidate, output gate.
        let gates = [[0, 2], [1, 3]][pair].map(|gate| {
            let matrix = &weights[(group * 4 + gate) * m * m..][..m * m];
            rows(matrix, m, octet * LANES, m)
        });
        let rows = both(gates[0], gates[1]);
        instructions.run(Pack { rows, blocks });
    }
    panels
}

fn gates_bias(plan: &Plan, bias: Option<&[f32]>, forget_bias: f32) -> Vec<[Octet; 4]> {
    let (m, octets) = (plan.group(), plan.group_octets());
    let mut packed = vec![[Octet::ZERO; 4]; plan.hidden_octets()];
    for channel in 0..plan.hidden {
        let (group, channel) = (channel / m, channel % m);
        let to = &mut packed[group * octets + channel / LANES];
        for (slot, gate) in [0, 2, 1, 3].into_iter().enumerate() {
            let bias = bias.map_or(0.0, |bias| bias[(group * 4 + gate) * m + channel]);
            let added = if gate == 1 { forget_bias } else { 0.0 };
            to[slot].0[channel % LANES] = bias + added;
        }
    }
    packed
}

/// Packs a peephole, `[hidden, 1 or area]`.
fn peephole(plan: &Plan, weights: &[f32]) -> Vec<Octet> {
    let (m, octets, pin) = (plan.group(), plan.group_octets(), plan.pin());
    let mut packed = vec![Octet::ZERO; plan.hidden_octets() * pin];
    for (channel, weights) in weights.chunks_exact(pin).enumerate() {
        let (group, channel) = (channel / m, channel % m);
        let to = &mut packed[(group * octets + channel / LANES) * pin..];
        for (octet, weight) in to.iter_mut().zip(weights) {
            octet.0[channel % LANES] = *weight;
        }
    }
    packed
}

/// The reverse of packing a peephole.
pub fn unpack_peephole(plan: &Plan, packed: &[Octet]) -> Vec<f32> {
    let (m, octets, pin) = (plan.group(), plan.group_octets(), plan.pin());
    let mut weights = vec![0.0; plan.hidden * pin];
    for (channel, weights) in weights.chunks_exact_mut(pin).enumerate() {
        let (group, channel) = (channel / m, channel % m);
        let from = &packed[(group * octets + channel / LANES) * pin..];
        for (weight, octet) in weights.iter_mut().zip(from) {
            *weight = octet.0[channel % LANES];
        }
    }
    weights
}

impl Plan {
    /// Hidden channels of a group that the first depthwise convolution runs over.
    pub fn over_hidden(&self) -> usize {
        if self.depthwise_hidden {
            self.group()
        } else {
            0
        }
    }
}
