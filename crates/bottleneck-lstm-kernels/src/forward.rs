//! The forward pass of one video, with or without a tape.

use std::ops::Range;
use std::sync::Arc;

use crate::Plan;
use crate::bands::Bands;
use crate::convolve::Convolve;
use crate::gates::{GateState, GateTape, Gates, Scale, Scaling};
use crate::lanes::Octet;
use crate::memory::{Buffer, Memory};
use crate::octets::{Gather, Scatter};
use crate::pack::{Packed, part, part_mut, quarters};
use crate::product::{Input, Product, Start};
use crate::share::Team;

/// What the backward pass needs of the forward pass of one video.
#[derive(Debug, Clone)]
pub struct Tape {
    /// The bottleneck after its activation, `[time, hidden octets, area]`.
    pub(crate) bottleneck: Buffer,
    /// The bottleneck after its depthwise convolution, likewise.
    pub(crate) convolved: Buffer,
    /// The activated gates, `[time, groups, 4, octets of a group, area]`.
    pub(crate) gates: Buffer,
    /// The new cell state before its activation, `[time, hidden octets, area]`, where the carried
    /// one is another; else empty.
    pub(crate) raw: Buffer,
    /// `[time, groups]`
    pub(crate) scaling: Vec<Scaling>,
    /// The carried cell states from the start on, `[time + 1, hidden octets, area]`.
    pub(crate) cells: Buffer,
    /// The hidden states from the start on, likewise.
    pub(crate) hiddens: Buffer,
}

/// What a call works in.
#[derive(Debug)]
pub struct Scratch {
    /// The bottleneck, `[hidden octets, area]`.
    bottleneck: Buffer,
    bands: Bands,
}

impl Scratch {
    /// For calls of `plan` by `team`, from `memory`.
    pub fn new(plan: &Plan, team: Team, memory: &Arc<Memory>) -> Self {
        Self {
            bottleneck: memory.take(plan.state_octets()),
            bands: Bands::new(plan, team, memory),
        }
    }
}

/// The state of one video, `[hidden octets, area]` each.
#[derive(Debug, Clone, Default)]
pub struct State {
    cell: Vec<Octet>,
    hidden: Vec<Octet>,
}

impl State {
    /// From the two tensors of a video, channels first, `[hidden, area]`.
    pub fn new(plan: &Plan, team: Team, cell: &[f32], hidden: &[f32]) -> Self {
        let mut state = Self {
            cell: vec![Octet::ZERO; plan.state_octets()],
            hidden: vec![Octet::ZERO; plan.state_octets()],
        };
        plan.gather(team, cell, &mut state.cell);
        plan.gather(team, hidden, &mut state.hidden);
        state
    }

    /// The carried cell state, `[hidden octets, area]`.
    pub fn cell(&self) -> &[Octet] {
        &self.cell
    }

    /// The hidden state, likewise.
    pub fn hidden(&self) -> &[Octet] {
        &self.hidden
    }

    /// The part of a group.
    fn group(&mut self, groups: usize, group: usize) -> GateState<'_> {
        GateState {
            cell: part_mut(&mut self.cell, groups, group),
            hidden: part_mut(&mut self.hidden, groups, group),
        }
    }
}

/// Where the outputs of a video go, `[time, output, area]`: a slice, or the end of a vector.
///
/// A vector's memory is cleared frame by frame, just before it is written to. To clear all of it
/// beforehand is to wait for memory twice.
pub trait Outputs {
    /// Looks, before the first frame, whether there is room for `values` in all.
    ///
    /// # Panics
    ///
    /// If a slice has another number of values.
    fn check(&self, _values: usize) {}

    /// Room for frame `t`, of `size` values, `[output, area]`: frames are asked for in their order, each
    /// once.
    ///
    /// # Panics
    ///
    /// If a slice is too short for it.
    fn frame(&mut self, t: usize, size: usize) -> &mut [f32];
}

impl Outputs for [f32] {
    fn check(&self, values: usize) {
        assert_eq!(self.len(), values, "values of the output");
    }

    fn frame(&mut self, t: usize, size: usize) -> &mut [f32] {
        &mut self[t * size..][..size]
    }
}

impl Outputs for Vec<f32> {
    fn frame(&mut self, _t: usize, size: usize) -> &mut [f32] {
        let begin = self.len();
        self.resize(begin + size, 0.0);
        &mut self[begin..]
    }
}

/// Runs one video, `xs` of `[time, input, area]`, from `state`, which becomes the last one. Writes
/// `[time, output, area]` to `outputs`.
///
/// # Panics
///
/// If a slice or the state has another size than `plan` says. Weights and memory that were made for
/// another plan may panic too, or yield other numbers.
pub fn run(
    plan: &Plan,
    weights: &Packed,
    team: Team,
    xs: &[f32],
    state: &mut State,
    outputs: &mut (impl Outputs + ?Sized),
    scratch: &mut Scratch,
) {
    check(plan, xs, state, outputs);
    let bottleneck = &mut scratch.bottleneck[..];
    for t in 0..plan.time {
        let mut step = Step {
            plan,
            weights,
            team,
            state,
            bands: &mut scratch.bands,
            bottleneck: &mut *bottleneck,
            convolved: None,
            record: None,
        };
        step.run(xs, t, outputs.frame(t, plan.area() * plan.output()));
    }
}

/// [`run`], recorded.
///
/// # Panics
///
/// As [`run`].
pub fn run_taped(
    plan: &Plan,
    weights: &Packed,
    team: Team,
    memory: &Arc<Memory>,
    xs: &[f32],
    state: &mut State,
    outputs: &mut (impl Outputs + ?Sized),
) -> Tape {
    check(plan, xs, state, outputs);
    let (time, size) = (plan.time, plan.state_octets());
    let mut tape = Tape {
        bottleneck: memory.take(time * size),
        convolved: memory.take(time * size),
        gates: memory.take(time * 4 * size),
        raw: memory.take(if plan.carry_activated { time * size } else { 0 }),
        scaling: vec![Scaling::default(); time * plan.groups],
        cells: memory.take((time + 1) * size),
        hiddens: memory.take((time + 1) * size),
    };
    tape.cells[..size].copy_from_slice(&state.cell);
    tape.hiddens[..size].copy_from_slice(&state.hidden);
    let mut bands = Bands::new(plan, team, memory);
    for t in 0..plan.time {
        let at = t * size..(t + 1) * size;
        let next = (t + 1) * size..(t + 2) * size;
        let mut step = Step {
            plan,
            weights,
            team,
            state,
            bands: &mut bands,
            bottleneck: &mut tape.bottleneck[at.clone()],
            convolved: Some(&mut tape.convolved[at.clone()]),
            record: Some(Record {
                gates: &mut tape.gates[t * 4 * size..][..4 * size],
                raw: tape.raw.get_mut(at).unwrap_or_default(),
                scaling: &mut tape.scaling[t * plan.groups..][..plan.groups],
                cell: &mut tape.cells[next.clone()],
                hidden: &mut tape.hiddens[next],
            }),
        };
        step.run(xs, t, outputs.frame(t, plan.area() * plan.output()));
    }
    tape
}

fn check(plan: &Plan, xs: &[f32], state: &State, outputs: &(impl Outputs + ?Sized)) {
    assert_eq!(xs.len(), plan.time * plan.frame(), "values of the input");
    outputs.check(plan.time * plan.area() * plan.output());
    for part in [&state.cell, &state.hidden] {
        assert_eq!(part.len(), plan.state_octets(), "octets of the state");
    }
}

/// One step of one video.
struct Step<'a> {
    plan: &'a Plan,
    weights: &'a Packed,
    team: Team,
    state: &'a mut State,
    bands: &'a mut Bands,
    /// `[hidden octets, area]`
    bottleneck: &'a mut [Octet],
    /// Likewise, if it is to be kept.
    convolved: Option<&'a mut [Octet]>,
    record: Option<Record<'a>>,
}

/// What the step leaves in a [`Tape`] besides.
struct Record<'a> {
    gates: &'a mut [Octet],
    raw: &'a mut [Octet],
    scaling: &'a mut [Scaling],
    cell: &'a mut [Octet],
    hidden: &'a mut [Octet],
}

impl Record<'_> {
    /// What the gates of a group record.
    fn group(&mut self, groups: usize, group: usize) -> GateTape<'_> {
        GateTape {
            gates: quarters(part_mut(self.gates, groups, group)),
            raw: part_mut(self.raw, groups, group),
            cell: part_mut(self.cell, groups, group),
            hidden: part_mut(self.hidden, groups, group),
        }
    }
}

impl Step<'_> {
    /// Runs on frame `t` of `xs`, `[time, input, area]`; writes `[output, area]` to `output`.
    ///
    /// The map goes by in bands of rows, so that what a band computes is still in cache when it is
    /// wanted. The gates follow a few rows behind the bottleneck, whose neighbours they look at;
    /// no bottleneck that is still to come looks at the old hidden state of their rows.
    fn run(&mut self, xs: &[f32], t: usize, output: &mut [f32]) {
        let plan = self.plan;
        let (hidden_output, bottleneck_output) = output.split_at_mut(plan.state());
        let rows = self.bands.rows;
        let mut done = 0;
        for begin in (0..plan.map.height).step_by(rows) {
            let end = (begin + rows).min(plan.map.height);
            self.bottleneck(xs, t, begin..end);
            let ready = match end == plan.map.height {
                true => end,
                false => end.saturating_sub(plan.map.kernel / 2),
            };
            if done < ready {
                self.gates(done..ready, hidden_output);
                done = ready;
            }
        }
        if plan.scale {
            self.scale(hidden_output);
        }
        if plan.output_bottleneck {
            plan.scatter(self.team, self.bottleneck, bottleneck_output);
        }
    }

    /// The bottleneck of some rows.
    fn bottleneck(&mut self, xs: &[f32], t: usize, rows: Range<usize>) {
        let (plan, weights, groups) = (self.plan, self.weights, self.plan.groups);
        let positions = rows.len() * plan.map.width;
        let first = rows.start * plan.map.width;
        // Those that were projected together with an earlier frame wait in their places.
        let frame = t % self.bands.frames;
        if frame == 0 {
            let xs = &xs[t * plan.frame()..];
            self.bands.project(plan, weights, self.team, xs, &rows);
        }
        let together = self.bands.frames.min(plan.time - (t - frame));
        let Bands {
            projected, hidden, ..
        } = &mut *self.bands;
        let projected = &projected[..plan.hidden_octets() * together * positions];
        let mut over_hidden = Input {
            octets: &self.state.hidden,
            plane: plan.area(),
            first,
            depth: plan.group_octets(),
        };
        if plan.depthwise_hidden {
            let out = &mut hidden[..plan.hidden_octets() * positions];
            self.team.run(Convolve {
                map: plan.map,
                x: &self.state.hidden,
                kernels: &weights.hidden_kernels,
                bias: &[],
                rows,
                out: &mut *out,
                plane: positions,
                first: 0,
            });
            over_hidden = Input {
                octets: out,
                plane: positions,
                first: 0,
                ..over_hidden
            };
        }
        for group in 0..groups {
            self.team.run(Product {
                input: Input {
                    octets: part(over_hidden.octets, groups, group),
                    ..over_hidden
                },
                panels: weights.group_bottleneck(plan, group, plan.input_octets()),
                start: Start::Sums(Input {
                    octets: part(projected, groups, group),
                    plane: together * positions,
                    first: frame * positions,
                    depth: plan.group_octets(),
                }),
                activation: plan.bottleneck_activation,
                channels: plan.group(),
                out: part_mut(self.bottleneck, groups, group),
                plane: plan.area(),
                first,
                positions,
            });
        }
    }

    /// The gates of some rows, from the bottleneck. Writes the hidden state to `output`.
    fn gates(&mut self, rows: Range<usize>, output: &mut [f32]) {
        let (plan, weights, groups) = (self.plan, self.weights, self.plan.groups);
        let positions = rows.start * plan.map.width..rows.end * plan.map.width;
        let (convolved, plane, first) = match &mut self.convolved {
            Some(convolved) => (&mut **convolved, plan.area(), positions.start),
            None => {
                let size = plan.hidden_octets() * positions.len();
                (&mut self.bands.convolved[..size], positions.len(), 0)
            }
        };
        self.team.run(Convolve {
            map: plan.map,
            x: self.bottleneck,
            kernels: &weights.bottleneck_kernels,
            bias: &[],
            rows,
            out: &mut *convolved,
            plane,
            first,
        });
        let outputs = output.chunks_exact_mut(plan.group() * plan.area());
        for (group, output) in outputs.enumerate() {
            self.team.run(Gates {
                plan,
                weights: weights.group_gates(plan, group),
                convolved: Input {
                    octets: part(convolved, groups, group),
                    plane,
                    first,
                    depth: plan.group_octets(),
                },
                state: self.state.group(groups, group),
                tape: self
                    .record
                    .as_mut()
                    .map(|record| record.group(groups, group)),
                output,
                positions: positions.clone(),
            });
        }
    }

    /// Finishes what [`gates`](Self::gates) leave where the cell state is scaled.
    fn scale(&mut self, output: &mut [f32]) {
        let (plan, groups) = (self.plan, self.plan.groups);
        let outputs = output.chunks_exact_mut(plan.group() * plan.area());
        for (group, output) in outputs.enumerate() {
            let scaling = self.team.instructions.run(Scale {
                plan,
                peepholes: self.weights.group_gates(plan, group).peepholes,
                state: self.state.group(groups, group),
                tape: self
                    .record
                    .as_mut()
                    .map(|record| record.group(groups, group)),
                output,
            });
            if let Some(record) = &mut self.record {
                record.scaling[group] = scaling;
            }
        }
    }
}

impl Plan {
    /// Turns a state tensor, channels first, into octets.
    pub fn gather(&self, team: Team, from: &[f32], to: &mut [Octet]) {
        let (groups, area) = (self.groups, self.area());
        team.instructions.run(Gather {
            groups,
            area,
            from,
            to,
        });
    }

    /// The reverse of [`gather`](Self::gather).
    pub fn scatter(&self, team: Team, from: &[Octet], to: &mut [f32]) {
        let (groups, area) = (self.groups, self.area());
        team.instructions.run(Scatter {
            groups,
            area,
            from,
            to,
        });
    }
}
