//! The gates: their pointwise convolution, and everything from there to the new state.
//!
//! One octet of channels after the other, some dozen positions at a time: first the sums of input
//! gate and candidate, then those of forget gate and output gate, two pairs of sixteen outputs, or
//! both pairs at once where there are registers for them; and then, while all of them are in the first-level cache, the new state. Activations are
//! long chains of operations; apart from the sums, many positions are under way at a time.

use crate::Plan;
use crate::ahead::Ahead;
use crate::lanes::{Kernel, LANES, Lanes, Octet, Vectors, load, store};
use crate::math::{activate, sigmoid};
use crate::octets::scatter;
use crate::planes::{PlanesMut, octet, plane};
use crate::product::{Block, Input, accumulate, by_rows, full, store_halves, tiles};

/// State below this size becomes 0: it has no effect, and would decay into denormal numbers, which
/// some machines compute with a hundred times slower.
const NEGLIGIBLE: f32 = 1e-30;

/// The gates and the new state of one group, at some positions.
pub struct Gates<'a> {
    pub plan: &'a Plan,
    pub weights: GateWeights<'a>,
    /// The bottleneck after its depthwise convolution, all octets of the group.
    pub convolved: Input<'a>,
    pub state: GateState<PlanesMut<'a, Octet>>,
    pub tape: Option<GateTape<PlanesMut<'a, Octet>>>,
    /// Where the hidden state goes, channels first.
    pub output: PlanesMut<'a, f32>,
    /// The first of the positions, where peepholes are at home in theirs.
    pub first: usize,
}

/// What belongs to each octet of channels.
#[derive(Debug, Clone, Copy)]
pub struct GateWeights<'a> {
    /// `[octets, 2, octets of the group]`: input gate and candidate, forget and output gate.
    pub panels: &'a [Block],
    /// `[octets]`: input gate, candidate, forget gate, output gate.
    pub bias: &'a [[Octet; 4]],
    /// Of input, forget and output gate, `[octets, 1 or area]`.
    pub peepholes: Option<[&'a [Octet]; 3]>,
}

/// The old state, which becomes the new one: a plane each, or planes.
pub struct GateState<P> {
    pub cell: P,
    pub hidden: P,
}

/// What the backward pass wants to know, likewise.
pub struct GateTape<P> {
    /// Activated: input, forget, candidate, output.
    pub gates: [P; 4],
    /// The new cell state before its activation, where that is not the carried one, else empty.
    pub raw: P,
    pub cell: P,
    pub hidden: P,
}

impl GateState<PlanesMut<'_, Octet>> {
    fn plane(&mut self, octet: usize) -> GateState<&mut [Octet]> {
        GateState {
            cell: plane(&mut self.cell, octet),
            hidden: plane(&mut self.hidden, octet),
        }
    }
}

impl GateTape<PlanesMut<'_, Octet>> {
    fn plane(&mut self, octet: usize) -> GateTape<&mut [Octet]> {
        GateTape {
            gates: self.gates.each_mut().map(|gate| plane(gate, octet)),
            raw: plane(&mut self.raw, octet),
            cell: plane(&mut self.cell, octet),
            hidden: plane(&mut self.hidden, octet),
        }
    }
}

impl<'a> GateWeights<'a> {
    /// The peepholes of an octet, each at one position for all of them, or at each from `first` on.
    fn peepholes(&self, plan: &Plan, octet: usize, first: usize) -> Option<[&'a [Octet]; 3]> {
        let first = if plan.pinned { first } else { 0 };
        let all = octet * plan.pin()..(octet + 1) * plan.pin();
        self.peepholes
            .map(|weights| weights.map(|weights| &weights[all.clone()][first..]))
    }
}

/// Positions whose sums wait for one another: full tiles.
const BLOCK: usize = 48;

impl Kernel for Gates<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        let (depth, positions) = (self.convolved.depth, self.output.ncols());
        let mut sums = [[Octet::ZERO; BLOCK]; 4];
        for index in 0..self.state.cell.nrows() {
            let output = octet(&mut self.output, index);
            let panels = &self.weights.panels[index * 2 * depth..][..2 * depth];
            let bias = &self.weights.bias[index];
            let mut one = One {
                plan: self.plan,
                partial: (output.nrows() < LANES).then_some(output.nrows()),
                peepholes: self.weights.peepholes(self.plan, index, self.first),
                state: self.state.plane(index),
                tape: self.tape.as_mut().map(|tape| tape.plane(index)),
            };
            let next = (index + 1) * 2 * depth;
            let next = self.weights.panels.get(next..next + 2 * depth);
            let at_a_time = if L::WIDE { full::<L>() } else { BLOCK };
            let steps = positions.div_ceil(at_a_time);
            let mut ahead = Ahead::new([next.unwrap_or_default()], steps);
            for first in (0..positions).step_by(BLOCK) {
                let count = BLOCK.min(positions - first);
                let x = Input {
                    first: self.convolved.first + first,
                    ..self.convolved
                };
                if L::WIDE {
                    for (tile, rows) in tiles::<L>(count) {
                        ahead.prefetch(l);
                        by_rows!(rows, sum_pairs::<L, 2>(l, x, panels, bias, &mut sums, tile));
                    }
                } else {
                    ahead.prefetch(l);
                    let pairs = sums.chunks_exact_mut(2).zip(panels.chunks_exact(depth));
                    for ((sums, panel), bias) in pairs.zip(bias.chunks_exact(2)) {
                        for (tile, rows) in tiles::<L>(count) {
                            by_rows!(rows, sum_pairs::<L, 1>(l, x, panel, bias, sums, tile));
                        }
                    }
                }
                one.activate_all(l, &sums, count, first);
            }
            if !self.plan.scale {
                scatter(l, one.state.hidden, output);
            }
        }
    }
}

/// The sums of `P` pairs of gates at `R` positions from `tile` on.
#[inline(always)]
fn sum_pairs<L: Lanes, const R: usize, const P: usize>(
    l: L,
    x: Input<'_>,
    panels: &[Block],
    bias: &[Octet],
    out: &mut [[Octet; BLOCK]],
    tile: usize,
) {
    let two = l.two();
    let mut sums = [[two.splat(0.0); R]; P];
    let mut pairs: [&[Block]; P] = [&[]; P];
    for p in 0..P {
        sums[p] = [two.load(&L::Two::chunks(bias)[p]); R];
        pairs[p] = &panels[p * x.depth..][..x.depth];
    }
    let (octets, first) = ((x.octets, x.plane), x.first + tile);
    accumulate(l, &mut sums, octets, first, pairs, &mut Ahead::nothing());
    for p in 0..P {
        let [left, right] = &mut out[2 * p..].first_chunk_mut().expect("a pair of gates");
        store_halves(l, [left, right], tile, sums[p]);
    }
}

/// One octet of channels.
struct One<'a> {
    plan: &'a Plan,
    /// Its channels, if they are not eight.
    partial: Option<usize>,
    peepholes: Option<[&'a [Octet]; 3]>,
    state: GateState<&'a mut [Octet]>,
    tape: Option<GateTape<&'a mut [Octet]>>,
}

/// Adds `peephole * cell` to a gate at some positions.
#[inline(always)]
fn peep<A: Vectors, const N: usize>(
    a: A,
    weights: &[Octet],
    first: usize,
    cell: [A::V; N],
    gate: &mut [A::V; N],
) {
    let weights = match weights {
        [everywhere] => [a.repeat(everywhere); N],
        _ => load(a, &weights[first..]),
    };
    for n in 0..N {
        gate[n] = a.mul_add(weights[n], cell[n], gate[n]);
    }
}

impl One<'_> {
    /// From the sums at `count` positions to the new state at as many, `first` on.
    #[inline(always)]
    fn activate_all<L: Lanes>(
        &mut self,
        l: L,
        sums: &[[Octet; BLOCK]; 4],
        count: usize,
        first: usize,
    ) {
        let (one, two) = (l.one(), l.two());
        let mut at = 0;
        if L::WIDE {
            while at + 8 <= count {
                self.activate::<_, 4>(two, sums, at, first + at);
                at += 8;
            }
        } else {
            while at + 4 <= count {
                self.activate::<_, 2>(two, sums, at, first + at);
                at += 4;
            }
        }
        while at + 2 <= count {
            self.activate::<_, 1>(two, sums, at, first + at);
            at += 2;
        }
        if at < count {
            self.activate::<_, 1>(one, sums, at, first + at);
        }
    }

    /// From the sums at the positions of `N` vectors, `from` on, to the new state, `to` on.
    #[inline(always)]
    fn activate<A: Vectors, const N: usize>(
        &mut self,
        a: A,
        sums: &[[Octet; BLOCK]; 4],
        from: usize,
        to: usize,
    ) {
        let mut input: [A::V; N] = self.gate(a, &sums[0][from..]);
        let candidate: [A::V; N] = self.gate(a, &sums[1][from..]);
        let mut forget: [A::V; N] = self.gate(a, &sums[2][from..]);
        let output: [A::V; N] = self.gate(a, &sums[3][from..]);
        let old: [A::V; N] = load(a, &self.state.cell[to..]);
        if let Some([input_weights, forget_weights, _]) = self.peepholes {
            peep(a, input_weights, to, old, &mut input);
            peep(a, forget_weights, to, old, &mut forget);
        }
        let input = sigmoid(a, input);
        let forget = sigmoid(a, forget);
        let candidate = activate(a, self.plan.activation, candidate);
        let mut cell = old;
        for n in 0..N {
            cell[n] = a.mul_add(forget[n], old[n], a.mul(input[n], candidate[n]));
        }
        if let Some(clip) = self.plan.clip {
            for cell in &mut cell {
                *cell = a.at_most(a.at_least(*cell, a.splat(-clip)), a.splat(clip));
            }
        }
        if let Some(tape) = &mut self.tape {
            store(a, &mut tape.gates[0][to..], input);
            store(a, &mut tape.gates[1][to..], forget);
            store(a, &mut tape.gates[2][to..], candidate);
        }
        if self.plan.scale {
            // The scale depends on the whole map: `Scale` goes on from here.
            store(a, &mut self.state.cell[to..], cell);
            store(a, &mut self.state.hidden[to..], output);
        } else {
            self.finish(a, to, cell, output);
        }
    }

    /// The sums of a gate.
    #[inline(always)]
    fn gate<A: Vectors, const N: usize>(&self, a: A, sums: &[Octet]) -> [A::V; N] {
        let mut gate: [A::V; N] = load(a, sums);
        // A weight of 0 times infinity is NaN, which must not reach the state.
        if let Some(channels) = self.partial {
            for gate in &mut gate {
                *gate = a.first(channels, *gate);
            }
        }
        gate
    }

    /// From the new cell state and the output gate's sums to the new state.
    #[inline(always)]
    fn finish<A: Vectors, const N: usize>(
        &mut self,
        a: A,
        first: usize,
        mut cell: [A::V; N],
        mut output: [A::V; N],
    ) {
        let negligible = a.splat(NEGLIGIBLE);
        for cell in &mut cell {
            *cell = a.unless_less(a.abs(*cell), negligible, *cell);
        }
        if let Some([_, _, weights]) = self.peepholes {
            peep(a, weights, first, cell, &mut output);
        }
        let output = sigmoid(a, output);
        let activated = activate(a, self.plan.activation, cell);
        let mut hidden = output;
        for n in 0..N {
            let product = a.mul(output[n], activated[n]);
            hidden[n] = a.unless_less(a.abs(product), negligible, product);
        }
        let carried = match self.plan.carry_activated {
            true => activated,
            false => cell,
        };
        store(a, &mut self.state.hidden[first..], hidden);
        store(a, &mut self.state.cell[first..], carried);
        if let Some(tape) = &mut self.tape {
            store(a, &mut tape.gates[3][first..], output);
            if !tape.raw.is_empty() {
                store(a, &mut tape.raw[first..], cell);
            }
            store(a, &mut tape.cell[first..], carried);
            store(a, &mut tape.hidden[first..], hidden);
        }
    }
}

/// What scaling the cell state needs to be differentiated, for one group: the divisor, and which
/// octet and lane hold the maximum.
#[derive(Debug, Clone, Copy)]
pub struct Scaling {
    pub divisor: f32,
    pub at: usize,
    pub lane: usize,
}

impl Default for Scaling {
    fn default() -> Self {
        Self {
            divisor: 1.0,
            at: 0,
            lane: 0,
        }
    }
}

impl Scaling {
    /// From the new cell state of a group, `[octets, area]`.
    pub fn new(cell: &[Octet]) -> Self {
        let mut max = f32::NEG_INFINITY;
        let mut scaling = Self::default();
        for (at, octet) in cell.iter().enumerate() {
            for (lane, value) in octet.0.into_iter().enumerate() {
                // NaN wins, as it does in PyTorch.
                if value > max || (value.is_nan() && !max.is_nan()) {
                    max = value;
                    (scaling.at, scaling.lane) = (at, lane);
                }
            }
        }
        let divisor = max / 6.0;
        scaling.divisor = if divisor < 1.0 { 1.0 } else { divisor };
        scaling
    }
}

/// Divides the new cell state of a group by `max(1, max / 6)` and finishes what [`Gates`] left, on the
/// whole map.
pub struct Scale<'a> {
    pub plan: &'a Plan,
    pub scaling: Scaling,
    pub weights: GateWeights<'a>,
    pub state: GateState<PlanesMut<'a, Octet>>,
    pub tape: Option<GateTape<PlanesMut<'a, Octet>>>,
    pub output: PlanesMut<'a, f32>,
}

impl Kernel for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        let v = l.one();
        for index in 0..self.state.cell.nrows() {
            let mut one = One {
                plan: self.plan,
                partial: None,
                peepholes: self.weights.peepholes(self.plan, index, 0),
                state: self.state.plane(index),
                tape: self.tape.as_mut().map(|tape| tape.plane(index)),
            };
            for at in 0..self.plan.area() {
                let cell = v.div(v.load(&one.state.cell[at]), v.splat(self.scaling.divisor));
                let output = v.load(&one.state.hidden[at]);
                one.finish(v, at, [cell], [output]);
            }
            scatter(l, one.state.hidden, octet(&mut self.output, index));
        }
    }
}
