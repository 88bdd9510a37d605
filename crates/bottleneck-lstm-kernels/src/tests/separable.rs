//! Separable building blocks: each against a plain loop in `f64`, and chains of them against their parts.

use std::sync::Arc;

use super::{Random, Sum, bits, teams, to_octets};
use crate::lanes::{LANES, Octet};
use crate::memory::Memory;
use crate::octets::octets;
use crate::separable::{
    Chain, Depthwise, Head, Pointwise, Scratch, Source, Spatial, Stem, Window, add, channels_last,
    gather, scatter,
};
use crate::share::Team;
use crate::{Activation, Instructions};

/// One less and one more than a vector, a tile or a stretch holds, primes, and 1.
const SIZES: [[usize; 2]; 12] = [
    [1, 1],
    [1, 2],
    [2, 1],
    [2, 3],
    [3, 2],
    [4, 7],
    [5, 8],
    [3, 9],
    [6, 13],
    [7, 16],
    [2, 17],
    [4, 37],
];

/// A dense case of a convolution of 3 by 3.
struct Case {
    window: Window,
    channels: [usize; 2],
    depthwise: bool,
    x: Vec<f32>,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Case {
    fn new(random: &mut Random, window: Window, channels: [usize; 2], depthwise: bool) -> Self {
        let [input, output] = channels;
        let area: usize = window.map.iter().product();
        let depth = if depthwise { 1 } else { input };
        Self {
            window,
            channels,
            depthwise,
            x: random.values(input * area),
            weights: random.values(output * depth * 9),
            bias: random.values(output),
        }
    }

    /// By TensorFlow's formula for the padding.
    fn expected(&self, output: usize, at: [usize; 2]) -> Sum {
        let Window { map, stride } = self.window;
        let before = map.map(|size| {
            let total = ((size.div_ceil(stride) - 1) * stride + 3).saturating_sub(size);
            total / 2
        });
        let inputs = match self.depthwise {
            true => output..output + 1,
            false => 0..self.channels[0],
        };
        let mut sum = Sum::default();
        sum.add(self.bias[output], 1.0);
        for (index, input) in inputs.clone().enumerate() {
            for tap in 0..9 {
                let place: [Option<usize>; 2] = std::array::from_fn(|axis| {
                    let tap = [tap / 3, tap % 3][axis];
                    let place = (at[axis] * stride + tap).checked_sub(before[axis])?;
                    (place < map[axis]).then_some(place)
                });
                if let [Some(y), Some(x)] = place {
                    let x = self.x[(input * map[0] + y) * map[1] + x];
                    sum.add(x, self.weights[(output * inputs.len() + index) * 9 + tap]);
                }
            }
        }
        sum
    }

    fn check(&self, chain: &Chain, team: Team, source: Source<'_>) {
        let out = run(chain, team, source, None);
        let [height, width] = chain.output();
        assert_eq!([height, width], self.window.output());
        for channel in 0..octets(self.channels[1]) * LANES {
            for y in 0..height {
                for x in 0..width {
                    let at = (channel / LANES * height + y) * width + x;
                    let found = out[at].0[channel % LANES];
                    match channel < self.channels[1] {
                        true => self.expected(channel, [y, x]).check(found),
                        false => assert_eq!(found, 0.0),
                    }
                }
            }
        }
    }

    fn input_octets(&self) -> Vec<Octet> {
        to_octets(&self.x, self.window.map.iter().product())
    }
}

/// The result, in memory and scratch that hold something else before.
fn run(chain: &Chain, team: Team, source: Source<'_>, residual: Option<&[Octet]>) -> Vec<Octet> {
    let memory = Arc::new(Memory::default());
    let mut scratch = Scratch::new([chain], team, &memory);
    let area: usize = chain.output().iter().product();
    let mut out = Random(1).octets(chain.octets() * area);
    chain.run(team, source, residual, &mut out, &mut scratch);
    out
}

fn one_thread() -> impl Iterator<Item = Team> {
    teams().filter(|team| team.threads == 1)
}

#[test]
fn depthwise_convolutions_pad_as_tensorflow() {
    let mut random = Random(40);
    for map in SIZES {
        for (channels, stride) in [(1, 1), (7, 2), (8, 1), (9, 2), (17, 1), (17, 2)] {
            let window = Window { map, stride };
            let case = Case::new(&mut random, window, [channels; 2], true);
            let x = case.input_octets();
            for team in one_thread() {
                let none = Activation::Identity;
                let layer = Depthwise::new(window, &case.weights, &case.bias, none);
                let spatial = Some(Spatial::Depthwise(layer));
                let chain = Chain::new(map, None, spatial, None, team.instructions);
                case.check(&chain, team, Source::Octets(&x));
            }
        }
    }
}

#[test]
fn dense_convolutions_of_octets_pad_as_tensorflow() {
    let mut random = Random(41);
    for map in SIZES {
        for (channels, stride) in [([1, 17], 1), ([9, 7], 2), ([8, 33], 2)] {
            let window = Window { map, stride };
            let case = Case::new(&mut random, window, channels, false);
            let x = case.input_octets();
            for team in one_thread() {
                let none = Activation::Identity;
                let inputs = channels[0];
                let instructions = team.instructions;
                let dense = Pointwise::dense(inputs, &case.weights, &case.bias, none, instructions);
                let columns = Some(Spatial::Columns(window, octets(inputs)));
                let chain = Chain::new(map, None, columns, Some(dense), instructions);
                case.check(&chain, team, Source::Octets(&x));
            }
        }
    }
}

#[test]
fn dense_convolutions_of_a_picture_pad_as_tensorflow() {
    let mut random = Random(42);
    for map in SIZES {
        for (channels, stride) in [([1, 17], 1), ([3, 7], 2), ([3, 32], 2), ([4, 49], 1)] {
            let window = Window { map, stride };
            let case = Case::new(&mut random, window, channels, false);
            for team in one_thread() {
                let none = Activation::Identity;
                let stem = Stem::new(window, channels[0], &case.weights, &case.bias, none);
                let head = Some(Head::Stem(stem));
                let chain = Chain::new(map, head, None, None, team.instructions);
                case.check(&chain, team, Source::Planes(&case.x));
            }
        }
    }
}

#[test]
fn pointwise_convolutions_add_a_map() {
    let mut random = Random(43);
    for map in SIZES {
        let area: usize = map.iter().product();
        for [inputs, outputs] in [[1, 1], [7, 9], [8, 16], [17, 33], [290, 24]] {
            let (x, weights) = (
                random.values(inputs * area),
                random.values(inputs * outputs),
            );
            let (bias, other) = (random.values(outputs), random.values(outputs * area));
            let x_octets = to_octets(&x, area);
            let residual = to_octets(&other, area);
            for team in one_thread() {
                let (none, instructions) = (Activation::Identity, team.instructions);
                let layer = Pointwise::new(inputs, &weights, &bias, none, instructions);
                let chain = Chain::new(map, None, None, Some(layer), instructions);
                let source = Source::Octets(&x_octets);
                let out = run(&chain, team, source, Some(&residual));
                for channel in 0..outputs {
                    for at in 0..area {
                        let mut sum = Sum::default();
                        sum.add(bias[channel], 1.0);
                        sum.add(other[channel * area + at], 1.0);
                        for input in 0..inputs {
                            sum.add(x[input * area + at], weights[channel * inputs + input]);
                        }
                        sum.check(out[channel / LANES * area + at].0[channel % LANES]);
                    }
                }
            }
        }
    }
}

/// The layers of a chain, and the same ones alone.
struct Layers {
    map: [usize; 2],
    head: Option<Head>,
    spatial: Spatial,
    project: Pointwise,
}

impl Layers {
    fn new(random: &mut Random, map: [usize; 2], kind: usize, team: Team) -> Self {
        let (relu6, instructions) = (Activation::Relu6, team.instructions);
        let (input, wide, output) = (9, 21, 17);
        let stride = 1 + kind % 2;
        let mut window = Window { map, stride };
        let mut values = |count| random.values(count);
        let head = match kind / 2 {
            0 => None,
            1 => {
                let (weights, bias) = (values(wide * input), values(wide));
                let layer = Pointwise::new(input, &weights, &bias, relu6, instructions);
                Some(Head::Pointwise(layer))
            }
            _ => {
                let (weights, bias) = (values(wide * 27), values(wide));
                let stem = Stem::new(Window { map, stride: 2 }, 3, &weights, &bias, relu6);
                window.map = map.map(|size| size.div_ceil(2));
                Some(Head::Stem(stem))
            }
        };
        let spatial_channels = if head.is_some() { wide } else { input };
        let (spatial, project) = if kind.is_multiple_of(3) {
            let weights = values(output * spatial_channels * 9);
            let bias = values(output);
            let columns = Spatial::Columns(window, octets(spatial_channels));
            let dense = Pointwise::dense(spatial_channels, &weights, &bias, relu6, instructions);
            (columns, dense)
        } else {
            let (weights, bias) = (values(spatial_channels * 9), values(spatial_channels));
            let layer = Depthwise::new(window, &weights, &bias, relu6);
            let (weights, bias) = (values(output * spatial_channels), values(output));
            let none = Activation::Identity;
            let project = Pointwise::new(spatial_channels, &weights, &bias, none, instructions);
            (Spatial::Depthwise(layer), project)
        };
        Self {
            map,
            head,
            spatial,
            project,
        }
    }

    /// Each layer by itself, on whole maps.
    fn apart(&self, team: Team, source: Source<'_>, residual: Option<&[Octet]>) -> Vec<Octet> {
        let chain = |map, head, spatial, project| {
            Chain::new(map, head, spatial, project, team.instructions)
        };
        let mut map = self.map;
        let head = self.head.clone().map(|head| match head {
            Head::Stem(stem) => chain(map, Some(Head::Stem(stem)), None, None),
            Head::Pointwise(layer) => chain(map, None, None, Some(layer)),
        });
        let mut wide = None;
        if let Some(head) = head {
            wide = Some(run(&head, team, source, None));
            map = head.output();
        }
        let source = wide.as_deref().map_or(source, Source::Octets);
        let spatial = chain(map, None, Some(self.spatial.clone()), None);
        let yielded = run(&spatial, team, source, None);
        let project = chain(spatial.output(), None, None, Some(self.project.clone()));
        run(&project, team, Source::Octets(&yielded), residual)
    }
}

/// Bands and threads split rows, and no bit depends on where.
#[test]
fn a_chain_computes_what_its_layers_do() {
    for map in [[1, 1], [5, 4], [9, 13], [12, 7], [23, 3]] {
        for kind in 0..6 {
            let mut random = Random(44);
            let area: usize = map.iter().product();
            let picture = random.values(3 * area);
            let octets_in = to_octets(&random.values(9 * area), area);
            let residual = random.octets(octets(17) * area);
            for team in teams() {
                let layers = Layers::new(&mut Random(45), map, kind, team);
                let source = match layers.head {
                    Some(Head::Stem(_)) => Source::Planes(&picture),
                    _ => Source::Octets(&octets_in),
                };
                let Layers {
                    map,
                    head,
                    spatial,
                    project,
                } = &layers;
                let instructions = team.instructions;
                let (spatial, project) = (Some(spatial.clone()), Some(project.clone()));
                let chain = Chain::new(*map, head.clone(), spatial, project, instructions);
                let out: usize = chain.output().iter().product();
                for residual in [None, Some(&residual[..octets(17) * out])] {
                    let one = Team { threads: 1, ..team };
                    let expected = bits(&layers.apart(one, source, residual));
                    for rows in 1..=chain.output()[0] {
                        let chain = chain.clone().with_band(rows);
                        let found = bits(&run(&chain, team, source, residual));
                        assert_eq!(found, expected, "{map:?} {kind} {team:?} {rows}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_activations_bound_what_they_follow() {
    let mut random = Random(46);
    let map = [5, 9];
    let window = Window { map, stride: 1 };
    let mut x = random.octets(2 * 45);
    for octet in &mut x {
        octet.0 = octet.0.map(|value| 20.0 * value);
    }
    let (weights, bias) = (random.values(16 * 9), random.values(16));
    for instructions in Instructions::available() {
        let team = Team {
            instructions,
            threads: 1,
        };
        let with = |activation| {
            let layer = Depthwise::new(window, &weights, &bias, activation);
            let spatial = Some(Spatial::Depthwise(layer));
            let chain = Chain::new(map, None, spatial, None, instructions);
            run(&chain, team, Source::Octets(&x), None)
        };
        let plain = with(Activation::Identity);
        let (relu, relu6) = (with(Activation::Relu), with(Activation::Relu6));
        let lanes = plain.iter().zip(&relu).zip(&relu6);
        for ((plain, relu), relu6) in lanes {
            for lane in 0..LANES {
                assert_eq!(relu.0[lane], plain.0[lane].max(0.0));
                assert_eq!(relu6.0[lane], plain.0[lane].clamp(0.0, 6.0));
            }
        }
        assert!(plain.iter().any(|octet| octet.0[0] > 6.0));
    }
}

#[test]
fn maps_cross_the_borders() {
    let mut random = Random(47);
    for instructions in Instructions::available() {
        for (channels, area) in [(1, 1), (7, 5), (9, 8), (24, 13)] {
            let values = random.values(channels * area);
            let mut map = random.octets(octets(channels) * area);
            gather(instructions, area, &values, &mut map);
            assert_eq!(map, to_octets(&values, area));
            let mut back = vec![0.0; values.len()];
            scatter(instructions, area, &map, &mut back);
            assert_eq!(back, values);
            channels_last(area, channels, &map, &mut back);
            for channel in 0..channels {
                for at in 0..area {
                    assert_eq!(back[at * channels + channel], values[channel * area + at]);
                }
            }
            let mut twice = random.octets(map.len());
            add(instructions, &map, &map, &mut twice);
            for (twice, once) in twice.iter().zip(&map) {
                assert_eq!(twice.0, once.0.map(|value| value + value));
            }
        }
    }
}
