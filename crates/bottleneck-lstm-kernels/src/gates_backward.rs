//! The gates' derivatives: from the gradient of the new state to those of the old one and of the
//! gates' pre-activations; and that of the bottleneck's activation.

use crate::Activation;
use crate::Plan;
use crate::gates::Scaling;
use crate::lanes::{Kernel, LANES, Lanes, Octet};
use crate::math::{activate, differentiate};
use crate::octets::gather;
use crate::share::Share;

/// Positions whose output gradients are turned into octets together.
const STRETCH: usize = 64;

/// The gates of some octets of one group, backward.
pub struct GatesBackward<'a> {
    pub plan: &'a Plan,
    /// Of input, forget and output gate, `[octets, 1 or area]`.
    pub peepholes: Option<[Peephole<'a>; 3]>,
    /// Activated input, forget, candidate and output gate, `[octets, area]`; they become the
    /// gradients of their pre-activations.
    pub gates: [&'a mut [Octet]; 4],
    /// Sums of these over positions, `[octets]`.
    pub bias: [&'a mut [Octet]; 4],
    /// The new cell state before its activation.
    pub raw: &'a [Octet],
    /// The old carried cell state.
    pub old: &'a [Octet],
    /// The gradient of the output's hidden state, channels first.
    pub output: &'a [f32],
    /// The gradient of the new hidden state from the step after.
    pub hidden: &'a [Octet],
    /// The gradient of the new carried cell state; it becomes that of the old one.
    pub cell: &'a mut [Octet],
    pub scaling: Scaling,
}

/// Peephole weights of a gate, and the sum of their gradients.
pub struct Peephole<'a> {
    pub weights: &'a [Octet],
    pub sum: &'a mut [Octet],
}

impl Share for GatesBackward<'_> {
    fn parts(&self) -> usize {
        // The scale ties a group together.
        if self.plan.scale {
            1
        } else {
            self.cell.len() / self.plan.area()
        }
    }

    fn split(self, at: usize) -> (Self, Self) {
        let (area, pin) = (self.plan.area(), self.plan.pin());
        let planes = at * area;
        let [i, f, j, o] = self.gates.map(|gate| gate.split_at_mut(planes));
        let [bi, bf, bj, bo] = self.bias.map(|sum| sum.split_at_mut(at));
        let (peepholes, other_peepholes) = self
            .peepholes
            .map(|all| {
                let [i, f, o] = all.map(|peephole| peephole.split(at * pin));
                ([i.0, f.0, o.0], [i.1, f.1, o.1])
            })
            .unzip();
        let (raw, other_raw) = self.raw.split_at(planes);
        let (old, other_old) = self.old.split_at(planes);
        let (output, other_output) = self.output.split_at(at * LANES * area);
        let (hidden, other_hidden) = self.hidden.split_at(planes);
        let (cell, other_cell) = self.cell.split_at_mut(planes);
        (
            Self {
                peepholes,
                gates: [i.0, f.0, j.0, o.0],
                bias: [bi.0, bf.0, bj.0, bo.0],
                raw,
                old,
                output,
                hidden,
                cell,
                ..self
            },
            Self {
                peepholes: other_peepholes,
                gates: [i.1, f.1, j.1, o.1],
                bias: [bi.1, bf.1, bj.1, bo.1],
                raw: other_raw,
                old: other_old,
                output: other_output,
                hidden: other_hidden,
                cell: other_cell,
                ..self
            },
        )
    }
}

impl Peephole<'_> {
    fn split(self, at: usize) -> (Self, Self) {
        let (weights, other_weights) = self.weights.split_at(at);
        let (sum, other_sum) = self.sum.split_at_mut(at);
        (
            Self { weights, sum },
            Self {
                weights: other_weights,
                sum: other_sum,
            },
        )
    }
}

impl Kernel for GatesBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        let area = self.plan.area();
        let octets = self.cell.len() / area;
        for octet in 0..octets {
            let output = &self.output[octet * LANES * area..];
            for first in (0..area).step_by(STRETCH) {
                let mut gradients = [Octet::ZERO; STRETCH];
                let gradients = &mut gradients[..STRETCH.min(area - first)];
                gather(l, output, area, first, gradients);
                for (i, gradient) in gradients.iter().enumerate() {
                    let at = octet * area + first + i;
                    let hidden = l.add(l.load(&self.hidden[at].0), l.load(&gradient.0));
                    let raw = self.through_output(l, octet, at, hidden);
                    if self.plan.scale {
                        self.cell[at] = Octet(l.store(raw));
                    } else {
                        self.through_update(l, octet, at, raw);
                    }
                }
            }
        }
        if self.plan.scale {
            self.through_scale(l);
            for at in 0..octets * area {
                let raw = l.load(&self.cell[at].0);
                self.through_update(l, at / area, at, raw);
            }
        }
    }
}

impl GatesBackward<'_> {
    /// Where the peephole weights of a position lie.
    #[inline(always)]
    fn pin(&self, octet: usize, at: usize) -> usize {
        if self.plan.pin() == 1 { octet } else { at }
    }

    /// From the gradient of the new hidden state, and that of the carried cell state in `cell`, to
    /// that of the new cell state.
    #[inline(always)]
    fn through_output<L: Lanes>(&mut self, l: L, octet: usize, at: usize, hidden: L::V) -> L::V {
        let one = l.splat(1.0);
        let c = l.load(&self.raw[at].0);
        let [activated] = activate(l, self.plan.activation, [c]);
        let gate = l.load(&self.gates[3][at].0);
        let slope = l.mul(gate, l.sub(one, gate));
        let d_gate = l.mul(l.mul(hidden, activated), slope);
        self.gates[3][at] = Octet(l.store(d_gate));
        add(l, &mut self.bias[3][octet], d_gate);

        let carried = l.load(&self.cell[at].0);
        let mut d_activated = l.mul(hidden, gate);
        if self.plan.carry_activated {
            d_activated = l.add(d_activated, carried);
        }
        let mut raw = differentiate(l, self.plan.activation, activated, d_activated);
        if !self.plan.carry_activated {
            raw = l.add(raw, carried);
        }
        let pin = self.pin(octet, at);
        if let Some([_, _, peephole]) = &mut self.peepholes {
            raw = l.mul_add(d_gate, l.load(&peephole.weights[pin].0), raw);
            add(l, &mut peephole.sum[pin], l.mul(d_gate, c));
        }
        if let Some(clip) = self.plan.clip {
            raw = l.where_less(l.abs(c), l.splat(clip), raw);
        }
        raw
    }

    /// From the scaled cell state, whose gradient is in `cell`, to the unscaled: the divisor
    /// depends on the maximum.
    #[inline(always)]
    fn through_scale<L: Lanes>(&mut self, l: L) {
        let Scaling { divisor, at, lane } = self.scaling;
        if divisor == 1.0 {
            return;
        }
        // c = raw / d, so the divisor's gradient is -sum(dc * c) / d, a sixth of it the maximum's.
        let mut sum = l.splat(0.0);
        for (gradient, c) in self.cell.iter_mut().zip(self.raw) {
            let value = l.load(&gradient.0);
            sum = l.mul_add(value, l.load(&c.0), sum);
            *gradient = Octet(l.store(l.div(value, l.splat(divisor))));
        }
        let sum = l.store(sum).iter().sum::<f32>();
        self.cell[at].0[lane] -= sum / divisor / 6.0;
    }

    /// From the gradient of the unclipped, unscaled cell state to those of the gates and, in
    /// `cell`, of the old one.
    #[inline(always)]
    fn through_update<L: Lanes>(&mut self, l: L, octet: usize, at: usize, raw: L::V) {
        let one = l.splat(1.0);
        let c = l.load(&self.old[at].0);
        let input = l.load(&self.gates[0][at].0);
        let forget = l.load(&self.gates[1][at].0);
        let candidate = l.load(&self.gates[2][at].0);
        let d_input = l.mul(l.mul(raw, candidate), l.mul(input, l.sub(one, input)));
        let d_forget = l.mul(l.mul(raw, c), l.mul(forget, l.sub(one, forget)));
        let d_candidate = differentiate(l, self.plan.activation, candidate, l.mul(raw, input));
        for (gate, gradient) in [d_input, d_forget, d_candidate].into_iter().enumerate() {
            self.gates[gate][at] = Octet(l.store(gradient));
            add(l, &mut self.bias[gate][octet], gradient);
        }
        let mut old = l.mul(raw, forget);
        let pin = self.pin(octet, at);
        if let Some([of_input, of_forget, _]) = &mut self.peepholes {
            for (peephole, gradient) in [(of_input, d_input), (of_forget, d_forget)] {
                old = l.mul_add(gradient, l.load(&peephole.weights[pin].0), old);
                add(l, &mut peephole.sum[pin], l.mul(gradient, c));
            }
        }
        self.cell[at] = Octet(l.store(old));
    }
}

/// Adds `value` to what `sum` holds.
#[inline(always)]
fn add<L: Lanes>(l: L, sum: &mut Octet, value: L::V) {
    *sum = Octet(l.store(l.add(l.load(&sum.0), value)));
}

/// From the gradient of some octets of one group's bottleneck to that of its pre-activation.
pub struct ActivationBackward<'a> {
    pub activation: Activation,
    pub area: usize,
    /// The bottleneck, `[octets, area]`; it becomes the gradient of its pre-activation.
    pub values: &'a mut [Octet],
    /// What the gates say, likewise.
    pub gradient: &'a [Octet],
    /// What the output says, channels first; empty if the bottleneck is no part of it.
    pub output: &'a [f32],
    /// Added to, `[octets]`.
    pub bias: &'a mut [Octet],
}

impl Share for ActivationBackward<'_> {
    fn parts(&self) -> usize {
        self.bias.len()
    }

    fn split(self, at: usize) -> (Self, Self) {
        let planes = at * self.area;
        let (values, other_values) = self.values.split_at_mut(planes);
        let (gradient, other_gradient) = self.gradient.split_at(planes);
        let (output, other_output) = self
            .output
            .split_at((LANES * planes).min(self.output.len()));
        let (bias, other_bias) = self.bias.split_at_mut(at);
        (
            Self {
                values,
                gradient,
                output,
                bias,
                ..self
            },
            Self {
                values: other_values,
                gradient: other_gradient,
                output: other_output,
                bias: other_bias,
                ..self
            },
        )
    }
}

impl Kernel for ActivationBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let area = self.area;
        let values = self.values.chunks_exact_mut(area);
        let planes = values.zip(self.gradient.chunks_exact(area)).zip(self.bias);
        for (octet, ((values, gradient), bias)) in planes.enumerate() {
            let mut sum = l.load(&bias.0);
            for first in (0..area).step_by(STRETCH) {
                let stretch = first..area.min(first + STRETCH);
                let mut outputs = [Octet::ZERO; STRETCH];
                if let Some(output) = self.output.get(octet * LANES * area..)
                    && !output.is_empty()
                {
                    gather(l, output, area, first, &mut outputs[..stretch.len()]);
                }
                let values = values[stretch.clone()].iter_mut();
                for ((value, gradient), output) in values.zip(&gradient[stretch]).zip(&outputs) {
                    let gradient = l.add(l.load(&gradient.0), l.load(&output.0));
                    let y = l.load(&value.0);
                    let gradient = differentiate(l, self.activation, y, gradient);
                    *value = Octet(l.store(gradient));
                    sum = l.add(sum, gradient);
                }
            }
            *bias = Octet(l.store(sum));
        }
    }
}
