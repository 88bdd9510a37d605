//! Pointwise convolutions and the packing of their weights.

use crate::Activation;

use super::{Random, Sum, at, bits, teams, to_octets};
use crate::instructions::Instructions;
use crate::lanes::{LANES, Octet};
use crate::octets::octets;
use crate::panels::{Pack, pack_transposed};
use crate::planes::{PlanesMut, planes, stretch};
use crate::product::{Block, EMPTY, Input, Panels, Product, Start};
use crate::share::Team;

/// One product, with dense operands.
struct Case {
    /// Channels of the two inputs.
    channels: [usize; 2],
    outputs: usize,
    positions: usize,
    /// Channels first, with positions before and after those that are meant.
    inputs: [Vec<f32>; 2],
    /// `[outputs, channels]`
    weights: Vec<f32>,
    bias: Option<Vec<f32>>,
}

/// Where the positions begin in the planes of the inputs and the output, and how many follow.
const FIRST: [usize; 3] = [0, 2, 3];
const AFTER: [usize; 3] = [1, 0, 2];

impl Case {
    fn new(random: &mut Random, channels: [usize; 2], outputs: usize, positions: usize) -> Self {
        let plane = |input: usize| FIRST[input] + positions + AFTER[input];
        let bias = random.bits().is_multiple_of(2);
        Self {
            channels,
            outputs,
            positions,
            inputs: [0, 1].map(|input| random.values(channels[input] * plane(input))),
            weights: random.values(outputs * (channels[0] + channels[1])),
            bias: bias.then(|| random.values(outputs)),
        }
    }

    fn plane(&self, operand: usize) -> usize {
        FIRST[operand] + self.positions + AFTER[operand]
    }

    /// The positions of the output that are meant.
    fn meant<'a>(&self, out: &'a mut PlanesMut<'_, Octet>) -> PlanesMut<'a, Octet> {
        stretch(out, FIRST[2]..FIRST[2] + self.positions)
    }

    fn depth(&self) -> [usize; 2] {
        self.channels.map(octets)
    }

    fn panels(&self, instructions: Instructions) -> Vec<Block> {
        let [one, other] = self.depth();
        let stride = self.channels[0] + self.channels[1];
        let pairs = octets(self.outputs).div_ceil(2);
        let mut panels = vec![EMPTY; pairs * (one + other)];
        for (pair, panel) in panels.chunks_exact_mut(one + other).enumerate() {
            let (left, right) = panel.split_at_mut(one);
            let columns = [0..self.channels[0], self.channels[0]..stride];
            for (columns, blocks) in columns.into_iter().zip([left, right]) {
                let rows = std::array::from_fn(|i| {
                    let row = pair * 2 * LANES + i;
                    match row < self.outputs {
                        true => &self.weights[row * stride..][columns.clone()],
                        false => &[],
                    }
                });
                instructions.run(Pack { rows, blocks });
            }
        }
        panels
    }

    fn packed_bias(&self) -> Option<Vec<[Octet; 2]>> {
        let bias = self.bias.as_ref()?;
        let mut packed = vec![[Octet::ZERO; 2]; octets(self.outputs).div_ceil(2)];
        for (channel, value) in bias.iter().enumerate() {
            let (octet, lane) = (channel / LANES, channel % LANES);
            packed[octet / 2][octet % 2].0[lane] = *value;
        }
        Some(packed)
    }

    /// The planes of the output, which held `before`.
    fn run(&self, team: Team, activation: Activation, before: &[Octet]) -> Vec<Octet> {
        let maps = [0, 1].map(|input| to_octets(&self.inputs[input], self.plane(input)));
        let inputs = [0, 1].map(|input| match self.channels[input] {
            0 => Input {
                octets: &[],
                plane: 0,
                first: 0,
                depth: 0,
            },
            _ => Input {
                octets: &maps[input],
                plane: self.plane(input),
                first: FIRST[input],
                depth: self.depth()[input],
            },
        });
        let bias = self.packed_bias();
        let start = bias.as_deref().map_or(Start::Zero, Start::Bias);
        let panels = self.panels(team.instructions);
        let [one, other] = self.depth();
        let mut out = before.to_vec();
        let mut run = |input: Input<'_>, first, start, activation| {
            team.run(Product {
                input,
                panels: Panels {
                    blocks: &panels,
                    depth: one + other,
                    first,
                },
                start,
                activation,
                channels: self.outputs,
                out: self.meant(&mut planes(&mut out, self.plane(2))),
            });
            out.clone()
        };
        if other == 0 {
            return run(inputs[0], 0, start, activation);
        }
        // The other input goes on from what the output holds, or from a copy of it.
        let sums = run(inputs[0], 0, start, Activation::Identity);
        let from_sums = Start::Sums(Input {
            octets: &sums,
            plane: self.plane(2),
            first: FIRST[2],
            depth: octets(self.outputs),
        });
        let out = run(inputs[1], one, Start::Output, activation);
        let mut again = sums.clone();
        let mut again_planes = planes(&mut again, self.plane(2));
        let all = Product {
            input: inputs[1],
            panels: Panels {
                blocks: &panels,
                depth: one + other,
                first: one,
            },
            start: from_sums,
            activation,
            channels: self.outputs,
            out: self.meant(&mut again_planes),
        };
        team.run(all);
        assert_eq!(bits(&out), bits(&again), "{team:?} starts differently");
        out
    }

    fn expected(&self, output: usize, position: usize) -> Sum {
        let mut sum = Sum::default();
        if let Some(bias) = &self.bias {
            sum.add(bias[output], 1.0);
        }
        let weights = &self.weights[output * (self.channels[0] + self.channels[1])..];
        for input in 0..2 {
            for channel in 0..self.channels[input] {
                let x = self.inputs[input][channel * self.plane(input) + FIRST[input] + position];
                sum.add(x, weights[input * self.channels[0] + channel]);
            }
        }
        sum
    }

    fn check(&self, random: &mut Random) {
        let plane = self.plane(2);
        let before = random.octets(octets(self.outputs) * plane);
        let mut by_one = None;
        for team in teams() {
            let out = self.run(team, Activation::Identity, &before);
            if team.threads == 1 {
                by_one = Some(bits(&out));
            }
            assert_eq!(Some(bits(&out)), by_one, "{team:?} shares out differently");
            for channel in 0..octets(self.outputs) * LANES {
                for position in 0..plane {
                    let found = at(&out, plane, channel, position);
                    let meant = position.checked_sub(FIRST[2]);
                    match meant.filter(|meant| *meant < self.positions) {
                        None => assert_eq!(found, at(&before, plane, channel, position)),
                        Some(_) if channel >= self.outputs => assert_eq!(found, 0.0),
                        Some(meant) => self.expected(channel, meant).check(found),
                    }
                }
            }
        }
    }
}

#[test]
fn tiles_cover_any_number_of_positions() {
    let mut random = Random(3);
    for positions in (1..=14).chain([17, 23, 100]) {
        Case::new(&mut random, [9, 7], 17, positions).check(&mut random);
    }
}

#[test]
fn channels_need_not_fill_octets() {
    let mut random = Random(4);
    for inputs in [1, 7, 8, 9, 15, 17] {
        for others in [0, 1, 8, 13] {
            for outputs in [1, 7, 8, 9, 16, 17, 33] {
                Case::new(&mut random, [inputs, others], outputs, 5).check(&mut random);
            }
        }
    }
}

/// More blocks than one pass takes, split within the first input and within the second.
#[test]
fn deep_panels_take_several_passes() {
    let mut random = Random(5);
    for channels in [[256, 0], [257, 0], [300, 9], [9, 300], [530, 30]] {
        for positions in [1, 8, 13] {
            Case::new(&mut random, channels, 19, positions).check(&mut random);
        }
    }
}

#[test]
fn the_activation_comes_last() {
    let mut random = Random(6);
    for channels in [[5, 3], [280, 20]] {
        let case = Case::new(&mut random, channels, 17, 9);
        let before = random.octets(octets(17) * case.plane(2));
        for team in teams() {
            let sums = case.run(team, Activation::Identity, &before);
            let out = case.run(team, Activation::Relu, &before);
            for channel in 0..17 {
                for position in FIRST[2]..FIRST[2] + 9 {
                    let sum = at(&sums, case.plane(2), channel, position);
                    let found = at(&out, case.plane(2), channel, position);
                    assert_eq!(found, sum.max(0.0));
                }
            }
        }
    }
}

/// What fills up an octet is multiplied by 0, which makes NaN of infinity: it would spread from
/// there to every channel of what comes next.
#[test]
fn lanes_without_a_channel_stay_zero_beside_infinity() {
    let mut random = Random(7);
    for outputs in [1, 7, 9, 15, 17] {
        let mut case = Case::new(&mut random, [3, 5], outputs, 7);
        case.inputs[0][4] = f32::INFINITY;
        let before = random.octets(octets(outputs) * case.plane(2));
        for team in teams() {
            for activation in [Activation::Identity, Activation::Relu6] {
                let out = case.run(team, activation, &before);
                for channel in outputs..octets(outputs) * LANES {
                    for position in FIRST[2]..FIRST[2] + 7 {
                        assert_eq!(at(&out, case.plane(2), channel, position), 0.0);
                    }
                }
            }
        }
    }
}

#[test]
fn packing_a_transposed_matrix_is_packing_its_transpose() {
    let mut random = Random(8);
    for inputs in [1, 7, 8, 9, 17] {
        for outputs in [1, 8, 9, 16, 17, 33] {
            let case = Case::new(&mut random, [inputs, 0], outputs, 1);
            // `[inputs, outputs]`, with columns beside it that are not meant.
            let stride = outputs + 3;
            let mut transposed = random.values(inputs * stride);
            for output in 0..outputs {
                for input in 0..inputs {
                    transposed[input * stride + output] = case.weights[output * inputs + input];
                }
            }
            let depth = octets(inputs);
            let mut panels = vec![EMPTY; octets(outputs).div_ceil(2) * depth];
            for (pair, blocks) in panels.chunks_exact_mut(depth).enumerate() {
                let from = pair * 2 * LANES;
                let columns = (outputs - from).min(2 * LANES);
                pack_transposed(&transposed[from..], inputs, stride, columns, blocks);
            }
            for instructions in Instructions::available() {
                assert_eq!(panels, case.panels(instructions));
            }
        }
    }
}
