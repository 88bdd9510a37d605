//! Gates and new state against a plain loop in `f64`.

use std::ops::Range;

use crate::depthwise::Map;
use crate::gates::{GateState, GateTape, Gates, Scale, Scaling};
use crate::instructions::Instructions;
use crate::lanes::{LANES, Octet};
use crate::pack::{Packed, Weights, quarters};
use crate::plan::{Activation, Plan};
use crate::planes::{planes, stretch};
use crate::product::Input;

use super::{Random, at, bits, to_octets};

const FORGET_BIAS: f64 = 0.75;

/// What rounding may do to a value between -6 and 6.
const TOLERANCE: f64 = 5e-6;

fn plan(hidden: usize, [height, width]: [usize; 2], activation: Activation) -> Plan {
    let map = Map {
        height,
        width,
        kernel: 1,
    };
    Plan {
        activation,
        ..Plan::new(1, 1, hidden, map)
    }
}

/// Every part of a variant, each with some of the others.
fn plans() -> Vec<Plan> {
    let mut plans = Vec::new();
    for (hidden, spatial) in [
        (2, [1, 1]),
        (6, [1, 7]),
        (8, [3, 3]),
        (10, [13, 1]),
        (18, [2, 4]),
    ] {
        let relu = plan(hidden, spatial, Activation::Relu);
        plans.extend([
            Plan {
                pinned: true,
                clip: Some(0.5),
                ..plan(hidden, spatial, Activation::Tanh)
            },
            Plan {
                carry_activated: true,
                ..plan(hidden, spatial, Activation::Relu6)
            },
            Plan {
                scale: true,
                pinned: true,
                ..relu.clone()
            },
            Plan {
                scale: true,
                carry_activated: true,
                ..plan(hidden, spatial, Activation::Relu6)
            },
            relu,
        ]);
    }
    plans
}

/// Values of one call, channels first.
struct Call {
    plan: Plan,
    gates: Vec<f32>,
    bias: Vec<f32>,
    peepholes: [Vec<f32>; 3],
    convolved: Vec<f32>,
    cell: Vec<f32>,
}

impl Call {
    fn draw(plan: Plan, random: &mut Random) -> Self {
        let (hidden, area) = (plan.hidden, plan.area());
        let large = if plan.scale { 20.0 } else { 1.0 };
        Self {
            gates: random.values(4 * hidden * hidden),
            bias: random.values(4 * hidden),
            peepholes: [(); 3].map(|()| random.values(hidden * plan.pin())),
            convolved: random.values(hidden * area),
            cell: (0..hidden * area).map(|_| large * random.value()).collect(),
            plan,
        }
    }

    fn packed(&self, instructions: Instructions) -> Packed {
        let hidden = self.plan.hidden;
        // For the kernels that are not looked at.
        let others = vec![0.0; hidden * (1 + hidden)];
        let weights = Weights {
            depthwise: &others[..1],
            depthwise_bias: None,
            bottleneck: &others,
            bottleneck_bias: &others[..hidden],
            bottleneck_depthwise: &others[..hidden],
            gates: &self.gates,
            gates_bias: Some(&self.bias[..]),
            peepholes: Some(self.peepholes.each_ref().map(Vec::as_slice)),
        };
        Packed::new(&self.plan, &weights, FORGET_BIAS, instructions)
    }

    /// A gate before its activation, without its peephole.
    fn sum(&self, gate: usize, channel: usize, position: usize) -> f64 {
        let (hidden, area) = (self.plan.hidden, self.plan.area());
        let row = gate * hidden + channel;
        let mut sum = f64::from(self.bias[row]);
        if gate == 1 {
            sum += FORGET_BIAS;
        }
        for k in 0..hidden {
            let weight = f64::from(self.gates[row * hidden + k]);
            sum += weight * f64::from(self.convolved[k * area + position]);
        }
        sum
    }

    fn peephole(&self, gate: usize, channel: usize, position: usize) -> f64 {
        let at = match self.plan.pinned {
            true => channel * self.plan.area() + position,
            false => channel,
        };
        f64::from(self.peepholes[gate][at])
    }

    fn activate(&self, x: f64) -> f64 {
        match self.plan.activation {
            Activation::Identity => x,
            Activation::Relu => x.max(0.0),
            Activation::Relu6 => x.clamp(0.0, 6.0),
            Activation::Tanh => x.tanh(),
        }
    }

    /// The new cell state before it is scaled and activated.
    fn raw(&self, channel: usize, position: usize) -> f64 {
        let old = f64::from(self.cell[channel * self.plan.area() + position]);
        let peep = |gate| self.peephole(gate, channel, position) * old;
        let input = sigmoid(self.sum(0, channel, position) + peep(0));
        let forget = sigmoid(self.sum(1, channel, position) + peep(1));
        let cell = forget * old + input * self.activate(self.sum(2, channel, position));
        match self.plan.clip {
            Some(clip) => cell.clamp(-f64::from(clip), f64::from(clip)),
            None => cell,
        }
    }

    /// What the cell state is divided by.
    fn divisor(&self) -> f64 {
        if !self.plan.scale {
            return 1.0;
        }
        let places = (0..self.plan.hidden)
            .flat_map(|channel| (0..self.plan.area()).map(move |position| (channel, position)));
        let raw = places.map(|(channel, position)| self.raw(channel, position));
        (raw.fold(f64::NEG_INFINITY, f64::max) / 6.0).max(1.0)
    }

    /// The new cell and hidden state.
    fn expected(&self, divisor: f64, channel: usize, position: usize) -> [f64; 2] {
        let cell = self.raw(channel, position) / divisor;
        let peep = self.peephole(2, channel, position) * cell;
        let activated = self.activate(cell);
        let hidden = sigmoid(self.sum(3, channel, position) + peep) * activated;
        let carried = if self.plan.carry_activated {
            activated
        } else {
            cell
        };
        [carried, hidden]
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// What a call leaves.
struct Found {
    cell: Vec<Octet>,
    hidden: Vec<Octet>,
    output: Vec<f32>,
    gates: Vec<Octet>,
}

/// Runs some positions, or with a scaled cell state all of them.
fn run(call: &Call, instructions: Instructions, positions: Range<usize>) -> Found {
    let (plan, area) = (&call.plan, call.plan.area());
    let packed = call.packed(instructions);
    let convolved = to_octets(&call.convolved, area);
    let size = plan.state_octets();
    let mut found = Found {
        cell: to_octets(&call.cell, area),
        hidden: vec![Octet::ZERO; size],
        output: vec![f32::NAN; plan.state()],
        gates: vec![Octet::ZERO; 4 * size],
    };
    let mut copies = [(); 3].map(|()| vec![Octet::ZERO; size]);
    let [raw, cell, hidden] = &mut copies;
    let raw = if plan.carry_activated {
        &mut raw[..]
    } else {
        &mut []
    };
    let gates = quarters(&mut found.gates);
    let mut gates = gates.map(|gate| planes(gate, area));
    let [mut raw, mut cell, mut hidden] = [raw, cell, hidden].map(|all| planes(all, area));
    let [mut old_cell, mut old_hidden] =
        [&mut found.cell, &mut found.hidden].map(|all| planes(all, area));
    let first = positions.start;
    instructions.run(Gates {
        plan,
        weights: packed.group_gates(plan, 0),
        convolved: Input {
            octets: &convolved,
            plane: area,
            first,
            depth: plan.hidden_octets(),
        },
        state: GateState {
            cell: stretch(&mut old_cell, positions.clone()),
            hidden: stretch(&mut old_hidden, positions.clone()),
        },
        tape: Some(GateTape {
            gates: gates
                .each_mut()
                .map(|gate| stretch(gate, positions.clone())),
            raw: stretch(&mut raw, positions.clone()),
            cell: stretch(&mut cell, positions.clone()),
            hidden: stretch(&mut hidden, positions.clone()),
        }),
        output: stretch(&mut planes(&mut found.output, area), positions),
        first,
    });
    if plan.scale {
        instructions.run(Scale {
            plan,
            scaling: Scaling::new(&found.cell),
            weights: packed.group_gates(plan, 0),
            state: GateState {
                cell: planes(&mut found.cell, area),
                hidden: planes(&mut found.hidden, area),
            },
            tape: None,
            output: planes(&mut found.output, area),
        });
    }
    found
}

#[test]
fn the_new_state_is_that_of_a_plain_loop() {
    let mut random = Random(7);
    for plan in plans() {
        let call = Call::draw(plan, &mut random);
        let (area, divisor) = (call.plan.area(), call.divisor());
        assert!(!call.plan.scale || divisor > 1.0, "nothing to scale");
        for instructions in Instructions::available() {
            let found = run(&call, instructions, 0..area);
            for channel in 0..call.plan.hidden {
                for position in 0..area {
                    let [cell, hidden] = call.expected(divisor, channel, position);
                    let output = found.output[channel * area + position];
                    for (name, found, expected) in [
                        ("cell", at(&found.cell, area, channel, position), cell),
                        ("hidden", at(&found.hidden, area, channel, position), hidden),
                        ("output", output, hidden),
                    ] {
                        let error = (f64::from(found) - expected).abs();
                        assert!(
                            error < TOLERANCE * expected.abs().max(1.0),
                            "{name} of {channel}, {position}: {found}, expected {expected}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn the_tape_has_the_activated_gates() {
    let mut random = Random(8);
    for plan in plans().into_iter().filter(|plan| !plan.scale) {
        let call = Call::draw(plan, &mut random);
        let area = call.plan.area();
        for instructions in Instructions::available() {
            let found = run(&call, instructions, 0..area);
            let gates = found.gates.chunks_exact(call.plan.state_octets());
            for (gate, planes) in gates.enumerate().filter(|(gate, _)| *gate < 3) {
                for channel in 0..call.plan.hidden {
                    for position in 0..area {
                        let old = f64::from(call.cell[channel * area + position]);
                        let sum = call.sum(gate, channel, position);
                        let expected = match gate {
                            2 => call.activate(sum),
                            _ => sigmoid(sum + call.peephole(gate, channel, position) * old),
                        };
                        let found = f64::from(at(planes, area, channel, position));
                        assert!((found - expected).abs() < TOLERANCE, "gate {gate}");
                    }
                }
            }
        }
    }
}

#[test]
fn positions_do_not_touch_each_other() {
    let mut random = Random(9);
    for plan in plans().into_iter().filter(|plan| !plan.scale) {
        let call = Call::draw(plan, &mut random);
        let area = call.plan.area();
        let start = to_octets(&call.cell, area);
        for instructions in Instructions::available() {
            let whole = run(&call, instructions, 0..area);
            let some = area / 3..area - area / 4;
            let found = run(&call, instructions, some.clone());
            for octet in 0..start.len() / area {
                for position in 0..area {
                    let at = octet * area + position;
                    let expected = match some.contains(&position) {
                        true => whole.cell[at],
                        false => start[at],
                    };
                    assert_eq!(bits(&[found.cell[at]]), bits(&[expected]));
                }
            }
        }
    }
}

#[test]
fn channels_that_fill_up_an_octet_stay_zero() {
    let mut random = Random(10);
    // Scaled by a maximum that is NaN, all channels are.
    for plan in plans().into_iter().filter(|plan| !plan.scale) {
        let mut call = Call::draw(plan, &mut random);
        call.convolved[0] = f32::INFINITY;
        let (hidden, area) = (call.plan.hidden, call.plan.area());
        for instructions in Instructions::available() {
            let found = run(&call, instructions, 0..area);
            for channel in hidden..call.plan.hidden_octets() * LANES {
                for position in 0..area {
                    assert_eq!(at(&found.cell, area, channel, position), 0.0);
                    assert_eq!(at(&found.hidden, area, channel, position), 0.0);
                }
            }
        }
    }
}
