//! What is computed from what.

use bottleneck_lstm_kernels as kernels;

use super::GraphError;

/// What a convolution looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All channels of a position.
    Pointwise,
    /// One channel of 3 by 3 positions.
    Depthwise,
    /// All channels of 3 by 3 positions.
    Dense,
}

/// What follows a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)`
    Relu6,
}

impl From<Activation> for kernels::Activation {
    fn from(activation: Activation) -> Self {
        match activation {
            Activation::Identity => Self::Identity,
            Activation::Relu => Self::Relu,
            Activation::Relu6 => Self::Relu6,
        }
    }
}

/// A convolution with padding 'same' as TensorFlow has it, and what follows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Convolution {
    /// What errors and timings call it.
    pub name: String,
    /// What it looks at.
    pub kind: Kind,
    /// Input and output channels.
    pub channels: [usize; 2],
    /// The step from one position to the next: 1 or 2, and 1 if it is pointwise.
    pub stride: usize,
    /// What follows it.
    pub activation: Activation,
    /// `[out, in]`, `[channels, 3, 3]` or `[out, in, 3, 3]`.
    pub weight: Vec<f32>,
    /// `[out]`
    pub bias: Vec<f32>,
}

/// A map of a [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Map(pub(super) usize);

/// How the values of an output lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `[channels, height, width]`, as Burn has it.
    ChannelsFirst,
    /// `[height, width, channels]`
    ChannelsLast,
}

/// A network: convolutions and sums of maps, each computed from earlier ones.
#[derive(Debug, Clone)]
pub struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) outputs: Vec<(Vec<Map>, Layout)>,
}

/// How a map comes about.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Channels, height and width.
    pub shape: [usize; 3],
    pub operation: Operation,
}

#[derive(Debug, Clone)]
pub(super) enum Operation {
    Input,
    Convolve(Map, Convolution),
    Add(Map, Map),
}

impl Node {
    /// The maps that it is computed from.
    pub fn inputs(&self) -> impl Iterator<Item = Map> {
        let (one, other) = match &self.operation {
            Operation::Input => (None, None),
            Operation::Convolve(from, _) => (Some(*from), None),
            Operation::Add(one, other) => (Some(*one), Some(*other)),
        };
        one.into_iter().chain(other)
    }
}

impl Graph {
    /// A graph with an input of `channels` channels on a map of `[height, width]`.
    ///
    /// # Errors
    ///
    /// If one of them is zero.
    pub fn new(channels: usize, [height, width]: [usize; 2]) -> Result<Self, GraphError> {
        let shape = [channels, height, width];
        for (size, what) in shape.into_iter().zip(["channels", "height", "width"]) {
            at_least_one("input", what, size)?;
        }
        Ok(Self {
            nodes: vec![Node {
                shape,
                operation: Operation::Input,
            }],
            outputs: Vec::new(),
        })
    }

    /// Its input.
    pub fn input(&self) -> Map {
        Map(0)
    }

    /// The map that `convolution` makes of another.
    ///
    /// # Errors
    ///
    /// If it does not fit the map, or is none that there are kernels for.
    pub fn convolve(&mut self, from: Map, convolution: Convolution) -> Result<Map, GraphError> {
        let Convolution {
            name,
            kind,
            channels: [input, output],
            stride,
            ..
        } = &convolution;
        let [channels, height, width] = self.shape(name, from)?;
        at_least_one(name, "output channels", *output)?;
        check_channels(name, "input channels", channels, *input)?;
        let (legal, expected) = match kind {
            Kind::Pointwise => (*stride == 1, "1"),
            Kind::Depthwise | Kind::Dense => (matches!(stride, 1 | 2), "1 or 2"),
        };
        if !legal {
            return Err(GraphError::Stride {
                name: name.clone(),
                expected,
                found: *stride,
            });
        }
        let weights = match kind {
            Kind::Pointwise => input * output,
            Kind::Depthwise => {
                check_channels(name, "output channels", *input, *output)?;
                input * 9
            }
            Kind::Dense => input * output * 9,
        };
        check_values(name, "weight", weights, convolution.weight.len())?;
        check_values(name, "bias", *output, convolution.bias.len())?;
        let shape = [*output, height.div_ceil(*stride), width.div_ceil(*stride)];
        Ok(self.push(shape, Operation::Convolve(from, convolution)))
    }

    /// The sum of two maps.
    ///
    /// # Errors
    ///
    /// If their shapes differ.
    pub fn add(&mut self, one: Map, other: Map) -> Result<Map, GraphError> {
        let name = "sum";
        let (expected, found) = (self.shape(name, one)?, self.shape(name, other)?);
        if expected != found {
            return Err(GraphError::Shapes {
                name: name.into(),
                expected,
                found,
            });
        }
        Ok(self.push(expected, Operation::Add(one, other)))
    }

    /// Has the network yield maps, one after the other, as its next output.
    ///
    /// # Errors
    ///
    /// If a map is another graph's.
    pub fn output(&mut self, maps: &[Map], layout: Layout) -> Result<(), GraphError> {
        for map in maps {
            self.shape("output", *map)?;
        }
        self.outputs.push((maps.to_vec(), layout));
        Ok(())
    }

    fn push(&mut self, shape: [usize; 3], operation: Operation) -> Map {
        self.nodes.push(Node { shape, operation });
        Map(self.nodes.len() - 1)
    }

    fn shape(&self, name: &str, map: Map) -> Result<[usize; 3], GraphError> {
        let node = self.nodes.get(map.0);
        let unknown = || GraphError::UnknownMap {
            name: name.into(),
            expected: self.nodes.len(),
            found: map.0,
        };
        Ok(node.ok_or_else(unknown)?.shape)
    }
}

fn at_least_one(name: &str, what: &'static str, size: usize) -> Result<(), GraphError> {
    match size {
        0 => Err(GraphError::Zero {
            name: name.into(),
            what,
        }),
        _ => Ok(()),
    }
}

fn check_channels(
    name: &str,
    what: &'static str,
    expected: usize,
    found: usize,
) -> Result<(), GraphError> {
    match found == expected {
        true => Ok(()),
        false => Err(GraphError::Channels {
            name: name.into(),
            what,
            expected,
            found,
        }),
    }
}

fn check_values(
    name: &str,
    what: &'static str,
    expected: usize,
    found: usize,
) -> Result<(), GraphError> {
    match found == expected {
        true => Ok(()),
        false => Err(GraphError::Values {
            name: name.into(),
            what,
            expected,
            found,
        }),
    }
}
