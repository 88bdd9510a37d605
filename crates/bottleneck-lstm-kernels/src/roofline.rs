//! For the bench: what the machine can do, and the pointwise kernels alone. No part of what this
//! crate promises.

use std::hint::black_box;

use crate::depthwise::Map;
use crate::gates::{GateState, Gates};
use crate::instructions::Instructions;
use crate::lanes::{Kernel, LANES, Lanes, Octet, Vectors};
use crate::pack::{Packed, Weights};
use crate::plan::Plan;
use crate::planes::planes as planes_mut;
use crate::product::{Input, Panels, Product, Start};

/// Does `count` multiply-accumulates, rounded up to whole turns of the loop, between registers
/// alone: as many sums as a tile of the kernels has, and neither a load nor a store.
pub fn multiply_adds(count: u64) {
    Instructions::best().run(MultiplyAdds { count });
}

struct MultiplyAdds {
    count: u64,
}

impl Kernel for MultiplyAdds {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        if L::WIDE {
            turns::<L, 24>(l, self.count);
        } else {
            turns::<L, 6>(l, self.count);
        }
    }
}

/// With `N` sums of two octets.
#[inline(always)]
fn turns<L: Lanes, const N: usize>(l: L, count: u64) {
    let two = l.two();
    // Equal sums would be computed once: the compiler may not know that these are.
    let start = black_box([[Octet::ZERO; 2]; N]);
    let [x, weight] = black_box([1.0, 1e-6]);
    let (x, weight) = (two.splat(x), two.splat(weight));
    let mut sums = [two.splat(0.0); N];
    for n in 0..N {
        sums[n] = two.load(&start[n]);
    }
    for _ in 0..count.div_ceil((N * 2 * LANES) as u64) {
        for sum in &mut sums {
            *sum = two.mul_add(x, weight, *sum);
        }
    }
    let mut end = [[Octet::ZERO; 2]; N];
    for n in 0..N {
        end[n] = two.store(sums[n]);
    }
    black_box(end);
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
        let blocks = &self.packed.bottleneck;
        let mut product = |input: Input<'_>, first, start| {
            let depth = plan.input_octets() + plan.hidden_octets();
            self.instructions.run(Product {
                input,
                panels: Panels {
                    blocks,
                    depth,
                    first,
                },
                start,
                activation: plan.bottleneck_activation,
                channels: plan.hidden,
                out: planes_mut(&mut self.bottleneck, plan.area()),
            });
        };
        let octets = plan.input_octets();
        let bias = Start::Bias(&self.packed.bottleneck_bias);
        product(planes(plan, &self.input, octets), 0, bias);
        let hidden = planes(plan, &self.hidden, plan.hidden_octets());
        product(hidden, octets, Start::Output);
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
                cell: planes_mut(&mut self.cell, plan.area()),
                hidden: planes_mut(&mut self.hidden, plan.area()),
            },
            tape: None,
            output: planes_mut(&mut self.output, plan.area()),
            first: 0,
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
