//! What a Bottleneck-LSTM looks like: its variants, which of them are legal, and what they cost.

use burn::config::Config;
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::checks;

/// Where the first depthwise convolution runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Depthwise {
    /// Over the input alone, with a bias, as the public PyTorch code does.
    #[default]
    Input,
    /// Over the input and the hidden state, without a bias, as the paper (section 3.3) and the
    /// TensorFlow code do.
    InputAndHidden,
}

/// An activation function of the cell. Derivatives at kinks: ReLU is 0 at 0, ReLU6 is 0 at 0 and 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Activation {
    /// `x`
    Identity,
    /// `max(x, 0)`
    #[default]
    Relu,
    /// `min(max(x, 0), 6)`
    Relu6,
    /// `tanh(x)`
    Tanh,
}

/// How the gates see the cell state (Gers & Schmidhuber, 2000; Shi et al., 2015, equation 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Peephole {
    /// One weight a channel, `[hidden]`: any spatial size.
    PerChannel,
    /// One weight a channel and position, `[hidden, height, width]`: pins the spatial size to
    /// `[height, width]`.
    PerPosition([usize; 2]),
}

/// Where a sequence starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum LearnedState {
    /// At zero.
    #[default]
    None,
    /// At a trainable value a channel, `[hidden]`, for cell and hidden state each.
    PerChannel,
    /// At a trainable value a channel and position, `[hidden, height, width]`.
    PerPosition([usize; 2]),
}

/// How fresh weights are drawn. Biases, peepholes and learned states start at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Initialization {
    /// Normal with deviation `gain / sqrt(fan_in)`, where the fan-in is `k * k` times the channels
    /// that one output sees: one for a depthwise convolution. The gain is `sqrt(2)` for the
    /// pointwise convolutions of a [`BottleneckLstm`](crate::BottleneckLstm) and 1 for all others.
    ///
    /// The bottleneck takes four fifths of that variance from the `Ci` input channels and a fifth
    /// from the `m` hidden channels of a group, whatever their numbers: deviations `sqrt(1.6 / Ci)`
    /// and `sqrt(0.4 / m)`. At `Ci = 4 m` that is plain fan-in, `sqrt(2 / (Ci + m))`. Elsewhere a
    /// plain draw would give the hidden state a share of `m / (Ci + m)`, with which a fresh cell
    /// explodes where `Ci` is not much above `m`, and forgets at once where it is far above.
    ///
    /// With fewer than some 64 hidden channels single draws differ widely, and a forget bias of 1
    /// leads some of them to hidden states of deviation 5 and more.
    #[default]
    FanIn,
    /// Normal with deviation `sqrt(2 / (k * k * C_out))`, as the public PyTorch code draws. It
    /// overlooks that a depthwise kernel sees one channel, so the fresh cell is almost inert.
    PyTorch,
}

/// Configuration of a [`BottleneckLstm`](crate::BottleneckLstm).
///
/// The default is what public PyTorch code computes; [`paper`](Self::paper) and
/// [`tensorflow`](Self::tensorflow) are the other published forms.
///
/// # Legal combinations
///
/// [`validate`](Self::validate) enforces this table, also on a configuration that was loaded from
/// a file:
///
/// | field | legal |
/// |---|---|
/// | `input_channels` | at least 1 |
/// | `hidden_channels` | even, at least 2 |
/// | `kernel_size` | odd |
/// | `groups` | divides `hidden_channels`; above 1 only with [`Depthwise::InputAndHidden`], since each group has depthwise kernels of its own over its own slice of the hidden state |
/// | `forget_bias` | finite |
/// | `clip_state` | finite, above 0; excludes `scale_state` |
/// | `peephole`, `learned_state` | `PerPosition` sizes at least 1; the same size where both pin one |
/// | `activation`, `bottleneck_activation`, `gate_bias`, `carry_activated`, `output_bottleneck`, `initialization` | any |
/// | all together | at most 2^28 parameters |
///
/// # Example
///
/// ```
/// use bottleneck_lstm::{BottleneckLstmConfig, Peephole};
///
/// let config = BottleneckLstmConfig::new(1024, 256);
/// assert_eq!(config.num_params(), 602_624);
/// assert_eq!(config.macs([10, 10]), 60_134_400);
///
/// let config = config.with_peephole(Peephole::PerChannel);
/// assert_eq!(config.num_params(), 602_624 + 3 * 256);
/// assert!(BottleneckLstmConfig::new(1024, 255).validate().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BottleneckLstmConfig {
    /// Channels of the input, `Ci`.
    pub input_channels: usize,
    /// Channels of the hidden and of the cell state, `Ch`.
    pub hidden_channels: usize,
    /// Side of the depthwise kernels, `k`. Default 3.
    #[serde(default = "default_kernel_size")]
    pub kernel_size: usize,
    /// Groups of hidden channels (Liu et al., 2019, section 3.2.1). Default 1.
    #[serde(default = "default_groups")]
    pub groups: usize,
    /// Where the first depthwise convolution runs. Default [`Depthwise::Input`].
    #[serde(default)]
    pub depthwise: Depthwise,
    /// Activation of the candidate and of the new cell state. Default [`Activation::Relu`].
    #[serde(default)]
    pub activation: Activation,
    /// Activation of the bottleneck. Default [`Activation::Identity`].
    #[serde(default = "default_bottleneck_activation")]
    pub bottleneck_activation: Activation,
    /// Whether the gates have a trainable bias. Default false.
    #[serde(default)]
    pub gate_bias: bool,
    /// A constant added to the forget gate before its sigmoid. Default 0.
    #[serde(default)]
    pub forget_bias: f64,
    /// How the gates see the cell state. Default none.
    #[serde(default)]
    pub peephole: Option<Peephole>,
    /// Clips the new cell state to `[-clip, clip]`. Default none.
    #[serde(default)]
    pub clip_state: Option<f64>,
    /// Divides the new cell state of each sample and group by `max(1, max(c') / 6)`, before its
    /// activation (Liu et al., 2019, section 3.2.3). Default false.
    #[serde(default)]
    pub scale_state: bool,
    /// Whether the carried cell state is `activation(c')` instead of `c'`. Default none, which
    /// means for more than one group.
    #[serde(default)]
    pub carry_activated: Option<bool>,
    /// Whether outputs are `h'` and the bottleneck, concatenated over channels. Default false.
    #[serde(default)]
    pub output_bottleneck: bool,
    /// Where a sequence starts. Default at zero.
    #[serde(default)]
    pub learned_state: LearnedState,
    /// How fresh weights are drawn. Default [`Initialization::FanIn`].
    #[serde(default)]
    pub initialization: Initialization,
}

fn default_kernel_size() -> usize {
    3
}

fn default_groups() -> usize {
    1
}

fn default_bottleneck_activation() -> Activation {
    Activation::Identity
}

impl Config for BottleneckLstmConfig {}

impl core::fmt::Display for BottleneckLstmConfig {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&burn::config::config_to_json(self))
    }
}

impl BottleneckLstmConfig {
    /// The default cell, from `input_channels` to `hidden_channels`.
    pub fn new(input_channels: usize, hidden_channels: usize) -> Self {
        Self {
            input_channels,
            hidden_channels,
            kernel_size: default_kernel_size(),
            groups: default_groups(),
            depthwise: Depthwise::default(),
            activation: Activation::default(),
            bottleneck_activation: default_bottleneck_activation(),
            gate_bias: false,
            forget_bias: 0.0,
            peephole: None,
            clip_state: None,
            scale_state: false,
            carry_activated: None,
            output_bottleneck: false,
            learned_state: LearnedState::default(),
            initialization: Initialization::default(),
        }
    }

    /// The cell as the paper states it (Liu & Zhu, 2018, section 3.3): the depthwise convolution
    /// runs over input and hidden state, and the bottleneck has a ReLU.
    pub fn paper(input_channels: usize, hidden_channels: usize) -> Self {
        Self::new(input_channels, hidden_channels)
            .with_depthwise(Depthwise::InputAndHidden)
            .with_bottleneck_activation(Activation::Relu)
    }

    /// The cell of the TensorFlow Object Detection API (`lstm_object_detection`): as the paper,
    /// with ReLU6 throughout, a gate bias and a forget bias of 1.
    ///
    /// Add [`with_groups`](Self::with_groups) for the grouped cell of *Looking Fast and Slow*
    /// (Liu et al., 2019).
    pub fn tensorflow(input_channels: usize, hidden_channels: usize) -> Self {
        Self::new(input_channels, hidden_channels)
            .with_depthwise(Depthwise::InputAndHidden)
            .with_activation(Activation::Relu6)
            .with_bottleneck_activation(Activation::Relu6)
            .with_gate_bias(true)
            .with_forget_bias(1.0)
    }

    /// Sets the side of the depthwise kernels.
    pub fn with_kernel_size(mut self, kernel_size: usize) -> Self {
        self.kernel_size = kernel_size;
        self
    }

    /// Sets the number of groups.
    pub fn with_groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// Sets where the first depthwise convolution runs.
    pub fn with_depthwise(mut self, depthwise: Depthwise) -> Self {
        self.depthwise = depthwise;
        self
    }

    /// Sets the activation of the candidate and of the new cell state.
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Sets the activation of the bottleneck.
    pub fn with_bottleneck_activation(mut self, activation: Activation) -> Self {
        self.bottleneck_activation = activation;
        self
    }

    /// Sets whether the gates have a trainable bias.
    pub fn with_gate_bias(mut self, gate_bias: bool) -> Self {
        self.gate_bias = gate_bias;
        self
    }

    /// Sets the constant added to the forget gate.
    pub fn with_forget_bias(mut self, forget_bias: f64) -> Self {
        self.forget_bias = forget_bias;
        self
    }

    /// Sets how the gates see the cell state.
    pub fn with_peephole(mut self, peephole: impl Into<Option<Peephole>>) -> Self {
        self.peephole = peephole.into();
        self
    }

    /// Sets the bound of the new cell state.
    pub fn with_clip_state(mut self, clip_state: impl Into<Option<f64>>) -> Self {
        self.clip_state = clip_state.into();
        self
    }

    /// Sets whether the new cell state is scaled down to a maximum of 6.
    pub fn with_scale_state(mut self, scale_state: bool) -> Self {
        self.scale_state = scale_state;
        self
    }

    /// Sets whether the carried cell state is the activated one.
    pub fn with_carry_activated(mut self, carry_activated: impl Into<Option<bool>>) -> Self {
        self.carry_activated = carry_activated.into();
        self
    }

    /// Sets whether outputs hold the bottleneck too.
    pub fn with_output_bottleneck(mut self, output_bottleneck: bool) -> Self {
        self.output_bottleneck = output_bottleneck;
        self
    }

    /// Sets where a sequence starts.
    pub fn with_learned_state(mut self, learned_state: LearnedState) -> Self {
        self.learned_state = learned_state;
        self
    }

    /// Sets how fresh weights are drawn.
    pub fn with_initialization(mut self, initialization: Initialization) -> Self {
        self.initialization = initialization;
        self
    }

    /// Channels of a group, `m = Ch / G`.
    pub fn group_channels(&self) -> usize {
        self.hidden_channels / self.groups.max(1)
    }

    /// Channels of what `forward`, `step_output` and a runner's stream yield: the hidden state's,
    /// twice as many with `output_bottleneck`.
    pub fn output_channels(&self) -> usize {
        self.hidden_channels * if self.output_bottleneck { 2 } else { 1 }
    }

    /// Whether the carried cell state is the activated one: `carry_activated`, or by default for
    /// more than one group.
    pub fn carries_activated(&self) -> bool {
        self.carry_activated.unwrap_or(self.groups > 1)
    }

    /// The `[height, width]` that a peephole or a learned state pins, if one does.
    pub fn pinned_spatial(&self) -> Option<[usize; 2]> {
        match (self.peephole, self.learned_state) {
            (Some(Peephole::PerPosition(size)), _) | (_, LearnedState::PerPosition(size)) => {
                Some(size)
            }
            _ => None,
        }
    }

    /// Checks the table of legal combinations above.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] that names the first field out of order.
    pub fn validate(&self) -> Result<(), ConfigError> {
        checks::at_least_one("input_channels", self.input_channels)?;
        checks::at_least_one("hidden_channels", self.hidden_channels)?;
        checks::at_least_one("groups", self.groups)?;
        if !self.hidden_channels.is_multiple_of(2) {
            return Err(ConfigError::OddHiddenChannels {
                found: self.hidden_channels,
            });
        }
        checks::odd_kernel(self.kernel_size)?;
        if !self.hidden_channels.is_multiple_of(self.groups) {
            return Err(ConfigError::Groups {
                groups: self.groups,
                hidden_channels: self.hidden_channels,
            });
        }
        if self.groups > 1 && self.depthwise == Depthwise::Input {
            return Err(ConfigError::Conflict {
                first: "groups > 1",
                second: "depthwise Input",
                reason: "each group has depthwise kernels of its own over its slice of the hidden state",
            });
        }
        checks::finite("forget_bias", self.forget_bias)?;
        if let Some(clip) = self.clip_state {
            if !(clip.is_finite() && clip > 0.0) {
                return Err(ConfigError::Number {
                    field: "clip_state",
                    expected: "finite and above 0",
                    found: clip,
                });
            }
            if self.scale_state {
                return Err(ConfigError::Conflict {
                    first: "clip_state",
                    second: "scale_state",
                    reason: "the new cell state is either clipped or scaled",
                });
            }
        }
        let peephole = match self.peephole {
            Some(Peephole::PerPosition(size)) => Some(checks::spatial("peephole", size)?),
            _ => None,
        };
        let learned = match self.learned_state {
            LearnedState::PerPosition(size) => Some(checks::spatial("learned_state", size)?),
            _ => None,
        };
        if let (Some(expected), Some(found)) = (peephole, learned)
            && expected != found
        {
            return Err(ConfigError::SpatialConflict {
                first: "peephole",
                second: "learned_state",
                expected,
                found,
            });
        }
        checks::parameter_count(self.parameters())
    }

    /// The number of trainable parameters (`usize::MAX` where it does not fit).
    pub fn num_params(&self) -> usize {
        usize::try_from(self.parameters()).unwrap_or(usize::MAX)
    }

    /// Multiply-accumulates of one step of batch 1 at `spatial = [height, width]`. Biases,
    /// activations and products are not counted (`u64::MAX` where it does not fit).
    pub fn macs(&self, spatial: [usize; 2]) -> u64 {
        checks::macs(self.weights(), spatial)
    }

    /// Weights of all convolutions, which is the multiply-accumulates at one position.
    fn weights(&self) -> u128 {
        let [ci, ch, k, g, m] = self.sizes();
        let area = k.saturating_mul(k);
        let depthwise = match self.depthwise {
            Depthwise::Input => ci,
            Depthwise::InputAndHidden => g * (ci + m),
        };
        (depthwise + ch)
            .saturating_mul(area)
            .saturating_add(ch * (ci + m) + 4 * ch * m)
    }

    fn parameters(&self) -> u128 {
        let [ci, ch, ..] = self.sizes();
        let positions = |size| {
            let [height, width] = checks::capped(size);
            ch.saturating_mul(height * width)
        };
        let depthwise_bias = if self.depthwise == Depthwise::Input {
            ci
        } else {
            0
        };
        let gate_bias = if self.gate_bias { 4 * ch } else { 0 };
        let peephole = match self.peephole {
            None => 0,
            Some(Peephole::PerChannel) => ch,
            Some(Peephole::PerPosition(size)) => positions(size),
        };
        let learned = match self.learned_state {
            LearnedState::None => 0,
            LearnedState::PerChannel => ch,
            LearnedState::PerPosition(size) => positions(size),
        };
        self.weights()
            .saturating_add(depthwise_bias + ch + gate_bias)
            .saturating_add(peephole.saturating_mul(3))
            .saturating_add(learned.saturating_mul(2))
    }

    /// `[Ci, Ch, k, G, m]`.
    fn sizes(&self) -> [u128; 5] {
        checks::capped([
            self.input_channels,
            self.hidden_channels,
            self.kernel_size,
            self.groups,
            self.group_channels(),
        ])
    }
}
