//! The sizes and the variant of a call, from a cell's configuration and the shapes of its tensors.

use bottleneck_lstm::fused::CellTensors;
use bottleneck_lstm::{Activation, BottleneckLstmConfig, Depthwise, Peephole};
use burn::tensor::Shape;

use crate::kernels::depthwise::{DepthwiseSizes, Map};
use crate::kernels::gates::GateSizes;
use crate::kernels::product::{Planes, ProductSizes};

/// The sizes and the variant of one call.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub batch: usize,
    pub time: usize,
    pub input: usize,
    pub hidden: usize,
    pub groups: usize,
    pub map: Map,
    /// Whether the first depthwise convolution runs over the hidden state too.
    pub depthwise_hidden: bool,
    pub output_bottleneck: bool,
    /// Whether the cell state is scaled, which takes one more kernel: the gates convolve the bottleneck
    /// themselves then.
    pub scale: bool,
    pub bottleneck_activation: Activation,
    activation: Activation,
    /// Whether each position has peephole weights of its own.
    pub pinned: bool,
    clip: Option<f32>,
    carry_activated: bool,
    forget_bias: f32,
}

impl Plan {
    /// For `xs` of the shape `[batch, time, input, height, width]`.
    pub fn new(config: &BottleneckLstmConfig, xs: &Shape) -> Self {
        Self {
            batch: xs[0],
            time: xs[1],
            input: config.input_channels,
            hidden: config.hidden_channels,
            groups: config.groups,
            map: Map {
                height: xs[3],
                width: xs[4],
                side: config.kernel_size,
            },
            depthwise_hidden: config.depthwise == Depthwise::InputAndHidden,
            output_bottleneck: config.output_bottleneck,
            scale: config.scale_state,
            bottleneck_activation: config.bottleneck_activation,
            activation: config.activation,
            pinned: matches!(config.peephole, Some(Peephole::PerPosition(_))),
            clip: config.clip_state.map(|clip| clip as f32),
            carry_activated: config.carries_activated(),
            forget_bias: config.forget_bias as f32,
        }
    }

    /// That parameters have as many values each as the configuration says, which the kernels rely on: a
    /// caller may have replaced one.
    ///
    /// # Panics
    ///
    /// If one has another number.
    pub fn check(&self, values: &CellTensors<usize>) {
        let (m, taps, hidden) = (self.group(), self.map.taps(), self.hidden);
        let first = self.first_depthwise();
        let peephole = hidden * if self.pinned { self.area() } else { 1 };
        let parameters = [
            (
                "depthwise",
                Some(values.depthwise),
                first.groups * first.kernels * taps,
            ),
            ("depthwise_bias", values.depthwise_bias, self.input),
            (
                "bottleneck",
                Some(values.bottleneck),
                hidden * (self.input + m),
            ),
            ("bottleneck_bias", Some(values.bottleneck_bias), hidden),
            (
                "bottleneck_depthwise",
                Some(values.bottleneck_depthwise),
                hidden * taps,
            ),
            ("gates", Some(values.gates), 4 * hidden * m),
            ("gates_bias", values.gates_bias, 4 * hidden),
            ("peephole_input", values.peephole_input, peephole),
            ("peephole_forget", values.peephole_forget, peephole),
            ("peephole_output", values.peephole_output, peephole),
        ];
        for (name, found, expected) in parameters {
            let found = found.unwrap_or(expected);
            assert_eq!(
                expected, found,
                "{name} has another number of values than its cell"
            );
        }
    }

    /// Positions of a map.
    pub fn area(&self) -> usize {
        self.map.area()
    }

    /// Hidden channels of a group, `m`.
    pub fn group(&self) -> usize {
        self.hidden / self.groups
    }

    /// Channels of the output.
    pub fn output(&self) -> usize {
        self.hidden * if self.output_bottleneck { 2 } else { 1 }
    }

    /// Values of the outputs.
    pub fn outputs(&self) -> usize {
        self.batch * self.time * self.output() * self.area()
    }

    /// Values of one state tensor.
    pub fn state(&self) -> usize {
        self.batch * self.hidden * self.area()
    }

    /// The shape of the outputs.
    pub fn outputs_shape(&self) -> Shape {
        let Map { height, width, .. } = self.map;
        Shape::from([self.batch, self.time, self.output(), height, width])
    }

    /// The shape of a state tensor.
    pub fn state_shape(&self) -> Shape {
        let Map { height, width, .. } = self.map;
        Shape::from([self.batch, self.hidden, height, width])
    }

    /// The buffers that grow with a call or are large, and their values.
    pub fn buffers(&self) -> [(&'static str, usize); 6] {
        let (frames, sizes) = (self.batch * self.time, self.first_depthwise());
        let m = self.group();
        [
            ("the input", frames * self.input * self.area()),
            (
                "the convolved input",
                frames * sizes.input() + self.batch * sizes.hidden(),
            ),
            ("the projected input", frames * self.hidden * self.area()),
            ("the output", frames * self.output() * self.area()),
            (
                "the weights of the bottleneck",
                self.hidden * (self.input + m),
            ),
            ("the weights of the gates", 4 * self.hidden * m),
        ]
    }

    /// Those that a backward pass takes besides.
    pub fn record_buffers(&self) -> [(&'static str, usize); 3] {
        let tape = self.tape();
        [
            (
                "the output with the cell state",
                self.outputs() + self.state(),
            ),
            ("the record of the gates", tape.gates),
            ("the record of the states", tape.states),
        ]
    }

    /// Buffers of the kernel that has most, one of CubeCL's for sizes among them: the gates, or in `training` their
    /// gradients.
    pub fn bindings(&self, gate_bias: bool, peephole: bool, training: bool) -> u32 {
        let forward = 6 + u32::from(gate_bias) + u32::from(self.scale);
        let backward = if training { 7 } else { 0 };
        forward.max(backward) + if peephole { 3 } else { 0 }
    }

    /// Positions of a vector.
    pub fn vector(&self) -> usize {
        widest(&[self.area()])
    }

    /// Positions of a vector of the gates, which are single where they convolve the bottleneck themselves.
    pub fn gates_positions(&self) -> usize {
        if self.scale { 1 } else { self.vector() }
    }

    /// Weights of a vector of the bottleneck's rows.
    pub fn bottleneck_vector(&self) -> usize {
        widest(&[self.input, self.group()])
    }

    /// Weights of a vector of the gates' rows.
    pub fn gates_vector(&self) -> usize {
        widest(&[self.group()])
    }

    /// The first depthwise convolution, over input and hidden state.
    pub fn first_depthwise(&self) -> DepthwiseSizes {
        let own = if self.depthwise_hidden {
            self.group()
        } else {
            0
        };
        DepthwiseSizes {
            map: self.map,
            // Groups that share their kernels are one.
            groups: if self.depthwise_hidden {
                self.groups
            } else {
                1
            },
            shared: self.input,
            own,
            kernels: self.input + own,
        }
    }

    /// The depthwise convolution of the bottleneck.
    pub fn second_depthwise(&self) -> DepthwiseSizes {
        DepthwiseSizes {
            map: self.map,
            groups: self.groups,
            shared: 0,
            own: self.group(),
            kernels: self.group(),
        }
    }

    /// The product to the bottleneck, of what the first depthwise convolution left of the input, of the
    /// hidden state, or of both.
    pub fn product(&self, hidden: bool) -> ProductSizes {
        let (m, width) = (self.group(), self.bottleneck_vector());
        ProductSizes {
            area: self.area() / self.vector(),
            groups: self.groups,
            outputs: m,
            row: (self.input + m) / width,
            x: Planes {
                depth: self.input,
                group: if self.depthwise_hidden { self.input } else { 0 },
                before: 0,
            },
            h: Planes {
                depth: m,
                group: m,
                before: self.input / width,
            },
            activation: match hidden {
                true => self.bottleneck_activation,
                false => Activation::Identity,
            },
        }
    }

    /// The gates on vectors of `n` positions, backward.
    pub fn gates_of(&self, n: usize) -> GateSizes {
        GateSizes {
            area: self.area() / n,
            ..self.gates(false)
        }
    }

    /// The gates, which may have to yield the new cell state too.
    pub fn gates(&self, yields_cell: bool) -> GateSizes {
        GateSizes {
            map: self.map,
            area: self.area() / self.gates_positions(),
            groups: self.groups,
            channels: self.group(),
            row: self.group() / self.gates_vector(),
            pinned: self.pinned,
            activation: self.activation,
            clip: self.clip.map(f32::to_bits),
            scale: self.scale,
            carry_activated: self.carry_activated,
            forget_bias: self.forget_bias.to_bits(),
            yields_cell,
        }
    }
}

/// The widest vector that all of `sizes` are made of.
pub(crate) fn widest(sizes: &[usize]) -> usize {
    [4, 2]
        .into_iter()
        .find(|width| sizes.iter().all(|size| size.is_multiple_of(*width)))
        .unwrap_or(1)
}
