//! For the bench: what the machine can do, and the pointwise kernels alone. No part of what this
//! crate promises.

use std::hint::black_box;

use crate::depthwise::Map;
use crate::gates::{GateState, Gates};
use crate::instructions::Instructions;
use crate::lanes::{Kernel, LANES, Lanes, Octet};
use crate::pack::{Packed, Weights};
use crate::plan::Plan;
use crate::product::{Input, Product};

/// Sums of a full tile of the kernels, six positions by two octets.
const SUMS: usize = 12;

/// Does `count` multiply-accumulates, rounded up to whole turns of the loop, between registers
/// alone: as many sums as a tile of the kernels has, and neither a load nor a store.
pub fn multiply_adds(count: u64) {
    let turns = count.div_ceil((SUMS * LANES) as u64);
    Instructions::best().run(MultiplyAdds { turns });
}

struct MultiplyAdds {
    turns: u64,
}

impl Kernel for MultiplyAdds {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        // Equal sums would be computed once: the compiler may not know that these are.
        let start = black_box([Octet::ZERO; SUMS]);
        let [x, weight] = black_box([1.0, 1e-6]);
        let (x, weight) = (l.splat(x), l.splat(weight));
        let mut sums = [l.splat(0.0); SUMS];
        for i in 0..SUMS {
            sums[i] = l.load(&start[i].0);
        }
        for _ in 0..self.turns {
            for sum in &mut sums {
                *sum = l.mul_add(x, weight, *sum);
            }
        }
        let mut end = [Octet::ZERO; SUMS];
        for i in 0..SUMS {
            end[i] = Octet(l.store(sums[i]));
        }
        black_box(end);
    }
}

/// The two pointwise convolutions of a step of the default cell, batch 1, on one thread: bottleneck
/// and gates, whose activations and new state are part of the kernel. The whole map goes by at
/// once, as it does in a step whose map is small.
#[derive(Debug)]
pub struct Pointwise {
    instructions: Instructions,
    plan: Plan,
    packed: Packed,
    /// What stands for the depthwise convolutions' results, `[octets, area]` each.
    input: Vec<Octet>,
    convolved: Vec<Octet>,
    bottleneck: Vec<Octet>,
    cell: Vec<Octet>,
    hidden: Vec<Octet>,
    output: Vec<f32>,
}

impl Pointwise {
    /// From `input` to `hidden` channels on a map of `side` by `side`.
    pub fn new(input: usize, hidden: usize, side: usize) -> Self {
        let map = Map {
            height: side,
            width: side,
            kernel: 3,
        };
        let plan = Plan::new(1, input, hidden, map);
        let instructions = Instructions::best();
        let owned = Weights {
            depthwise: values(input * plan.taps()),
            depthwise_bias: Some(values(input)),
            bottleneck: values(hidden * (input + hidden)),
            bottleneck_bias: values(hidden),
            bottleneck_depthwise: values(hidden * plan.taps()),
            gates: values(4 * hidden * hidden),
            gates_bias: None,
            peepholes: None,
        };
        let weights = Weights {
            depthwise: &owned.depthwise[..],
            depthwise_bias: owned.depthwise_bias.as_deref(),
            bottleneck: &owned.bottleneck,
            bottleneck_bias: &owned.bottleneck_bias,
            bottleneck_depthwise: &owned.bottleneck_depthwise,
            gates: &owned.gates,
            gates_bias: None,
            peepholes: None,
        };
        let packed = Packed::new(&plan, &weights, 0.0, instructions);
        let state = || octets(plan.state_octets());
        Self {
            instructions,
            packed,
            input: octets(plan.input_octets() * plan.area()),
            convolved: state(),
            bottleneck: state(),
            cell: state(),
            hidden: state(),
            output: vec![0.0; plan.state()],
            plan,
        }
    }

    /// Runs both.
    pub fn run(&mut self) {
        self.bottleneck();
        self.gates();
    }

    /// Runs the convolution to the bottleneck.
    pub fn bottleneck(&mut self) {
        let plan = &self.plan;
        self.instructions.run(Product {
            inputs: [
                planes(plan, &self.input, plan.input_octets()),
                planes(plan, &self.hidden, plan.hidden_octets()),
            ],
            panels: &self.packed.bottleneck,
            bias: Some(&self.packed.bottleneck_bias),
            activation: plan.bottleneck_activation,
            channels: plan.hidden,
            out: &mut self.bottleneck,
            plane: plan.area(),
            first: 0,
            positions: plan.area(),
        });
        black_box(&self.bottleneck);
    }

    /// Runs the convolution to the gates, up to the new state.
    pub fn gates(&mut self) {
        let plan = &self.plan;
        self.instructions.run(Gates {
            plan,
            weights: self.packed.group_gates(plan, 0),
            convolved: planes(plan, &self.convolved, plan.hidden_octets()),
            state: GateState {
                cell: &mut self.cell,
                hidden: &mut self.hidden,
            },
            tape: None,
            output: &mut self.output,
            positions: 0..plan.area(),
        });
        black_box(&self.output);
    }
}

/// A whole map of `depth` planes.
fn planes<'a>(plan: &Plan, octets: &'a [Octet], depth: usize) -> Input<'a> {
    Input {
        octets,
        plane: plan.area(),
        first: 0,
        depth,
    }
}

/// Values between -1 and 1, spread evenly.
fn values(count: usize) -> Vec<f32> {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    (0..count)
        .map(|i| ((i as f64 * GOLDEN).fract() * 2.0 - 1.0) as f32)
        .collect()
}

fn octets(count: usize) -> Vec<Octet> {
    let values = values(count * LANES);
    let (octets, _) = values.as_chunks();
    octets.iter().map(|octet| Octet(*octet)).collect()
}
