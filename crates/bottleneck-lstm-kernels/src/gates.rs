//! The gates: their pointwise convolution, with everything up to the new state done while the sums
//! are still in registers.
//!
//! For one octet of channels the input gate and the candidate go first, over all positions, then
//! the forget gate and the output gate: two pairs of sixteen outputs each.

use std::ops::Range;

use crate::Plan;
use crate::lanes::{Kernel, LANES, Lanes, Octet};
use crate::math::{activate, sigmoid};
use crate::octets::scatter;
use crate::product::{Block, Input, Sums, accumulate, by_rows, tiles};
use crate::share::Share;

/// State below this size becomes 0: it has no effect, and would decay into denormal numbers, which
/// some machines compute with a hundred times slower.
const NEGLIGIBLE: f32 = 1e-30;

/// The gates and the new state of some octets of one group.
pub struct Gates<'a> {
    pub plan: &'a Plan,
    pub weights: GateWeights<'a>,
    /// The bottleneck after its depthwise convolution, all octets of the group.
    pub convolved: Input<'a>,
    pub state: GateState<'a>,
    pub tape: Option<GateTape<'a>>,
    /// Where the hidden state goes, channels first.
    pub output: &'a mut [f32],
    pub positions: Range<usize>,
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

/// The old state, which becomes the new one, `[octets, area]`.
pub struct GateState<'a> {
    pub cell: &'a mut [Octet],
    pub hidden: &'a mut [Octet],
}

/// What the backward pass wants to know, `[octets, area]` each.
pub struct GateTape<'a> {
    /// Activated: input, forget, candidate, output.
    pub gates: [&'a mut [Octet]; 4],
    /// The new cell state before its activation, where that is not the carried one, else empty.
    pub raw: &'a mut [Octet],
    pub cell: &'a mut [Octet],
    pub hidden: &'a mut [Octet],
}

impl<'a> GateWeights<'a> {
    fn split(self, at: usize, group: usize, pin: usize) -> (Self, Self) {
        let (panels, other_panels) = self.panels.split_at(at * 2 * group);
        let (bias, other_bias) = self.bias.split_at(at);
        let peepholes = self
            .peepholes
            .map(|all| all.map(|weights| weights.split_at(at * pin)));
        (
            Self {
                panels,
                bias,
                peepholes: peepholes.map(|all| all.map(|(weights, _)| weights)),
            },
            Self {
                panels: other_panels,
                bias: other_bias,
                peepholes: peepholes.map(|all| all.map(|(_, weights)| weights)),
            },
        )
    }
}

impl<'a> GateState<'a> {
    fn split(self, at: usize) -> (Self, Self) {
        let (cell, other_cell) = self.cell.split_at_mut(at);
        let (hidden, other_hidden) = self.hidden.split_at_mut(at);
        (
            Self { cell, hidden },
            Self {
                cell: other_cell,
                hidden: other_hidden,
            },
        )
    }
}

impl<'a> GateTape<'a> {
    fn split(self, at: usize) -> (Self, Self) {
        let [i, f, j, o] = self.gates.map(|gate| gate.split_at_mut(at));
        let (raw, other_raw) = self.raw.split_at_mut(at.min(self.raw.len()));
        let (cell, other_cell) = self.cell.split_at_mut(at);
        let (hidden, other_hidden) = self.hidden.split_at_mut(at);
        (
            Self {
                gates: [i.0, f.0, j.0, o.0],
                raw,
                cell,
                hidden,
            },
            Self {
                gates: [i.1, f.1, j.1, o.1],
                raw: other_raw,
                cell: other_cell,
                hidden: other_hidden,
            },
        )
    }
}

impl Share for Gates<'_> {
    fn parts(&self) -> usize {
        self.weights.bias.len()
    }

    fn split(self, at: usize) -> (Self, Self) {
        let area = self.plan.area();
        let (weights, other_weights) =
            self.weights
                .split(at, self.convolved.depth, self.plan.pin());
        let (state, other_state) = self.state.split(at * area);
        let (tape, other_tape) = self.tape.map(|tape| tape.split(at * area)).unzip();
        let (output, other_output) = self.output.split_at_mut(at * LANES * area);
        (
            Self {
                weights,
                state,
                tape,
                output,
                positions: self.positions.clone(),
                ..self
            },
            Self {
                weights: other_weights,
                state: other_state,
                tape: other_tape,
                output: other_output,
                ..self
            },
        )
    }
}

impl Kernel for Gates<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        let area = self.plan.area();
        let outputs = self.output.chunks_mut(LANES * area);
        for (octet, output) in outputs.enumerate() {
            let plane = octet * area;
            let pin = octet * self.plan.pin();
            let depth = self.convolved.depth;
            let panel = &self.weights.panels[octet * 2 * depth..][..2 * depth];
            let mut one = One {
                plan: self.plan,
                pairs: panel.split_at(depth).into(),
                bias: &self.weights.bias[octet],
                partial: (output.len() < LANES * area).then_some(output.len() / area),
                peepholes: self
                    .weights
                    .peepholes
                    .map(|all| all.map(|weights| &weights[pin..][..self.plan.pin()])),
                convolved: self.convolved,
                cell: &mut self.state.cell[plane..][..area],
                hidden: &mut self.state.hidden[plane..][..area],
                tape: self.tape.as_mut().map(|tape| tape.plane(plane, area)),
            };
            let begin = self.positions.start;
            for (tile, rows) in tiles(self.positions.len()) {
                by_rows!(rows, input_and_candidate::<L>(l, &mut one, begin, tile));
            }
            for (tile, rows) in tiles(self.positions.len()) {
                by_rows!(rows, forget_and_output::<L>(l, &mut one, begin, tile));
            }
            if !self.plan.scale {
                let hidden = &one.hidden[self.positions.clone()];
                scatter(l, hidden, output, area, begin);
            }
        }
    }
}

impl GateTape<'_> {
    #[inline(always)]
    fn plane(&mut self, first: usize, area: usize) -> GateTape<'_> {
        let raw = first.min(self.raw.len())..(first + area).min(self.raw.len());
        GateTape {
            gates: self
                .gates
                .each_mut()
                .map(|gate| &mut gate[first..first + area]),
            raw: &mut self.raw[raw],
            cell: &mut self.cell[first..first + area],
            hidden: &mut self.hidden[first..first + area],
        }
    }
}

/// One octet of channels.
struct One<'a> {
    plan: &'a Plan,
    /// Input gate and candidate, forget and output gate.
    pairs: [&'a [Block]; 2],
    bias: &'a [Octet; 4],
    /// Its channels, if they are not eight.
    partial: Option<usize>,
    peepholes: Option<[&'a [Octet]; 3]>,
    convolved: Input<'a>,
    cell: &'a mut [Octet],
    /// Between the two pairs: input gate times candidate.
    hidden: &'a mut [Octet],
    tape: Option<GateTape<'a>>,
}

impl One<'_> {
    /// The pre-activations of a pair of gates.
    #[inline(always)]
    fn pair<L: Lanes, const R: usize>(&self, l: L, pair: usize, tile: usize) -> Sums<L, R> {
        let left = l.load(&self.bias[2 * pair].0);
        let right = l.load(&self.bias[2 * pair + 1].0);
        let mut sums = [[left, right]; R];
        let Input {
            octets,
            plane,
            first,
            ..
        } = self.convolved;
        accumulate::<L, R>(l, &mut sums, octets, plane, first + tile, self.pairs[pair]);
        // A weight of 0 times infinity is NaN, which must not reach the state.
        if let Some(channels) = self.partial {
            for sums in &mut sums {
                for sum in sums {
                    *sum = l.first(channels, *sum);
                }
            }
        }
        sums
    }
}

/// `gate + peephole * cell` at a position.
#[inline(always)]
fn peep<L: Lanes>(l: L, weights: &[Octet], at: usize, cell: L::V, gate: L::V) -> L::V {
    let weight = &weights[if weights.len() == 1 { 0 } else { at }];
    l.mul_add(l.load(&weight.0), cell, gate)
}

#[inline(always)]
fn input_and_candidate<L: Lanes, const R: usize>(
    l: L,
    one: &mut One<'_>,
    begin: usize,
    tile: usize,
) {
    let sums = one.pair::<L, R>(l, 0, tile);
    let first = begin + tile;
    let cells: &[Octet; R] = one.cell[first..].first_chunk().expect("a tile");
    let products: &mut [Octet; R] = one.hidden[first..].first_chunk_mut().expect("a tile");
    for r in 0..R {
        let [mut input, candidate] = sums[r];
        if let Some([weights, _, _]) = one.peepholes {
            input = peep(l, weights, first + r, l.load(&cells[r].0), input);
        }
        let input = sigmoid(l, input);
        let candidate = activate(l, one.plan.activation, candidate);
        products[r] = Octet(l.store(l.mul(input, candidate)));
        if let Some(tape) = &mut one.tape {
            tape.gates[0][first + r] = Octet(l.store(input));
            tape.gates[2][first + r] = Octet(l.store(candidate));
        }
    }
}

#[inline(always)]
fn forget_and_output<L: Lanes, const R: usize>(l: L, one: &mut One<'_>, begin: usize, tile: usize) {
    let sums = one.pair::<L, R>(l, 1, tile);
    let first = begin + tile;
    for (r, [mut forget, output]) in sums.into_iter().enumerate() {
        let at = first + r;
        let old = l.load(&one.cell[at].0);
        if let Some([_, weights, _]) = one.peepholes {
            forget = peep(l, weights, at, old, forget);
        }
        let forget = sigmoid(l, forget);
        let mut cell = l.mul_add(forget, old, l.load(&one.hidden[at].0));
        if let Some(clip) = one.plan.clip {
            cell = l.at_most(l.at_least(cell, l.splat(-clip)), l.splat(clip));
        }
        if let Some(tape) = &mut one.tape {
            tape.gates[1][at] = Octet(l.store(forget));
        }
        if one.plan.scale {
            // The scale depends on the whole map: `Scale` goes on from here.
            one.cell[at] = Octet(l.store(cell));
            one.hidden[at] = Octet(l.store(output));
        } else {
            finish(l, one, at, cell, output);
        }
    }
}

/// From the new cell state and the output gate's pre-activation to the new state.
#[inline(always)]
fn finish<L: Lanes>(l: L, one: &mut One<'_>, at: usize, cell: L::V, output: L::V) {
    let negligible = l.splat(NEGLIGIBLE);
    let cell = l.unless_less(l.abs(cell), negligible, cell);
    let mut output = output;
    if let Some([_, _, weights]) = one.peepholes {
        output = peep(l, weights, at, cell, output);
    }
    let output = sigmoid(l, output);
    let activated = activate(l, one.plan.activation, cell);
    let hidden = l.mul(output, activated);
    let hidden = Octet(l.store(l.unless_less(l.abs(hidden), negligible, hidden)));
    let carried = match one.plan.carry_activated {
        true => activated,
        false => cell,
    };
    let carried = Octet(l.store(carried));
    one.hidden[at] = hidden;
    one.cell[at] = carried;
    if let Some(tape) = &mut one.tape {
        tape.gates[3][at] = Octet(l.store(output));
        if let Some(raw) = tape.raw.get_mut(at) {
            *raw = Octet(l.store(cell));
        }
        tape.cell[at] = carried;
        tape.hidden[at] = hidden;
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
    fn new(cell: &[Octet]) -> Self {
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

/// Divides the new cell state of a group by `max(1, max / 6)` and finishes what [`Gates`] left.
pub struct Scale<'a> {
    pub plan: &'a Plan,
    pub peepholes: Option<[&'a [Octet]; 3]>,
    pub state: GateState<'a>,
    pub tape: Option<GateTape<'a>>,
    pub output: &'a mut [f32],
}

impl Kernel for Scale<'_> {
    type Output = Scaling;

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) -> Scaling {
        let (area, pin) = (self.plan.area(), self.plan.pin());
        let scaling = Scaling::new(self.state.cell);
        for (octet, output) in self.output.chunks_mut(LANES * area).enumerate() {
            let plane = octet * area;
            let mut one = One {
                plan: self.plan,
                pairs: [&[], &[]],
                bias: &[Octet::ZERO; 4],
                partial: None,
                peepholes: self
                    .peepholes
                    .map(|all| all.map(|weights| &weights[octet * pin..][..pin])),
                convolved: Input::NONE,
                cell: &mut self.state.cell[plane..][..area],
                hidden: &mut self.state.hidden[plane..][..area],
                tape: self.tape.as_mut().map(|tape| tape.plane(plane, area)),
            };
            for at in 0..area {
                let cell = l.div(l.load(&one.cell[at].0), l.splat(scaling.divisor));
                let output = l.load(&one.hidden[at].0);
                finish(l, &mut one, at, cell, output);
            }
            scatter(l, one.hidden, output, area, 0);
        }
        scaling
    }
}
