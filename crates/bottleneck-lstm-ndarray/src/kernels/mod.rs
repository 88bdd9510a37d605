//! The kernels. They know slices and sizes, nothing of Burn, and are written once over
//! [`Lanes`](lanes::Lanes).
//!
//! One call runs one video of a batch: `[time, channels, height, width]` at the border, planes of
//! [`Octet`](lanes::Octet)s within. Neither needs `unsafe`: instructions are chosen by value, and
//! the inner loops run over arrays, whose bounds the compiler knows.

#[cfg(target_arch = "x86_64")]
mod avx2;
pub(crate) mod backward;
pub(crate) mod convolve;
pub(crate) mod depthwise;
pub(crate) mod forward;
pub(crate) mod gates;
pub(crate) mod gates_backward;
pub(crate) mod instructions;
pub(crate) mod lanes;
mod math;
pub(crate) mod octets;
pub(crate) mod outer;
pub(crate) mod product;
pub(crate) mod share;
#[cfg(test)]
mod tests;

use bottleneck_lstm::{Activation, BottleneckLstmConfig, Depthwise, Peephole};

use depthwise::Map;
use octets::octets;

/// The sizes and the variant of one call, which the kernels rely on.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
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
    pub(crate) fn new(config: &BottleneckLstmConfig, time: usize, spatial: [usize; 2]) -> Self {
        Self {
            time,
            input: config.input_channels,
            hidden: config.hidden_channels,
            groups: config.groups,
            map: Map {
                height: spatial[0],
                width: spatial[1],
                kernel: config.kernel_size,
            },
            depthwise_hidden: config.depthwise == Depthwise::InputAndHidden,
            pinned: matches!(config.peephole, Some(Peephole::PerPosition(_))),
            activation: config.activation,
            bottleneck_activation: config.bottleneck_activation,
            clip: config.clip_state.map(|clip| clip as f32),
            scale: config.scale_state,
            carry_activated: config.carries_activated(),
            output_bottleneck: config.output_bottleneck,
        }
    }

    /// Positions of a map.
    pub(crate) fn area(&self) -> usize {
        self.map.area()
    }

    /// Taps of a depthwise kernel.
    pub(crate) fn taps(&self) -> usize {
        self.map.kernel * self.map.kernel
    }

    /// Hidden channels of a group, `m`.
    pub(crate) fn group(&self) -> usize {
        self.hidden / self.groups
    }

    /// Channels of the output.
    pub(crate) fn output(&self) -> usize {
        self.hidden * if self.output_bottleneck { 2 } else { 1 }
    }

    /// Values of one frame of the input.
    pub(crate) fn frame(&self) -> usize {
        self.area() * self.input
    }

    /// Values of one state tensor of one video.
    pub(crate) fn state(&self) -> usize {
        self.area() * self.hidden
    }

    /// Octets of an input position.
    pub(crate) fn input_octets(&self) -> usize {
        octets(self.input)
    }

    /// Octets of a position of one group's hidden channels: groups do not share octets.
    pub(crate) fn group_octets(&self) -> usize {
        octets(self.group())
    }

    /// Octets of a position of all hidden channels.
    pub(crate) fn hidden_octets(&self) -> usize {
        self.groups * self.group_octets()
    }

    /// Octets of one state tensor of one video.
    pub(crate) fn state_octets(&self) -> usize {
        self.area() * self.hidden_octets()
    }

    /// Octets of a peephole's weights for eight channels.
    pub(crate) fn pin(&self) -> usize {
        if self.pinned { self.area() } else { 1 }
    }

    /// Multiply-accumulates of the whole sequence of one video.
    pub(crate) fn macs(&self) -> usize {
        let m = self.group();
        let pointwise = self.hidden * (self.input + m) + 4 * self.hidden * m;
        self.time * self.area() * pointwise
    }
}
