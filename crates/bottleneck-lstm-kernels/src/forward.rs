//! The forward pass of one video, with or without a tape.

use std::sync::Arc;

use crate::Plan;
use crate::gates::Scaling;
use crate::lanes::Octet;
use crate::memory::{Buffer, Memory};
use crate::octets::{Gather, Scatter};
use crate::pack::{Packed, part};
use crate::planes::{group, planes};
use crate::product::Input;
use crate::share::Team;
use crate::step::{Frame, Record, Step, Strip, strips};

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
    strips: Vec<Strip>,
}

impl Scratch {
    /// For calls of `plan` by `team`, from `memory`.
    pub fn new(plan: &Plan, team: Team, memory: &Arc<Memory>) -> Self {
        Self {
            bottleneck: memory.take(plan.state_octets()),
            strips: strips(plan, team, memory),
        }
    }
}

/// The state of one video, `[hidden octets, area]` each.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub(crate) cell: Vec<Octet>,
    pub(crate) hidden: Vec<Octet>,
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
    let frame = |t| Frame::new(plan, weights, team, xs, t);
    for t in 0..plan.time {
        let mut step = Step {
            frame: frame(t),
            strips: &mut scratch.strips,
            state,
            bottleneck: &mut *bottleneck,
            record: Record::default(),
        };
        step.run(outputs.frame(t, plan.area() * plan.output()));
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
    let mut strips = strips(plan, team, memory);
    let frame = |t| Frame::new(plan, weights, team, xs, t);
    for t in 0..plan.time {
        let at = t * size..(t + 1) * size;
        let next = (t + 1) * size..(t + 2) * size;
        let mut step = Step {
            frame: frame(t),
            strips: &mut strips,
            state,
            bottleneck: &mut tape.bottleneck[at.clone()],
            record: Record {
                convolved: &mut tape.convolved[at.clone()],
                gates: &mut tape.gates[t * 4 * size..][..4 * size],
                raw: tape.raw.get_mut(at).unwrap_or_default(),
                scaling: &mut tape.scaling[t * plan.groups..][..plan.groups],
                cell: &mut tape.cells[next.clone()],
                hidden: &mut tape.hiddens[next],
            },
        };
        step.run(outputs.frame(t, plan.area() * plan.output()));
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
        let mut to = planes(to, self.area());
        for index in 0..self.groups {
            team.instructions.run(Scatter {
                from: Input {
                    octets: part(from, self.groups, index),
                    plane: self.area(),
                    first: 0,
                    depth: self.group_octets(),
                },
                to: group(&mut to, self.groups, index),
            });
        }
    }
}
