//! The convolutional LSTM that Bottleneck-LSTM is measured against.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::tensor::activation::tanh;
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::convolution::same;
use crate::reference::{peephole, sigmoid};
use crate::sequence::Resets;
use crate::{
    BottleneckLstmState, ConfigError, Initialization, Peephole, ShapeError, checks, sequence,
};

/// The state of a [`ConvLstm`]: cell and hidden, as that of a
/// [`BottleneckLstm`](crate::BottleneckLstm).
pub type ConvLstmState<B> = BottleneckLstmState<B>;

/// Configuration of a [`ConvLstm`].
///
/// Legal are at least one channel each, an odd kernel size, peephole sizes of at least 1, a finite
/// forget bias, and at most 2^28 parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvLstmConfig {
    /// Channels of the input, `Ci`.
    pub input_channels: usize,
    /// Channels of the hidden and of the cell state, `Ch`.
    pub hidden_channels: usize,
    /// Side of the kernels, `k`. Default 3.
    #[serde(default = "default_kernel_size")]
    pub kernel_size: usize,
    /// Whether the convolution is one depthwise over input and hidden state, which all gates
    /// share, and a pointwise one. Default false.
    #[serde(default)]
    pub separable: bool,
    /// A constant added to the forget gate before its sigmoid. Default 0.
    #[serde(default)]
    pub forget_bias: f64,
    /// How the gates see the cell state. Default none.
    #[serde(default)]
    pub peephole: Option<Peephole>,
    /// How fresh weights are drawn. Default [`Initialization::FanIn`].
    #[serde(default)]
    pub initialization: Initialization,
}

fn default_kernel_size() -> usize {
    3
}

impl Config for ConvLstmConfig {}

/// A convolutional LSTM (Shi et al., *Convolutional LSTM Network*, NeurIPS 2015, equation 3).
///
/// ```text
/// i, f, j, o = conv(x | h) + bias
/// c' = sigmoid(f + w_cf . c + forget_bias) . c + sigmoid(i + w_ci . c) . tanh(j)
/// h' = sigmoid(o + w_co . c') . tanh(c')
/// ```
///
/// | field | shape |
/// |---|---|
/// | `depthwise` | `[input + hidden, 1, k, k]`, only if separable |
/// | `gates` | `[4 * hidden, input + hidden, k, k]`, or `[.., 1, 1]` if separable; rows input, forget, candidate and output gate, columns first input, then hidden |
/// | `gates_bias` | `[4 * hidden]` |
/// | `peephole_input`, `peephole_forget`, `peephole_output` | `[hidden, 1, 1]` or `[hidden, height, width]` |
///
/// # Example
///
/// ```
/// use bottleneck_lstm::ConvLstmConfig;
/// use burn::tensor::{Distribution, Tensor};
/// use burn_flex::Flex;
///
/// let device = Default::default();
/// let config = ConvLstmConfig::new(16, 8);
/// assert_eq!(config.num_params(), 36 * 8 * (16 + 8) + 4 * 8);
/// let cell = config.init::<Flex>(&device);
/// let xs = Tensor::random([2, 5, 16, 10, 10], Distribution::Default, &device);
/// let (hs, state) = cell.forward(xs, None);
/// assert_eq!(hs.dims(), [2, 5, 8, 10, 10]);
/// assert_eq!(state.cell.dims(), [2, 8, 10, 10]);
/// ```
#[derive(Module, Debug)]
pub struct ConvLstm<B: Backend> {
    /// Kernels of the depthwise convolution.
    pub depthwise: Option<Param<Tensor<B, 4>>>,
    /// Weights of the four gates.
    pub gates: Param<Tensor<B, 4>>,
    /// Bias of the four gates.
    pub gates_bias: Param<Tensor<B, 1>>,
    /// Weights from the old cell state to the input gate.
    pub peephole_input: Option<Param<Tensor<B, 3>>>,
    /// Weights from the old cell state to the forget gate.
    pub peephole_forget: Option<Param<Tensor<B, 3>>>,
    /// Weights from the new cell state to the output gate.
    pub peephole_output: Option<Param<Tensor<B, 3>>>,
    #[module(skip)]
    config: ConvLstmConfig,
}

impl ConvLstmConfig {
    /// The full 3x3 cell, from `input_channels` to `hidden_channels`.
    pub fn new(input_channels: usize, hidden_channels: usize) -> Self {
        Self {
            input_channels,
            hidden_channels,
            kernel_size: default_kernel_size(),
            separable: false,
            forget_bias: 0.0,
            peephole: None,
            initialization: Initialization::default(),
        }
    }

    /// Sets the side of the kernels.
    pub fn with_kernel_size(mut self, kernel_size: usize) -> Self {
        self.kernel_size = kernel_size;
        self
    }

    /// Sets whether the convolution is separable.
    pub fn with_separable(mut self, separable: bool) -> Self {
        self.separable = separable;
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

    /// Sets how fresh weights are drawn.
    pub fn with_initialization(mut self, initialization: Initialization) -> Self {
        self.initialization = initialization;
        self
    }

    /// The `[height, width]` that a peephole pins, if one does.
    pub fn pinned_spatial(&self) -> Option<[usize; 2]> {
        match self.peephole {
            Some(Peephole::PerPosition(size)) => Some(size),
            _ => None,
        }
    }

    /// Checks that the configuration is legal.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] that names the first field out of order.
    pub fn validate(&self) -> Result<(), ConfigError> {
        checks::at_least_one("input_channels", self.input_channels)?;
        checks::at_least_one("hidden_channels", self.hidden_channels)?;
        checks::odd_kernel(self.kernel_size)?;
        checks::finite("forget_bias", self.forget_bias)?;
        if let Some(size) = self.pinned_spatial() {
            checks::spatial("peephole", size)?;
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

    fn weights(&self) -> u128 {
        let [input, hidden, k] =
            checks::capped([self.input_channels, self.hidden_channels, self.kernel_size]);
        let pointwise = 4 * hidden * (input + hidden);
        if self.separable {
            pointwise.saturating_add((input + hidden).saturating_mul(k * k))
        } else {
            pointwise.saturating_mul(k * k)
        }
    }

    fn parameters(&self) -> u128 {
        let [hidden] = checks::capped([self.hidden_channels]);
        let peephole = match self.peephole {
            None => 0,
            Some(Peephole::PerChannel) => hidden,
            Some(Peephole::PerPosition(size)) => {
                let [height, width] = checks::capped(size);
                hidden.saturating_mul(height * width)
            }
        };
        self.weights()
            .saturating_add(4 * hidden)
            .saturating_add(peephole.saturating_mul(3))
    }

    /// Builds the cell with fresh weights.
    ///
    /// # Panics
    ///
    /// If the configuration is not legal; see [`try_init`](Self::try_init).
    pub fn init<B: Backend>(&self, device: &B::Device) -> ConvLstm<B> {
        self.try_init(device)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Builds the cell with fresh weights.
    ///
    /// # Errors
    ///
    /// What [`validate`](Self::validate) finds.
    pub fn try_init<B: Backend>(&self, device: &B::Device) -> Result<ConvLstm<B>, ConfigError> {
        self.validate()?;
        let (input, hidden, k) = (self.input_channels, self.hidden_channels, self.kernel_size);
        let both = input + hidden;
        let draw = |shape, outputs| self.initialization.draw(shape, 1.0, outputs, device);
        let side = if self.separable { 1 } else { k };
        let peephole = self.peephole.map(|peephole| match peephole {
            Peephole::PerChannel => [hidden, 1, 1],
            Peephole::PerPosition([height, width]) => [hidden, height, width],
        });
        let peephole = || peephole.map(|shape| Param::from_tensor(Tensor::zeros(shape, device)));
        Ok(ConvLstm {
            depthwise: self.separable.then(|| draw([both, 1, k, k], both)),
            gates: draw([4 * hidden, both, side, side], hidden),
            gates_bias: Param::from_tensor(Tensor::zeros([4 * hidden], device)),
            peephole_input: peephole(),
            peephole_forget: peephole(),
            peephole_output: peephole(),
            config: self.clone(),
        })
    }
}

impl<B: Backend> ConvLstm<B> {
    /// The configuration that the cell was built from.
    pub fn config(&self) -> &ConvLstmConfig {
        &self.config
    }

    /// The state at the start of `batch` videos of `spatial = [height, width]`: zeros.
    ///
    /// # Panics
    ///
    /// As [`try_init_state`](Self::try_init_state) errs.
    pub fn init_state(&self, batch: usize, spatial: [usize; 2]) -> ConvLstmState<B> {
        self.try_init_state(batch, spatial)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// The state at the start, as [`init_state`](Self::init_state).
    ///
    /// # Errors
    ///
    /// If a size is zero, if the state would be too large to allocate, or if a peephole pins
    /// another size.
    pub fn try_init_state(
        &self,
        batch: usize,
        [height, width]: [usize; 2],
    ) -> Result<ConvLstmState<B>, ShapeError> {
        let channels = self.config.hidden_channels;
        let shape = [batch, channels, height, width];
        checks::image("state", channels, self.config.pinned_spatial(), shape)?;
        let weights = self.gates.val();
        let zeros = Tensor::zeros(shape, (&weights.device(), weights.dtype()));
        Ok(ConvLstmState::new(zeros.clone(), zeros))
    }

    /// Runs one step on `x`, `[batch, input, height, width]`, and returns the new state. No state
    /// means the start of a video.
    ///
    /// # Panics
    ///
    /// As [`try_step`](Self::try_step) errs.
    pub fn step(&self, x: Tensor<B, 4>, state: Option<ConvLstmState<B>>) -> ConvLstmState<B> {
        self.try_step(x, state)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs one step, as [`step`](Self::step).
    ///
    /// # Errors
    ///
    /// If the input's channels are not the cell's, if the state's shape does not fit the input, if
    /// a peephole pins another size, or if element types differ.
    pub fn try_step(
        &self,
        x: Tensor<B, 4>,
        state: Option<ConvLstmState<B>>,
    ) -> Result<ConvLstmState<B>, ShapeError> {
        let state = self.start(x.dims(), x.dtype(), state)?;
        let (_, state) = self.run(x.unsqueeze_dim(1), state);
        Ok(state)
    }

    /// Runs the sequence `xs`, `[batch, time, input, height, width]`. Returns the hidden state at
    /// every step, `[batch, time, hidden, height, width]`, and the last state. No state means the
    /// start of a video.
    ///
    /// The part of the convolution that does not depend on the state is computed for all steps at
    /// once. The result equals that of any split of the sequence into chunks.
    ///
    /// # Panics
    ///
    /// As [`try_forward`](Self::try_forward) errs.
    pub fn forward(
        &self,
        xs: Tensor<B, 5>,
        state: Option<ConvLstmState<B>>,
    ) -> (Tensor<B, 5>, ConvLstmState<B>) {
        self.try_forward(xs, state)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs a sequence, as [`forward`](Self::forward).
    ///
    /// # Errors
    ///
    /// As [`try_step`](Self::try_step), and if the sequence has no step.
    pub fn try_forward(
        &self,
        xs: Tensor<B, 5>,
        state: Option<ConvLstmState<B>>,
    ) -> Result<(Tensor<B, 5>, ConvLstmState<B>), ShapeError> {
        let state = self.sequence_start(&xs, state)?;
        Ok(self.run(xs, state))
    }

    /// Runs a sequence whose rows start anew before the steps where `reset`, `[batch, time]`, holds;
    /// see [`BottleneckLstm::forward_reset`](crate::BottleneckLstm::forward_reset).
    ///
    /// # Panics
    ///
    /// As [`try_forward_reset`](Self::try_forward_reset) errs.
    pub fn forward_reset(
        &self,
        xs: Tensor<B, 5>,
        state: Option<ConvLstmState<B>>,
        reset: Tensor<B, 2, Bool>,
    ) -> (Tensor<B, 5>, ConvLstmState<B>) {
        self.try_forward_reset(xs, state, reset)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs a sequence, as [`forward_reset`](Self::forward_reset).
    ///
    /// # Errors
    ///
    /// As [`try_forward`](Self::try_forward), and if the mask's shape is not `[batch, time]`.
    pub fn try_forward_reset(
        &self,
        xs: Tensor<B, 5>,
        state: Option<ConvLstmState<B>>,
        reset: Tensor<B, 2, Bool>,
    ) -> Result<(Tensor<B, 5>, ConvLstmState<B>), ShapeError> {
        let state = self.sequence_start(&xs, state)?;
        let run = |xs, state| self.run(xs, state);
        let resets = Resets::read(&xs, reset)?;
        Ok(resets.forward(xs, state, ConvLstmState::reset, run))
    }

    /// Validates an input `[batch, input, height, width]` and its state; without a state, the one
    /// at the start.
    fn start(
        &self,
        dims: [usize; 4],
        dtype: DType,
        state: Option<ConvLstmState<B>>,
    ) -> Result<ConvLstmState<B>, ShapeError> {
        let [batch, _, height, width] = dims;
        let ConvLstmConfig {
            input_channels,
            hidden_channels,
            ..
        } = self.config;
        checks::image("input", input_channels, self.config.pinned_spatial(), dims)?;
        checks::dtype("input", self.gates.val().dtype(), dtype)?;
        let Some(state) = state else {
            return self.try_init_state(batch, [height, width]);
        };
        checks::state(&state, [batch, hidden_channels, height, width], dtype)?;
        Ok(state)
    }

    /// [`start`](Self::start) of a sequence.
    fn sequence_start(
        &self,
        xs: &Tensor<B, 5>,
        state: Option<ConvLstmState<B>>,
    ) -> Result<ConvLstmState<B>, ShapeError> {
        let [batch, _, channels, height, width] = xs.dims();
        checks::allocatable("input", &xs.dims())?;
        self.start([batch, channels, height, width], xs.dtype(), state)
    }

    fn run(&self, xs: Tensor<B, 5>, state: ConvLstmState<B>) -> (Tensor<B, 5>, ConvLstmState<B>) {
        let ConvLstmConfig {
            input_channels,
            hidden_channels,
            ..
        } = self.config;
        let bias = Some(self.gates_bias.val());
        let project = |xs| self.convolve(xs, 0, input_channels, bias);
        sequence::scan(xs, project, state, |projected, state| {
            let hidden = state.hidden.clone();
            let gates = projected + self.convolve(hidden, input_channels, hidden_channels, None);
            let state = self.update(gates, state.cell);
            (state.hidden.clone(), state)
        })
    }

    /// The part of the convolution over the `len` channels from `start` on.
    fn convolve(
        &self,
        x: Tensor<B, 4>,
        start: usize,
        len: usize,
        bias: Option<Tensor<B, 1>>,
    ) -> Tensor<B, 4> {
        let x = match &self.depthwise {
            Some(kernels) => same(x, kernels.val().narrow(0, start, len), None, len),
            None => x,
        };
        same(x, self.gates.val().narrow(1, start, len), bias, 1)
    }

    /// The new state from the gates' pre-activations and the old cell state.
    fn update(&self, gates: Tensor<B, 4>, cell: Tensor<B, 4>) -> ConvLstmState<B> {
        let gate = |index: usize| {
            let hidden = self.config.hidden_channels;
            gates.clone().narrow(1, index * hidden, hidden)
        };
        let input = sigmoid(peephole(gate(0), &self.peephole_input, &cell));
        let forget = peephole(gate(1), &self.peephole_forget, &cell);
        let forget = sigmoid(forget.add_scalar(self.config.forget_bias));
        let cell = forget * cell + input * tanh(gate(2));
        let output = sigmoid(peephole(gate(3), &self.peephole_output, &cell));
        let hidden = output * tanh(cell.clone());
        ConvLstmState::new(cell, hidden)
    }
}
