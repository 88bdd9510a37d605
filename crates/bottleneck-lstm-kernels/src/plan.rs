//! The sizes and the variant of a call.

use crate::depthwise::Map;
use crate::octets::octets;

/// An activation function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x`
    Identity,
    /// `max(x, 0)`, with the derivative 0 at 0.
    Relu,
    /// `min(max(x, 0), 6)`, with the derivative 0 at 0 and 6.
    Relu6,
    /// `tanh(x)`
    Tanh,
}

/// The sizes and the variant of one call, which the kernels rely on.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Steps, `T`.
    pub time: usize,
    /// Input channels, `Ci`.
    pub input: usize,
    /// Hidden channels, `Ch`.
    pub hidden: usize,
    /// Groups, `G`.
    pub groups: usize,
    /// The map, and the side `k` of the depthwise kernels.
    pub map: Map,
    /// Whether the first depthwise convolution runs over the hidden state too.
    pub depthwise_hidden: bool,
    /// Whether each position has peephole weights of its own.
    pub pinned: bool,
    /// Activation of candidate and cell state.
    pub activation: Activation,
    /// Activation of the bottleneck.
    pub bottleneck_activation: Activation,
    /// Bound of the cell state.
    pub clip: Option<f32>,
    /// Whether the cell state is scaled to a maximum of 6.
    pub scale: bool,
    /// Whether the carried cell state is the activated one.
    pub carry_activated: bool,
    /// Whether the bottleneck follows the hidden state in the output.
    pub output_bottleneck: bool,
}

impl Plan {
    /// The cell as the public PyTorch code has it, from `input` to `hidden` channels.
    pub fn new(time: usize, input: usize, hidden: usize, map: Map) -> Self {
        Self {
            time,
            input,
            hidden,
            groups: 1,
            map,
            depthwise_hidden: false,
            pinned: false,
            activation: Activation::Relu,
            bottleneck_activation: Activation::Identity,
            clip: None,
            scale: false,
            carry_activated: false,
            output_bottleneck: false,
        }
    }

    /// Positions of a map.
    pub fn area(&self) -> usize {
        self.map.area()
    }

    /// Taps of a depthwise kernel.
    pub fn taps(&self) -> usize {
        self.map.kernel * self.map.kernel
    }

    /// Hidden channels of a group, `m`.
    pub fn group(&self) -> usize {
        self.hidden / self.groups
    }

    /// Channels of the output.
    pub fn output(&self) -> usize {
        self.hidden * if self.output_bottleneck { 2 } else { 1 }
    }

    /// Values of one frame of the input.
    pub fn frame(&self) -> usize {
        self.area() * self.input
    }

    /// Values of one state tensor of one video.
    pub fn state(&self) -> usize {
        self.area() * self.hidden
    }

    /// Octets of an input position.
    pub fn input_octets(&self) -> usize {
        octets(self.input)
    }

    /// Octets of a position of one group's hidden channels: groups do not share octets.
    pub fn group_octets(&self) -> usize {
        octets(self.group())
    }

    /// Octets of a position of all hidden channels.
    pub fn hidden_octets(&self) -> usize {
        self.groups * self.group_octets()
    }

    /// Octets of one state tensor of one video.
    pub fn state_octets(&self) -> usize {
        self.area() * self.hidden_octets()
    }

    /// Octets of a peephole's weights for eight channels.
    pub fn pin(&self) -> usize {
        if self.pinned { self.area() } else { 1 }
    }

    /// Multiply-accumulates of the whole sequence of one video.
    pub fn macs(&self) -> usize {
        let m = self.group();
        let pointwise = self.hidden * (self.input + m) + 4 * self.hidden * m;
        self.time * self.area() * pointwise
    }
}
