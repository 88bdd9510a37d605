//! The backward pass of one video.

use std::sync::Arc;

use crate::Activation;
use crate::Plan;
use crate::convolve::{Convolve, DepthwiseBackward};
use crate::depthwise::{self, Map};
use crate::forward::Tape;
use crate::gates_backward::{ActivationBackward, GatesBackward, Peephole};
use crate::lanes::Octet;
use crate::memory::{Buffer, Memory};
use crate::octets::{Gather, Scatter};
use crate::outer::{Frames, Outer, POSITIONS};
use crate::pack::{Packed, Transposed, part, part_mut, quarters};
use crate::planes::planes;
use crate::product::{Block, Input, Panels, Product, Start};
use crate::share::Team;
use crate::sums::Sums;

/// Weights as the backward pass wants them.
#[derive(Debug)]
pub struct Backward<'a> {
    packed: &'a Packed,
    memory: &'a Arc<Memory>,
    transposed: Transposed,
    /// Kernels over the input, `[groups, input octets, k * k]`.
    input_kernels: Vec<Octet>,
    /// Turned by half a turn, likewise.
    input_turned: Vec<Octet>,
    hidden_turned: Vec<Octet>,
    bottleneck_turned: Vec<Octet>,
}

/// One video of a backward pass.
pub struct Video<'a> {
    /// Used up.
    pub tape: Tape,
    /// `[time, input, area]`
    pub xs: &'a [f32],
    /// The gradient of the outputs, `[time, output, area]`.
    pub outputs: &'a [f32],
    /// The gradient of the last cell state.
    pub last_cell: Buffer,
    /// Where the gradient of the input goes, `[time, input, area]`; empty if it is not wanted.
    pub gradient: &'a mut [f32],
}

impl<'a> Backward<'a> {
    /// The weights of `packed` and `transposed`; gradients on the way come from `memory`.
    pub fn new(
        plan: &Plan,
        packed: &'a Packed,
        transposed: Transposed,
        memory: &'a Arc<Memory>,
    ) -> Self {
        let taps = plan.taps();
        let turn = |kernels: &[Octet]| depthwise::turn(kernels, taps);
        let mut input_kernels = Vec::with_capacity(packed.input_kernels.len());
        for group in 0..plan.groups {
            for kernels in packed.input_kernels.chunks_exact(plan.groups * taps) {
                input_kernels.extend_from_slice(part(kernels, plan.groups, group));
            }
        }
        Self {
            transposed,
            input_turned: turn(&input_kernels),
            input_kernels,
            hidden_turned: turn(&packed.hidden_kernels),
            bottleneck_turned: turn(&packed.bottleneck_kernels),
            packed,
            memory,
        }
    }

    /// Runs one video backward. Adds the gradients of the weights to `sums`, all of them if
    /// `weights` are wanted; returns those of the state at the start, cell and hidden.
    ///
    /// # Panics
    ///
    /// If a slice of the video has another size than `plan` says. A tape, weights and sums that were
    /// made for another plan may panic too, or yield other numbers.
    pub fn run(
        &self,
        plan: &Plan,
        team: Team,
        mut video: Video<'_>,
        weights: bool,
        sums: &mut Sums,
    ) -> [Buffer; 2] {
        let size = plan.time * plan.frame();
        assert_eq!(video.xs.len(), size, "values of the input");
        if !video.gradient.is_empty() {
            assert_eq!(video.gradient.len(), size, "values of its gradient");
        }
        let size = plan.time * plan.area() * plan.output();
        assert_eq!(video.outputs.len(), size, "values of the output's gradient");
        assert_eq!(
            video.last_cell.len(),
            plan.state_octets(),
            "octets of the cell's gradient"
        );
        let hidden = self.through_time(plan, team, &mut video, sums);
        if weights {
            self.recurrent_weights(plan, team, &video.tape, sums);
        }
        if weights || !video.gradient.is_empty() {
            self.through_input(plan, team, &mut video, sums);
        }
        [video.last_cell, hidden]
    }

    /// The recurrence, last step first. Returns the gradient of the hidden state at the start; that
    /// of the cell state takes the place of the last one's. In the tape, gradients take the place
    /// of what they belong to: those of the gates' pre-activations in `gates`, those of the
    /// bottleneck's in `bottleneck`.
    fn through_time(
        &self,
        plan: &Plan,
        team: Team,
        video: &mut Video<'_>,
        sums: &mut Sums,
    ) -> Buffer {
        let (groups, area, size) = (plan.groups, plan.area(), plan.state_octets());
        let (tape, d_cell) = (&mut video.tape, &mut video.last_cell);
        let mut d_hidden = self.memory.take(size);
        d_hidden.fill(Octet::ZERO);
        let mut d_convolved = self.memory.take(size);
        let mut d_bottleneck = self.memory.take(size);
        let outputs = video.outputs.chunks_exact(area * plan.output());
        for (t, output) in outputs.enumerate().rev() {
            let (of_hidden, of_bottleneck) = output.split_at(plan.state());
            let raw = match plan.carry_activated {
                true => &tape.raw[t * size..][..size],
                false => &tape.cells[(t + 1) * size..][..size],
            };
            let gates = &mut tape.gates[t * 4 * size..][..4 * size];
            for group in 0..groups {
                let gates = part_mut(gates, groups, group);
                team.run(GatesBackward {
                    plan,
                    peepholes: self.peepholes(plan, group, &mut sums.peepholes),
                    gates: quarters(&mut *gates),
                    bias: quarters(part_mut(&mut sums.gates_bias, groups, group)),
                    raw: part(raw, groups, group),
                    old: part(&tape.cells[t * size..][..size], groups, group),
                    output: part(of_hidden, groups, group),
                    hidden: part(&d_hidden, groups, group),
                    cell: part_mut(d_cell, groups, group),
                    scaling: tape.scaling[t * groups + group],
                });
                let panels = part(&self.transposed.gates, groups, group);
                let out = part_mut(&mut d_convolved, groups, group);
                team.run(plain(plan, gates, panels, plan.group(), out));
            }
            let bottleneck = &mut tape.bottleneck[t * size..][..size];
            team.run(DepthwiseBackward {
                map: plan.map,
                x: bottleneck,
                out: &d_convolved,
                turned: &self.bottleneck_turned,
                kernels: &mut sums.bottleneck_kernels,
                bias: &mut [],
                gradient: &mut d_bottleneck,
                adds: false,
            });
            for group in 0..groups {
                let output = match plan.output_bottleneck {
                    true => part(of_bottleneck, groups, group),
                    false => &[],
                };
                let bottleneck = part_mut(bottleneck, groups, group);
                team.run(ActivationBackward {
                    activation: plan.bottleneck_activation,
                    area,
                    values: &mut *bottleneck,
                    gradient: part(&d_bottleneck, groups, group),
                    output,
                    bias: part_mut(&mut sums.bottleneck_bias, groups, group),
                });
                let panels = part(&self.transposed.hidden, groups, group);
                let over_hidden = match plan.depthwise_hidden {
                    true => &mut d_convolved,
                    false => &mut d_hidden,
                };
                let out = part_mut(over_hidden, groups, group);
                team.run(plain(plan, bottleneck, panels, plan.group(), out));
            }
            if plan.depthwise_hidden {
                team.run(DepthwiseBackward {
                    map: plan.map,
                    x: &tape.hiddens[t * size..][..size],
                    out: &d_convolved,
                    turned: &self.hidden_turned,
                    kernels: &mut sums.hidden_kernels,
                    bias: &mut [],
                    gradient: &mut d_hidden,
                    adds: false,
                });
            }
        }
        d_hidden
    }

    fn peepholes<'b>(
        &'b self,
        plan: &Plan,
        group: usize,
        sums: &'b mut [Vec<Octet>; 3],
    ) -> Option<[Peephole<'b>; 3]> {
        let [input, forget, output] = self.packed.peepholes.as_ref()?;
        let [d_input, d_forget, d_output] = sums;
        let peephole = |weights: &'b [Octet], sum: &'b mut [Octet]| Peephole {
            weights: part(weights, plan.groups, group),
            sum: part_mut(sum, plan.groups, group),
        };
        Some([
            peephole(input, d_input),
            peephole(forget, d_forget),
            peephole(output, d_output),
        ])
    }

    /// Weights of the gates and of the recurrent half of the bottleneck, over all steps at once.
    fn recurrent_weights(&self, plan: &Plan, team: Team, tape: &Tape, sums: &mut Sums) {
        let (groups, area, size) = (plan.groups, plan.area(), plan.state_octets());
        let mut convolved;
        let over_hidden = if plan.depthwise_hidden {
            convolved = self.memory.take(plan.time * size);
            for (x, out) in tape
                .hiddens
                .chunks_exact(size)
                .zip(convolved.chunks_exact_mut(size))
            {
                team.run(whole(plan.map, x, &self.packed.hidden_kernels, out));
            }
            &convolved[..]
        } else {
            &tape.hiddens[..]
        };
        for group in 0..groups {
            let at = group * size / groups;
            let frames = |octets, frame| Frames {
                octets,
                frame,
                plane: area,
            };
            let outer = |outputs, inputs, sums| Outer {
                outputs,
                inputs,
                depth: plan.group_octets(),
                frames: plan.time,
                positions: area,
                sums,
            };
            team.run(outer(
                frames(&tape.gates[4 * at..], 4 * size),
                frames(&tape.convolved[at..], size),
                part_mut(&mut sums.gates, groups, group),
            ));
            team.run(outer(
                frames(&tape.bottleneck[at..], size),
                frames(&over_hidden[at..], size),
                part_mut(&mut sums.bottleneck_hidden, groups, group),
            ));
        }
    }

    /// The input half of the bottleneck, a few frames at a time.
    fn through_input(&self, plan: &Plan, team: Team, video: &mut Video<'_>, sums: &mut Sums) {
        let (groups, area, size) = (plan.groups, plan.area(), plan.state_octets());
        let (octets, wants_xs) = (plan.input_octets(), !video.gradient.is_empty());
        let together = (POSITIONS / area).clamp(1, plan.time);
        let frame = octets * area;
        let mut xs = self.memory.take(together * frame);
        let mut convolved = self.memory.take(together * frame);
        let mut d_xs = self
            .memory
            .take(if wants_xs { together * frame } else { 0 });
        for first in (0..plan.time).step_by(together) {
            let count = together.min(plan.time - first);
            let from = video.xs[first * plan.frame()..].chunks_exact(plan.frame());
            for (from, to) in from.zip(xs.chunks_exact_mut(frame)).take(count) {
                let groups = 1;
                team.instructions.run(Gather {
                    groups,
                    area,
                    from,
                    to,
                });
            }
            for group in 0..groups {
                let kernels = part(&self.input_kernels, groups, group);
                for (x, out) in xs
                    .chunks_exact(frame)
                    .zip(convolved.chunks_exact_mut(frame))
                    .take(count)
                {
                    team.run(Convolve {
                        bias: &self.packed.input_bias,
                        ..whole(plan.map, x, kernels, out)
                    });
                }
                let at = group * size / groups;
                let bottleneck = &video.tape.bottleneck[first * size + at..];
                team.run(Outer {
                    outputs: Frames {
                        octets: bottleneck,
                        frame: size,
                        plane: area,
                    },
                    inputs: Frames {
                        octets: &convolved,
                        frame,
                        plane: area,
                    },
                    depth: octets,
                    frames: count,
                    positions: area,
                    sums: part_mut(&mut sums.bottleneck_input, groups, group),
                });
                for index in 0..count {
                    let place = index * frame..(index + 1) * frame;
                    let panels = part(&self.transposed.input, groups, group);
                    let out = &mut convolved[place.clone()];
                    let bottleneck = &bottleneck[index * size..][..size / groups];
                    team.run(plain(plan, bottleneck, panels, plan.input, out));
                    team.run(DepthwiseBackward {
                        map: plan.map,
                        x: &xs[place.clone()],
                        out: &convolved[place.clone()],
                        turned: part(&self.input_turned, groups, group),
                        kernels: part_mut(&mut sums.input_kernels, groups, group),
                        bias: &mut sums.input_bias,
                        gradient: d_xs.get_mut(place).unwrap_or_default(),
                        adds: group > 0,
                    });
                }
            }
            if wants_xs {
                let to = video.gradient[first * plan.frame()..].chunks_exact_mut(plan.frame());
                for (from, to) in d_xs.chunks_exact(frame).zip(to).take(count) {
                    team.instructions.run(Scatter {
                        from: Input {
                            octets: from,
                            plane: area,
                            first: 0,
                            depth: octets,
                        },
                        to: planes(to, area),
                    });
                }
            }
        }
    }
}

/// A product of whole planes to `channels`, without bias and activation.
fn plain<'a>(
    plan: &Plan,
    x: &'a [Octet],
    panels: &'a [Block],
    channels: usize,
    out: &'a mut [Octet],
) -> Product<'a> {
    let depth = x.len() / plan.area();
    Product {
        input: Input {
            octets: x,
            plane: plan.area(),
            first: 0,
            depth,
        },
        panels: Panels::all(panels, depth),
        start: Start::Zero,
        activation: Activation::Identity,
        channels,
        out: planes(out, plan.area()),
    }
}

/// A convolution of whole planes.
fn whole<'a>(map: Map, x: &'a [Octet], kernels: &'a [Octet], out: &'a mut [Octet]) -> Convolve<'a> {
    Convolve {
        map,
        x,
        kernels,
        bias: &[],
        rows: 0..map.height,
        out: planes(out, map.area()),
    }
}
