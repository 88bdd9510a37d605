//! The kernels. They know slices and sizes, nothing of Burn.
//!
//! One call runs one video of a batch: `[time, channels, height, width]` at the border, positions
//! by channels (*channels last*) within, so that a pointwise convolution is a matrix product and a
//! depthwise one a loop over neighbouring values.

pub(crate) mod backward;
pub(crate) mod depthwise;
pub(crate) mod forward;
pub(crate) mod gates;
pub(crate) mod gemm;
pub(crate) mod layout;

use bottleneck_lstm::{Activation, BottleneckLstmConfig, Depthwise};

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
    /// Side of the depthwise kernels, `k`.
    pub kernel: usize,
    /// Height of the map.
    pub height: usize,
    /// Width of the map.
    pub width: usize,
    /// Whether the first depthwise convolution runs over the hidden state too.
    pub depthwise_hidden: bool,
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
            kernel: config.kernel_size,
            height: spatial[0],
            width: spatial[1],
            depthwise_hidden: config.depthwise == Depthwise::InputAndHidden,
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
        self.height * self.width
    }

    /// Hidden channels of a group, `m`.
    pub(crate) fn group(&self) -> usize {
        self.hidden / self.groups
    }

    /// Channels of the output.
    pub(crate) fn output(&self) -> usize {
        self.hidden * if self.output_bottleneck { 2 } else { 1 }
    }

    /// Values of one state tensor of one video.
    pub(crate) fn state(&self) -> usize {
        self.area() * self.hidden
    }

    /// Multiply-accumulates of the whole sequence of one video.
    pub(crate) fn macs(&self) -> usize {
        let m = self.group();
        let pointwise = self.hidden * (self.input + m) + 4 * self.hidden * m;
        self.time * self.area() * pointwise
    }
}

/// `activation(x)`. NaN stays NaN.
pub(crate) fn activate(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::Identity => x,
        Activation::Relu => {
            if x < 0.0 {
                0.0
            } else {
                x
            }
        }
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Tanh => x.tanh(),
    }
}

/// The derivative of `activation` where it takes the value `y`.
pub(crate) fn derivative(activation: Activation, y: f32) -> f32 {
    match activation {
        Activation::Identity => 1.0,
        Activation::Relu => f32::from(y > 0.0),
        Activation::Relu6 => f32::from(y > 0.0 && y < 6.0),
        Activation::Tanh => 1.0 - y * y,
    }
}

/// `1 / (1 + exp(-x))`, without overflow into NaN at either end.
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
