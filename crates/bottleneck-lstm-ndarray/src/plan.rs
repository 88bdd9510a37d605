//! The kernels' sizes and variant, from a cell's configuration.

use bottleneck_lstm::{Activation, BottleneckLstmConfig, Depthwise, Peephole};
use bottleneck_lstm_kernels::{self as kernels, Map, Plan};

/// The plan of a call of `time` steps on maps of `spatial = [height, width]`.
pub(crate) fn plan(config: &BottleneckLstmConfig, time: usize, spatial: [usize; 2]) -> Plan {
    Plan {
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
        activation: activation(config.activation),
        bottleneck_activation: activation(config.bottleneck_activation),
        clip: config.clip_state.map(|clip| clip as f32),
        scale: config.scale_state,
        carry_activated: config.carries_activated(),
        output_bottleneck: config.output_bottleneck,
    }
}

fn activation(activation: Activation) -> kernels::Activation {
    match activation {
        Activation::Identity => kernels::Activation::Identity,
        Activation::Relu => kernels::Activation::Relu,
        Activation::Relu6 => kernels::Activation::Relu6,
        Activation::Tanh => kernels::Activation::Tanh,
    }
}
