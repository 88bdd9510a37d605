//! The gates' derivatives: from the gradient of the new state to those of the old one and of the
//! gates' pre-activations; and that of the bottleneck's activation.

use crate::Activation;
use crate::Plan;
use crate::gates::Scaling;
use crate::lanes::{Kernel, LANES, Lanes, Octet, One, Two, Vectors, load, store};
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
        let (one, two) = (l.one(), l.two());
        let area = self.plan.area();
        let octets = self.cell.len() / area;
        for octet in 0..octets {
            let output = &self.output[octet * LANES * area..];
            let mut sums = PlaneSums::<L>::zeros(l);
            for first in (0..area).step_by(STRETCH) {
                let mut gradients = [Octet::ZERO; STRETCH];
                let gradients = &mut gradients[..STRETCH.min(area - first)];
                gather(l, output, &[], area, first, gradients);
                let begin = octet * area + first;
                let mut i = 0;
                while i + 2 <= gradients.len() {
                    let at = begin + i;
                    self.through_output(two, octet, at, &gradients[i..], &mut sums.pairs);
                    if !self.plan.scale {
                        self.through_update(two, octet, at, &mut sums.pairs);
                    }
                    i += 2;
                }
                if i < gradients.len() {
                    let at = begin + i;
                    self.through_output(one, octet, at, &gradients[i..], &mut sums.rest);
                    if !self.plan.scale {
                        self.through_update(one, octet, at, &mut sums.rest);
                    }
                }
            }
            self.add(l, octet, &sums);
        }
        if self.plan.scale {
            self.through_scale(l.one());
            for octet in 0..octets {
                let mut sums = PlaneSums::<L>::zeros(l);
                for at in octet * area..(octet + 1) * area {
                    self.through_update(one, octet, at, &mut sums.rest);
                }
                self.add(l, octet, &sums);
            }
        }
    }
}

/// Sums of gradients over the positions of some vectors.
struct GateSums<V> {
    /// Of the gates' pre-activations.
    bias: [V; 4],
    /// Of the peephole weights, where they are the same at every position.
    peepholes: [V; 3],
}

/// Sums over an octet's plane: the positions that go by in pairs, and those that are left.
struct PlaneSums<L: Lanes> {
    pairs: GateSums<Two<L>>,
    rest: GateSums<One<L>>,
}

impl<L: Lanes> PlaneSums<L> {
    #[inline(always)]
    fn zeros(l: L) -> Self {
        let (pair, one) = (l.two().splat(0.0), l.one().splat(0.0));
        Self {
            pairs: GateSums {
                bias: [pair; 4],
                peepholes: [pair; 3],
            },
            rest: GateSums {
                bias: [one; 4],
                peepholes: [one; 3],
            },
        }
    }
}

impl GatesBackward<'_> {
    /// From the gradient of the new hidden state, the sum of `output` and what `hidden` holds, and
    /// that of the carried cell state in `cell`, to that of the new cell state, in `cell`.
    #[inline(always)]
    fn through_output<A: Vectors>(
        &mut self,
        a: A,
        octet: usize,
        at: usize,
        output: &[Octet],
        sums: &mut GateSums<A::V>,
    ) {
        let one = a.splat(1.0);
        let [hidden] = load(a, &self.hidden[at..]);
        let [output] = load(a, output);
        let hidden = a.add(hidden, output);
        let [c] = load(a, &self.raw[at..]);
        let [activated] = activate(a, self.plan.activation, [c]);
        let [gate] = load(a, &self.gates[3][at..]);
        let slope = a.mul(gate, a.sub(one, gate));
        let d_gate = a.mul(a.mul(hidden, activated), slope);
        store(a, &mut self.gates[3][at..], [d_gate]);
        sums.bias[3] = a.add(sums.bias[3], d_gate);

        let [carried] = load(a, &self.cell[at..]);
        let mut d_activated = a.mul(hidden, gate);
        if self.plan.carry_activated {
            d_activated = a.add(d_activated, carried);
        }
        let mut raw = differentiate(a, self.plan.activation, activated, d_activated);
        if !self.plan.carry_activated {
            raw = a.add(raw, carried);
        }
        if let Some([_, _, peephole]) = &mut self.peepholes {
            let place = (octet, at);
            let sum = &mut sums.peepholes[2];
            raw = peephole.back(a, self.plan, place, d_gate, c, raw, sum);
        }
        if let Some(clip) = self.plan.clip {
            raw = a.where_less(a.abs(c), a.splat(clip), raw);
        }
        store(a, &mut self.cell[at..], [raw]);
    }

    /// From the scaled cell state, whose gradient is in `cell`, to the unscaled: the divisor
    /// depends on the maximum.
    #[inline(always)]
    fn through_scale<A: Vectors<Octets = Octet>>(&mut self, a: A) {
        let Scaling { divisor, at, lane } = self.scaling;
        if divisor == 1.0 {
            return;
        }
        // c = raw / d, so the divisor's gradient is -sum(dc * c) / d, a sixth of it the maximum's.
        let mut sum = a.splat(0.0);
        for (gradient, c) in self.cell.iter_mut().zip(self.raw) {
            let value = a.load(gradient);
            sum = a.mul_add(value, a.load(c), sum);
            *gradient = a.store(a.div(value, a.splat(divisor)));
        }
        let sum = a.store(sum).0.iter().sum::<f32>();
        self.cell[at].0[lane] -= sum / divisor / 6.0;
    }

    /// From the gradient of the unclipped, unscaled cell state, in `cell`, to those of the gates
    /// and, in `cell`, of the old one.
    #[inline(always)]
    fn through_update<A: Vectors>(
        &mut self,
        a: A,
        octet: usize,
        at: usize,
        sums: &mut GateSums<A::V>,
    ) {
        let one = a.splat(1.0);
        let [raw] = load(a, &self.cell[at..]);
        let [c] = load(a, &self.old[at..]);
        let [input] = load(a, &self.gates[0][at..]);
        let [forget] = load(a, &self.gates[1][at..]);
        let [candidate] = load(a, &self.gates[2][at..]);
        let d_input = a.mul(a.mul(raw, candidate), a.mul(input, a.sub(one, input)));
        let d_forget = a.mul(a.mul(raw, c), a.mul(forget, a.sub(one, forget)));
        let d_candidate = differentiate(a, self.plan.activation, candidate, a.mul(raw, input));
        let gradients = [d_input, d_forget, d_candidate];
        for (gate, gradient) in gradients.into_iter().enumerate() {
            store(a, &mut self.gates[gate][at..], [gradient]);
            sums.bias[gate] = a.add(sums.bias[gate], gradient);
        }
        let mut old = a.mul(raw, forget);
        if let Some([of_input, of_forget, _]) = &mut self.peepholes {
            let (plan, place) = (self.plan, (octet, at));
            let [input_sum, forget_sum, _] = &mut sums.peepholes;
            old = of_input.back(a, plan, place, d_input, c, old, input_sum);
            old = of_forget.back(a, plan, place, d_forget, c, old, forget_sum);
        }
        store(a, &mut self.cell[at..], [old]);
    }

    /// Adds the sums over a plane to where they go.
    #[inline(always)]
    fn add<L: Lanes>(&mut self, l: L, octet: usize, sums: &PlaneSums<L>) {
        for gate in 0..4 {
            let (pairs, rest) = (sums.pairs.bias[gate], sums.rest.bias[gate]);
            add(l, &mut self.bias[gate][octet], pairs, rest);
        }
        if self.plan.pinned {
            return;
        }
        if let Some(peepholes) = &mut self.peepholes {
            for (gate, peephole) in peepholes.iter_mut().enumerate() {
                let (pairs, rest) = (sums.pairs.peepholes[gate], sums.rest.peepholes[gate]);
                add(l, &mut peephole.sum[octet], pairs, rest);
            }
        }
    }
}

impl Peephole<'_> {
    /// What `gradient`, that of a gate's pre-activation at the place `(octet, at)`, adds to
    /// `onward`, the gradient of the cell state `c` that the peephole looks at. Adds the weights'
    /// own gradient to `sum`, or where each position has weights of its own, to theirs.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "vectors are passed in registers")]
    fn back<A: Vectors>(
        &mut self,
        a: A,
        plan: &Plan,
        (octet, at): (usize, usize),
        gradient: A::V,
        c: A::V,
        onward: A::V,
        sum: &mut A::V,
    ) -> A::V {
        let own = a.mul(gradient, c);
        if plan.pinned {
            let [weights] = load(a, &self.weights[at..]);
            let [sum] = load(a, &self.sum[at..]);
            store(a, &mut self.sum[at..], [a.add(sum, own)]);
            a.mul_add(gradient, weights, onward)
        } else {
            *sum = a.add(*sum, own);
            a.mul_add(gradient, a.repeat(&self.weights[octet]), onward)
        }
    }
}

/// Adds the sums over pairs of positions, and over those left, to what `sum` holds.
#[inline(always)]
fn add<L: Lanes>(l: L, sum: &mut Octet, pairs: Two<L>, rest: One<L>) {
    let one = l.one();
    let [left, right] = l.halves(pairs);
    let all = one.add(one.add(left, right), rest);
    *sum = one.store(one.add(one.load(sum), all));
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
        let (one, area) = (l.one(), self.area);
        let values = self.values.chunks_exact_mut(area);
        let planes = values.zip(self.gradient.chunks_exact(area)).zip(self.bias);
        for (octet, ((values, gradient), bias)) in planes.enumerate() {
            let mut sum = one.load(bias);
            for first in (0..area).step_by(STRETCH) {
                let stretch = first..area.min(first + STRETCH);
                let mut outputs = [Octet::ZERO; STRETCH];
                if let Some(output) = self.output.get(octet * LANES * area..)
                    && !output.is_empty()
                {
                    gather(l, output, &[], area, first, &mut outputs[..stretch.len()]);
                }
                let values = values[stretch.clone()].iter_mut();
                for ((value, gradient), output) in values.zip(&gradient[stretch]).zip(&outputs) {
                    let gradient = one.add(one.load(gradient), one.load(output));
                    let y = one.load(value);
                    let gradient = differentiate(one, self.activation, y, gradient);
                    *value = one.store(gradient);
                    sum = one.add(sum, gradient);
                }
            }
            *bias = one.store(sum);
        }
    }
}
