//! One step of one video: strips of rows, one for each thread, which go by in bands.

use std::ops::Range;
use std::sync::Arc;

use crate::Plan;
use crate::bands::Bands;
use crate::convolve::Convolve;
use crate::fork::fork;
use crate::forward::State;
use crate::gates::{GateState, GateTape, Gates, Scale, Scaling};
use crate::instructions::Instructions;
use crate::lanes::Octet;
use crate::memory::Memory;
use crate::octets::Scatter;
use crate::pack::{Packed, part};
use crate::planes::{
    PlanesMut, Positions, each, group, planes, quarters, split_positions, stretch,
};
use crate::product::{Input, Product, Start};
use crate::share::Team;

/// The frame that a step looks at, and what it looks at it with.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    plan: &'a Plan,
    weights: &'a Packed,
    instructions: Instructions,
    /// It and those after it, `[frames, input, area]`.
    xs: &'a [f32],
    t: usize,
}

impl<'a> Frame<'a> {
    /// Frame `t` of `xs`.
    pub fn new(plan: &'a Plan, weights: &'a Packed, team: Team, xs: &'a [f32], t: usize) -> Self {
        Self {
            plan,
            weights,
            instructions: team.instructions,
            xs: &xs[t * plan.frame()..],
            t,
        }
    }

    fn positions(&self, rows: &Range<usize>) -> Range<usize> {
        rows.start * self.plan.map.width..rows.end * self.plan.map.width
    }
}

/// One step of one video.
pub struct Step<'a> {
    pub frame: Frame<'a>,
    pub strips: &'a mut [Strip],
    pub state: &'a mut State,
    /// `[hidden octets, area]`
    pub bottleneck: &'a mut [Octet],
    pub record: Record<'a>,
}

/// What the step leaves in a [`Tape`](crate::forward::Tape) besides, or nothing.
#[derive(Default)]
pub struct Record<'a> {
    pub convolved: &'a mut [Octet],
    pub gates: &'a mut [Octet],
    pub raw: &'a mut [Octet],
    pub scaling: &'a mut [Scaling],
    pub cell: &'a mut [Octet],
    pub hidden: &'a mut [Octet],
}

impl Step<'_> {
    /// Writes `[output, area]` to `output`.
    pub fn run(&mut self, output: &mut [f32]) {
        match self.strips.len() {
            1 => self.run_one(output),
            _ => self.run_all(output),
        }
        if self.frame.plan.scale {
            self.scale(output);
        }
    }

    /// The map goes by in bands of rows, so that what a band computes is still in cache when it is
    /// wanted. The gates follow a few rows behind the bottleneck, whose neighbours they look at;
    /// no bottleneck that is still to come looks at the old hidden state of their rows.
    fn run_one(&mut self, output: &mut [f32]) {
        let frame = self.frame;
        let map = frame.plan.map;
        let mut done = 0;
        for band in self.strips[0].bands() {
            let mut bottleneck = planes(self.bottleneck, map.area());
            let out = stretch(&mut bottleneck, frame.positions(&band));
            self.strips[0].bottleneck(frame, &self.state.hidden, band.clone(), out);
            let ready = match band.end == map.height {
                true => done..map.height,
                false => done..band.end.saturating_sub(map.kernel / 2),
            };
            if !ready.is_empty() {
                done = ready.end;
                let (strips, bottleneck, mut target) = self.target(output);
                let target = target.stretch(frame.positions(&ready));
                strips[0].gates(frame, bottleneck, ready, target);
            }
        }
    }

    /// Every strip has its bottleneck before one has its gates: these overwrite the hidden state,
    /// and look at the neighbours' bottleneck.
    fn run_all(&mut self, output: &mut [f32]) {
        let frame = self.frame;
        let (area, hidden) = (frame.plan.area(), &self.state.hidden);
        let bottleneck = planes(self.bottleneck, area);
        over_strips(self.strips, bottleneck, frame, &|strip, mut all| {
            let first = frame.positions(&strip.rows).start;
            for band in strip.bands() {
                let Range { start, end } = frame.positions(&band);
                let out = stretch(&mut all, start - first..end - first);
                strip.bottleneck(frame, hidden, band, out);
            }
        });
        let (strips, bottleneck, target) = self.target(output);
        over_strips(strips, target, frame, &|strip, mut target| {
            let first = frame.positions(&strip.rows).start;
            for band in strip.bands() {
                let Range { start, end } = frame.positions(&band);
                let target = target.stretch(start - first..end - first);
                strip.gates(frame, bottleneck, band, target);
            }
        });
    }

    /// Finishes what the gates leave where the cell state is scaled.
    fn scale(&mut self, output: &mut [f32]) {
        let frame = self.frame;
        let groups = frame.plan.groups;
        for index in 0..groups {
            let scaling = Scaling::new(part(&self.state.cell, groups, index));
            if let Some(record) = self.record.scaling.get_mut(index) {
                *record = scaling;
            }
            let (.., mut target) = self.target(output);
            let (state, tape, output) = target.group(groups, index);
            frame.instructions.run(Scale {
                plan: frame.plan,
                scaling,
                weights: frame.weights.group_gates(frame.plan, index),
                state,
                tape,
                output,
            });
        }
    }

    /// What the gates of the whole map work in, look at and write to.
    fn target<'s>(
        &'s mut self,
        output: &'s mut [f32],
    ) -> (&'s mut [Strip], &'s [Octet], Target<'s>) {
        let area = self.frame.plan.area();
        let (hidden, bottleneck) = output.split_at_mut(self.frame.plan.state());
        let Record {
            convolved,
            gates,
            raw,
            cell,
            hidden: recorded,
            ..
        } = &mut self.record;
        let target = Target {
            first: 0,
            planes: [
                &mut self.state.cell,
                &mut self.state.hidden,
                &mut **convolved,
                &mut **gates,
                &mut **raw,
                &mut **cell,
                &mut **recorded,
            ]
            .map(|octets| planes(octets, area)),
            outputs: [hidden, bottleneck].map(|values| planes(values, area)),
        };
        (self.strips, self.bottleneck, target)
    }
}

/// What the gates of some positions write to.
struct Target<'a> {
    /// The first of the positions in the map.
    first: usize,
    /// Cell and hidden state, which are the old ones before; and of a record, or without planes: the
    /// convolved bottleneck, the gates, the cell state before its activation, cell and hidden state.
    planes: [PlanesMut<'a, Octet>; 7],
    /// Channels first: the hidden state and, if it is part of the output, the bottleneck.
    outputs: [PlanesMut<'a, f32>; 2],
}

impl Target<'_> {
    fn stretch(&mut self, positions: Range<usize>) -> Target<'_> {
        let Self {
            planes, outputs, ..
        } = self;
        Target {
            first: self.first + positions.start,
            planes: planes.each_mut().map(|all| stretch(all, positions.clone())),
            outputs: outputs
                .each_mut()
                .map(|all| stretch(all, positions.clone())),
        }
    }

    /// The planes of a group.
    #[expect(clippy::type_complexity, reason = "what a kernel takes")]
    fn group(
        &mut self,
        groups: usize,
        index: usize,
    ) -> (
        GateState<PlanesMut<'_, Octet>>,
        Option<GateTape<PlanesMut<'_, Octet>>>,
        PlanesMut<'_, f32>,
    ) {
        let [cell, hidden, _, gates, raw, new_cell, new_hidden] =
            self.planes.each_mut().map(|all| group(all, groups, index));
        let tape = (gates.nrows() > 0).then(|| GateTape {
            gates: quarters(gates),
            raw,
            cell: new_cell,
            hidden: new_hidden,
        });
        let output = group(&mut self.outputs[0], groups, index);
        (GateState { cell, hidden }, tape, output)
    }
}

impl Positions for Target<'_> {
    fn split(self, at: usize) -> [Self; 2] {
        let planes = self.planes.map(|all| split_positions(all, at));
        let [[a, b], [c, d], [e, f], [g, h], [i, j], [k, l], [m, n]] = planes;
        let outputs = self.outputs.map(|all| split_positions(all, at));
        let [[o, p], [q, r]] = outputs;
        [
            Self {
                first: self.first,
                planes: [a, c, e, g, i, k, m],
                outputs: [o, q],
            },
            Self {
                first: self.first + at,
                planes: [b, d, f, h, j, l, n],
                outputs: [p, r],
            },
        ]
    }
}

/// Rows that a thread has to itself, and what it works in.
#[derive(Debug)]
pub struct Strip {
    rows: Range<usize>,
    bands: Bands,
}

/// A strip for each thread of `team`, if there is a row for it.
pub fn strips(plan: &Plan, team: Team, memory: &Arc<Memory>) -> Vec<Strip> {
    let height = plan.map.height;
    let count = team.threads.clamp(1, height);
    let strip = |index| {
        let rows = height * index / count..height * (index + 1) / count;
        Strip {
            bands: Bands::new(plan, rows.len(), team.instructions, memory),
            rows,
        }
    };
    (0..count).map(strip).collect()
}

/// Calls `work` on all strips at a time, each with its positions of `all`.
fn over_strips<P: Positions + Send>(
    strips: &mut [Strip],
    all: P,
    frame: Frame<'_>,
    work: &(impl Fn(&mut Strip, P) + Sync),
) {
    if let [strip] = strips {
        return work(strip, all);
    }
    let (one, other) = strips.split_at_mut(strips.len() / 2);
    let at = frame
        .positions(&(one[0].rows.start..other[0].rows.start))
        .len();
    let [mine, theirs] = all.split(at);
    fork(
        || over_strips(one, mine, frame, work),
        || over_strips(other, theirs, frame, work),
    );
}

impl Strip {
    fn bands(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (Range { start, end }, rows) = (self.rows.clone(), self.bands.rows);
        (start..end)
            .step_by(rows)
            .map(move |begin| begin..end.min(begin + rows))
    }

    /// The bottleneck of some rows, from the old hidden state, `[hidden octets, area]`.
    fn bottleneck(
        &mut self,
        frame: Frame<'_>,
        hidden: &[Octet],
        rows: Range<usize>,
        mut out: PlanesMut<'_, Octet>,
    ) {
        let Frame {
            plan,
            weights,
            instructions,
            xs,
            t,
        } = frame;
        let groups = plan.groups;
        let positions = frame.positions(&rows);
        // Those that were projected together with an earlier frame wait in their places.
        let index = t % self.bands.frames;
        if index == 0 {
            self.bands.project(plan, weights, instructions, xs, &rows);
        }
        let together = self.bands.frames.min(plan.time - (t - index));
        let mut over_hidden = Input {
            octets: hidden,
            plane: plan.area(),
            first: positions.start,
            depth: plan.group_octets(),
        };
        let Bands {
            projected,
            hidden: convolved,
            ..
        } = &mut self.bands;
        let projected = &projected[..plan.hidden_octets() * together * positions.len()];
        if plan.depthwise_hidden {
            let convolved = &mut convolved[..plan.hidden_octets() * positions.len()];
            instructions.run(Convolve {
                map: plan.map,
                x: hidden,
                kernels: &weights.hidden_kernels,
                bias: &[],
                rows,
                out: planes(convolved, positions.len()),
            });
            over_hidden = Input {
                octets: convolved,
                plane: positions.len(),
                first: 0,
                ..over_hidden
            };
        }
        for of_group in 0..groups {
            instructions.run(Product {
                input: Input {
                    octets: part(over_hidden.octets, groups, of_group),
                    ..over_hidden
                },
                panels: weights.group_bottleneck(plan, of_group, plan.input_octets()),
                start: Start::Sums(Input {
                    octets: part(projected, groups, of_group),
                    plane: together * positions.len(),
                    first: index * positions.len(),
                    depth: plan.group_octets(),
                }),
                activation: plan.bottleneck_activation,
                channels: plan.group(),
                out: group(&mut out, groups, of_group),
            });
        }
    }

    /// The gates of some rows, and their new state, from the bottleneck, `[hidden octets, area]`.
    fn gates(
        &mut self,
        frame: Frame<'_>,
        bottleneck: &[Octet],
        rows: Range<usize>,
        mut target: Target<'_>,
    ) {
        let Frame {
            plan,
            weights,
            instructions,
            ..
        } = frame;
        let groups = plan.groups;
        let positions = frame.positions(&rows);
        let size = plan.hidden_octets() * positions.len();
        let convolved = &mut self.bands.convolved[..size];
        instructions.run(Convolve {
            map: plan.map,
            x: bottleneck,
            kernels: &weights.bottleneck_kernels,
            bias: &[],
            rows,
            out: planes(convolved, positions.len()),
        });
        let record = each(&mut target.planes[2]);
        for (record, convolved) in record.zip(convolved.chunks_exact(positions.len())) {
            record.copy_from_slice(convolved);
        }
        for index in 0..groups {
            let first = target.first;
            let (state, tape, output) = target.group(groups, index);
            instructions.run(Gates {
                plan,
                weights: weights.group_gates(plan, index),
                convolved: Input {
                    octets: part(convolved, groups, index),
                    plane: positions.len(),
                    first: 0,
                    depth: plan.group_octets(),
                },
                state,
                tape,
                output,
                first,
            });
            if plan.output_bottleneck {
                instructions.run(Scatter {
                    from: Input {
                        octets: part(bottleneck, groups, index),
                        plane: plan.area(),
                        first: positions.start,
                        depth: plan.group_octets(),
                    },
                    to: group(&mut target.outputs[1], groups, index),
                });
            }
        }
    }
}
