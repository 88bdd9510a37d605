//! Networks of separable convolutions against Burn's own operations.

use bottleneck_lstm_ndarray::network::{
    Activation, Convolution, Graph, GraphError, Kind, Layout, Map,
};
use bottleneck_lstm_ndarray::{CpuRunner, Instructions};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::{Distribution, Tensor, TensorData, Tolerance};
use burn_flex::Flex;

type Image = Tensor<Flex, 4>;

/// A graph, and the values of its maps by Burn's own operations.
struct Both {
    graph: Graph,
    input: Image,
    maps: Vec<(Map, Image)>,
}

fn values<const D: usize>(tensor: &Tensor<Flex, D>) -> Vec<f32> {
    tensor.to_data().to_vec().unwrap()
}

fn draw<const D: usize>(shape: [usize; D]) -> Tensor<Flex, D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Default::default())
}

impl Both {
    fn new(channels: usize, spatial: [usize; 2]) -> Self {
        let graph = Graph::new(channels, spatial).unwrap();
        let input = draw([1, channels, spatial[0], spatial[1]]);
        let maps = vec![(graph.input(), input.clone())];
        Self { graph, input, maps }
    }

    fn convolve(
        &mut self,
        from: usize,
        kind: Kind,
        output: usize,
        stride: usize,
        activation: Activation,
    ) -> usize {
        let (map, x) = self.maps[from].clone();
        let input = x.dims()[1];
        let kernel = if kind == Kind::Pointwise { 1 } else { 3 };
        let groups = if kind == Kind::Depthwise { input } else { 1 };
        let device = Default::default();
        let conv = Conv2dConfig::new([input, output], [kernel; 2])
            .with_stride([stride; 2])
            .with_groups(groups)
            .with_padding(PaddingConfig2d::Same)
            .init::<Flex>(&device);
        let y = conv.forward(x);
        let y = match activation {
            Activation::Identity => y,
            Activation::Relu => y.clamp_min(0.0),
            Activation::Relu6 => y.clamp(0.0, 6.0),
        };
        let convolution = Convolution {
            name: format!("layer{}", self.maps.len()),
            kind,
            channels: [input, output],
            stride,
            activation,
            weight: values(&conv.weight.val()),
            bias: values(&conv.bias.as_ref().unwrap().val()),
        };
        let map = self.graph.convolve(map, convolution).unwrap();
        self.maps.push((map, y));
        self.maps.len() - 1
    }

    fn add(&mut self, one: usize, other: usize) -> usize {
        let [(one, x), (other, y)] = [one, other].map(|index| self.maps[index].clone());
        let map = self.graph.add(one, other).unwrap();
        self.maps.push((map, x + y));
        self.maps.len() - 1
    }

    /// Every map in `outputs` from the network and from Burn, on every instruction set and number of threads,
    /// which do not change a bit.
    #[track_caller]
    fn check(mut self, outputs: &[usize]) {
        for index in outputs {
            let map = self.maps[*index].0;
            self.graph.output(&[map], Layout::ChannelsFirst).unwrap();
        }
        let frame = values(&self.input);
        for instructions in Instructions::available() {
            let mut by_one = None;
            for threads in 1..=4 {
                let runner = CpuRunner::new()
                    .with_instructions(instructions)
                    .with_threads(threads);
                let mut network = runner.network(&self.graph);
                network.run(&vec![9.0; frame.len()]).unwrap();
                network.run(&frame).unwrap();
                let found: Vec<Vec<f32>> = (0..outputs.len())
                    .map(|index| network.output(index).to_vec())
                    .collect();
                for (index, found) in outputs.iter().zip(&found) {
                    let expected = &self.maps[*index].1;
                    let found = TensorData::new(found.clone(), expected.dims());
                    let tolerance = Tolerance::<f32>::rel_abs(1e-5, 1e-5);
                    found.assert_approx_eq(&expected.to_data(), tolerance);
                }
                let bits: Vec<Vec<u32>> = found
                    .iter()
                    .map(|values| values.iter().map(|value| value.to_bits()).collect())
                    .collect();
                assert_eq!(
                    *by_one.get_or_insert_with(|| bits.clone()),
                    bits,
                    "{instructions:?} {threads}"
                );
            }
        }
    }
}

/// Odd and even, 1, and one more and less than a vector.
const SPATIAL: [[usize; 2]; 6] = [[1, 1], [2, 5], [7, 4], [9, 9], [16, 17], [31, 15]];

#[test]
fn every_kind_of_layer_is_burns() {
    for spatial in SPATIAL {
        for (kind, input, output, stride) in [
            (Kind::Pointwise, 1, 1, 1),
            (Kind::Pointwise, 17, 23, 1),
            (Kind::Pointwise, 300, 24, 1),
            (Kind::Depthwise, 3, 3, 1),
            (Kind::Depthwise, 16, 16, 2),
            (Kind::Depthwise, 17, 17, 2),
            (Kind::Dense, 3, 32, 2),
            (Kind::Dense, 3, 7, 1),
            (Kind::Dense, 17, 9, 2),
        ] {
            for activation in [Activation::Identity, Activation::Relu, Activation::Relu6] {
                let mut both = Both::new(input, spatial);
                let y = both.convolve(0, kind, output, stride, activation);
                both.check(&[y]);
            }
        }
    }
}

#[test]
fn dense_layers_of_maps_are_burns() {
    for spatial in SPATIAL {
        for stride in [1, 2] {
            let mut both = Both::new(5, spatial);
            let narrow = both.convolve(0, Kind::Pointwise, 12, 1, Activation::Relu6);
            let y = both.convolve(narrow, Kind::Dense, 19, stride, Activation::Relu6);
            both.check(&[y]);
        }
    }
}

/// Stem, an inverted residual with a sum, one whose expanded map is an output, and heads.
#[test]
fn a_network_is_burns() {
    use Activation::{Identity, Relu6};
    for spatial in [[1, 1], [13, 10], [40, 33]] {
        let mut both = Both::new(3, spatial);
        let stem = both.convolve(0, Kind::Dense, 12, 2, Relu6);
        let depthwise = both.convolve(stem, Kind::Depthwise, 12, 1, Relu6);
        let narrow = both.convolve(depthwise, Kind::Pointwise, 10, 1, Identity);
        let expanded = both.convolve(narrow, Kind::Pointwise, 60, 1, Relu6);
        let depthwise = both.convolve(expanded, Kind::Depthwise, 60, 1, Relu6);
        let projected = both.convolve(depthwise, Kind::Pointwise, 10, 1, Identity);
        let sum = both.add(projected, narrow);
        let expanded = both.convolve(sum, Kind::Pointwise, 60, 1, Relu6);
        let depthwise = both.convolve(expanded, Kind::Depthwise, 60, 2, Relu6);
        let last = both.convolve(depthwise, Kind::Pointwise, 33, 1, Identity);
        let head = both.convolve(expanded, Kind::Pointwise, 7, 1, Identity);
        both.check(&[head, last, sum]);
    }
}

/// Sums that no projection can take on: of activated maps, of a map with itself, of the input.
#[test]
fn any_sum_is_burns() {
    let mut both = Both::new(6, [5, 7]);
    let one = both.convolve(0, Kind::Pointwise, 6, 1, Activation::Relu6);
    let activated = both.add(one, 0);
    let other = both.convolve(activated, Kind::Depthwise, 6, 1, Activation::Identity);
    let twice = both.add(other, other);
    let last = both.convolve(twice, Kind::Pointwise, 6, 1, Activation::Identity);
    let late = both.convolve(0, Kind::Pointwise, 6, 1, Activation::Identity);
    let sum = both.add(last, late);
    both.check(&[sum, 0]);
}

#[test]
fn outputs_follow_one_another_in_their_layout() {
    let mut both = Both::new(2, [3, 4]);
    let one = both.convolve(0, Kind::Pointwise, 9, 1, Activation::Identity);
    let other = both.convolve(one, Kind::Depthwise, 9, 2, Activation::Identity);
    let maps = [one, other].map(|index| both.maps[index].0);
    both.graph.output(&maps, Layout::ChannelsLast).unwrap();
    let mut network = CpuRunner::new().network(&both.graph);
    network.run(&values(&both.input)).unwrap();
    let expected: Vec<f32> = [one, other]
        .into_iter()
        .flat_map(|index| values(&both.maps[index].1.clone().permute([0, 2, 3, 1])))
        .collect();
    let found = TensorData::new(network.output(0).to_vec(), [expected.len()]);
    let expected = TensorData::new(expected, [found.num_elements()]);
    found.assert_approx_eq::<f32>(&expected, Tolerance::rel_abs(1e-5, 1e-5));
}

fn convolution(kind: Kind, channels: [usize; 2], stride: usize) -> Convolution {
    let [input, output] = channels;
    let count = match kind {
        Kind::Pointwise => input * output,
        Kind::Depthwise => input * 9,
        Kind::Dense => input * output * 9,
    };
    Convolution {
        name: "neck".into(),
        kind,
        channels,
        stride,
        activation: Activation::Relu,
        weight: vec![0.0; count],
        bias: vec![0.0; output],
    }
}

#[test]
fn what_is_no_network_is_told() {
    assert_eq!(
        Graph::new(3, [5, 0]).unwrap_err().to_string(),
        "input: width must be at least 1, found 0"
    );
    let mut graph = Graph::new(3, [5, 4]).unwrap();
    let mut refuse = |from, convolution| -> String {
        let error: GraphError = graph.convolve(from, convolution).unwrap_err();
        error.to_string()
    };
    let input = Graph::new(1, [1, 1]).unwrap().input();
    for (convolution, expected) in [
        (
            convolution(Kind::Pointwise, [4, 2], 1),
            "neck: expected 3 input channels, found 4",
        ),
        (
            convolution(Kind::Depthwise, [3, 2], 1),
            "neck: expected 3 output channels, found 2",
        ),
        (
            convolution(Kind::Pointwise, [3, 0], 1),
            "neck: output channels must be at least 1, found 0",
        ),
        (
            convolution(Kind::Pointwise, [3, 2], 2),
            "neck: the stride must be 1, found 2",
        ),
        (
            convolution(Kind::Dense, [3, 2], 3),
            "neck: the stride must be 1 or 2, found 3",
        ),
        (
            Convolution {
                weight: vec![0.0; 5],
                ..convolution(Kind::Pointwise, [3, 2], 1)
            },
            "neck: expected 6 values of its weight, found 5",
        ),
        (
            Convolution {
                bias: vec![0.0; 3],
                ..convolution(Kind::Dense, [3, 2], 1)
            },
            "neck: expected 2 values of its bias, found 3",
        ),
    ] {
        assert_eq!(refuse(input, convolution), expected);
    }
    let mut other = Both::new(1, [1, 1]);
    let foreign = other.convolve(0, Kind::Pointwise, 3, 1, Activation::Relu);
    let foreign = other.maps[foreign].0;
    assert_eq!(
        refuse(foreign, convolution(Kind::Pointwise, [3, 2], 1)),
        "neck: expected one of the graph's 1 maps, found map 1 of another"
    );
    let map = graph
        .convolve(input, convolution(Kind::Pointwise, [3, 2], 1))
        .unwrap();
    assert_eq!(
        graph.add(map, input).unwrap_err().to_string(),
        "sum: expected two maps of shape [2, 5, 4], found one of [3, 5, 4]"
    );
    let mut network = CpuRunner::new().network(&graph);
    assert_eq!(
        network.run(&[0.0; 59]).unwrap_err().to_string(),
        "the frame: expected 60 values, found 59"
    );
}

#[test]
fn a_profile_has_every_layer() {
    use Activation::{Identity, Relu6};
    let mut both = Both::new(3, [8, 8]);
    let stem = both.convolve(0, Kind::Dense, 8, 2, Relu6);
    let narrow = both.convolve(stem, Kind::Pointwise, 8, 1, Identity);
    let wide = both.convolve(narrow, Kind::Pointwise, 16, 1, Relu6);
    let depthwise = both.convolve(wide, Kind::Depthwise, 16, 1, Relu6);
    let projected = both.convolve(depthwise, Kind::Pointwise, 8, 1, Identity);
    both.add(projected, narrow);
    let steps = CpuRunner::new().network(&both.graph);
    let steps = { steps }.profile(&values(&both.input)).unwrap();
    let names: Vec<&str> = steps.iter().map(|step| &*step.name).collect();
    assert_eq!(names, ["layer1", "layer2", "layer3, layer4, layer5"]);
    assert_eq!(steps[0].macs, 16 * 27 * 8);
}
