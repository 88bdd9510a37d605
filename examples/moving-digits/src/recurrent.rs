//! The recurrent layers that are compared.

use bottleneck_lstm::{
    BottleneckLstm, BottleneckLstmConfig, BottleneckLstmState, CellRunner, ConvGru, ConvGruConfig,
    ConvGruState, ConvLstm, ConvLstmConfig,
};
use burn::module::Module;
use burn::record::Record;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use crate::encoder::FEATURES;
use crate::video::MAP;

/// Which recurrent layer a network has, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// None: every frame by itself.
    NoMemory,
    /// A convolutional LSTM with full 3 by 3 convolutions (Shi et al., 2015).
    ConvLstm,
    /// A convolutional GRU with full 3 by 3 convolutions (Ballas et al., 2016).
    ConvGru,
    /// The Bottleneck-LSTM in its default form (Liu & Zhu, 2018).
    BottleneckLstm,
}

impl Layer {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 4] = [
        Self::NoMemory,
        Self::ConvLstm,
        Self::ConvGru,
        Self::BottleneckLstm,
    ];

    /// Its name, to show.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoMemory => "no memory",
            Self::ConvLstm => "ConvLSTM",
            Self::ConvGru => "ConvGRU",
            Self::BottleneckLstm => "Bottleneck-LSTM",
        }
    }

    /// Its name on the command line and in files' names.
    pub fn slug(self) -> &'static str {
        match self {
            Self::NoMemory => "no-memory",
            Self::ConvLstm => "conv-lstm",
            Self::ConvGru => "conv-gru",
            Self::BottleneckLstm => "bottleneck-lstm",
        }
    }

    /// Trainable parameters of the layer.
    pub fn parameters(self) -> usize {
        match self {
            Self::NoMemory => 0,
            Self::ConvLstm => conv_lstm().num_params(),
            Self::ConvGru => conv_gru().num_params(),
            Self::BottleneckLstm => bottleneck_lstm().num_params(),
        }
    }

    /// Multiply-accumulates of the layer on one frame.
    pub fn macs(self) -> u64 {
        match self {
            Self::NoMemory => 0,
            Self::ConvLstm => conv_lstm().macs([MAP, MAP]),
            Self::ConvGru => conv_gru().macs([MAP, MAP]),
            Self::BottleneckLstm => bottleneck_lstm().macs([MAP, MAP]),
        }
    }

    /// A fresh layer.
    pub fn init<B: Backend>(self, device: &B::Device) -> Option<Recurrent<B>> {
        match self {
            Self::NoMemory => None,
            Self::ConvLstm => Some(Recurrent::ConvLstm(conv_lstm().init(device))),
            Self::ConvGru => Some(Recurrent::ConvGru(conv_gru().init(device))),
            Self::BottleneckLstm => Some(Recurrent::BottleneckLstm(bottleneck_lstm().init(device))),
        }
    }
}

fn conv_lstm() -> ConvLstmConfig {
    ConvLstmConfig::new(FEATURES, FEATURES)
}

fn conv_gru() -> ConvGruConfig {
    ConvGruConfig::new(FEATURES, FEATURES)
}

fn bottleneck_lstm() -> BottleneckLstmConfig {
    BottleneckLstmConfig::new(FEATURES, FEATURES)
}

/// A recurrent layer from [`FEATURES`] to as many channels.
#[expect(
    clippy::large_enum_variant,
    reason = "a network holds one, and Burn derives no module in a box"
)]
#[derive(Module, Debug)]
pub enum Recurrent<B: Backend> {
    /// See [`Layer::ConvLstm`].
    ConvLstm(ConvLstm<B>),
    /// See [`Layer::ConvGru`].
    ConvGru(ConvGru<B>),
    /// See [`Layer::BottleneckLstm`].
    BottleneckLstm(BottleneckLstm<B>),
}

/// What a recurrent layer carries from one frame to the next.
#[derive(Record, Debug, Clone)]
pub enum RecurrentState<B: Backend> {
    /// Of a ConvLSTM or a Bottleneck-LSTM.
    Lstm(BottleneckLstmState<B>),
    /// Of a ConvGRU.
    Gru(ConvGruState<B>),
}

impl<B: Backend> RecurrentState<B> {
    /// Cuts the state from how it came about: where truncated back-propagation truncates.
    pub fn detach(self) -> Self {
        match self {
            Self::Lstm(state) => Self::Lstm(state.detach()),
            Self::Gru(state) => Self::Gru(state.detach()),
        }
    }

    fn lstm(self) -> Option<BottleneckLstmState<B>> {
        match self {
            Self::Lstm(state) => Some(state),
            Self::Gru(_) => None,
        }
    }

    fn gru(self) -> Option<ConvGruState<B>> {
        match self {
            Self::Lstm(_) => None,
            Self::Gru(state) => Some(state),
        }
    }
}

impl<B: Backend> Recurrent<B> {
    /// Runs the sequence `xs`, `[batch, time, FEATURES, height, width]`. Returns as much and the
    /// last state. No state, or that of another kind of layer, means the start of a video.
    pub fn forward_with<R: CellRunner<B>>(
        &self,
        runner: &R,
        xs: Tensor<B, 5>,
        state: Option<RecurrentState<B>>,
    ) -> (Tensor<B, 5>, RecurrentState<B>) {
        match self {
            Self::ConvLstm(layer) => {
                let (ys, state) = layer.forward(xs, state.and_then(RecurrentState::lstm));
                (ys, RecurrentState::Lstm(state))
            }
            Self::ConvGru(layer) => {
                let (ys, state) = layer.forward(xs, state.and_then(RecurrentState::gru));
                (ys, RecurrentState::Gru(state))
            }
            Self::BottleneckLstm(layer) => {
                let state = state.and_then(RecurrentState::lstm);
                let (ys, state) = layer.forward_with(runner, xs, state);
                (ys, RecurrentState::Lstm(state))
            }
        }
    }
}
