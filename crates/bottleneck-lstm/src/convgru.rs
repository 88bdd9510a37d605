//! The convolutional GRU, the other cell that people use today.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::record::Record;
use burn::tensor::activation::tanh;
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, DType, ElementConversion, Int, Tensor};
use serde::{Deserialize, Serialize};

use crate::convolution::same;
use crate::reference::sigmoid;
use crate::sequence::Resets;
use crate::{ConfigError, Initialization, ShapeError, checks, sequence};

/// The state of a [`ConvGru`]. See [`BottleneckLstmState`](crate::BottleneckLstmState), whose
/// methods it has.
#[derive(Record, Debug, Clone)]
pub struct ConvGruState<B: Backend> {
    /// The hidden state, `[batch, hidden, height, width]`.
    pub hidden: Tensor<B, 4>,
}

impl<B: Backend> ConvGruState<B> {
    /// A state of the given tensor, `[batch, hidden, height, width]`.
    pub fn new(hidden: Tensor<B, 4>) -> Self {
        Self { hidden }
    }

    /// A state of zeros, of shape `[batch, hidden, height, width]` and the device's default element
    /// type. A cell's `init_state` has the element type of its parameters.
    pub fn zeros(shape: [usize; 4], device: &B::Device) -> Self {
        Self::new(Tensor::zeros(shape, device))
    }

    /// The batch size.
    pub fn batch(&self) -> usize {
        self.hidden.dims()[0]
    }

    /// Cuts the state from how it came about, so that no gradient flows further back. Without
    /// `Autodiff` this changes nothing.
    pub fn detach(self) -> Self {
        Self::new(self.hidden.detach())
    }

    /// Moves the state to a device.
    pub fn to_device(self, device: &B::Device) -> Self {
        Self::new(self.hidden.to_device(device))
    }

    /// The rows of the batch that `indices`, `[rows]`, names, in that order.
    pub fn select(self, indices: Tensor<B, 1, Int>) -> Self {
        Self::new(self.hidden.select(0, indices))
    }

    /// Joins states over the batch.
    ///
    /// # Panics
    ///
    /// If `states` is empty or their other dimensions differ, as [`Tensor::cat`] does.
    pub fn cat(states: Vec<Self>) -> Self {
        Self::new(Tensor::cat(
            states.into_iter().map(|state| state.hidden).collect(),
            0,
        ))
    }

    /// Sets the rows of the batch where `mask`, `[batch]`, holds to zero.
    pub fn reset(self, mask: Tensor<B, 1, Bool>) -> Self {
        let mask = mask.reshape([-1, 1, 1, 1]).expand(self.hidden.dims());
        Self::new(self.hidden.mask_fill(mask, 0.0))
    }

    /// Sets the rows of the batch where `mask`, `[batch]`, holds to those of `start`, a state of the
    /// same shape.
    pub fn reset_to(self, mask: Tensor<B, 1, Bool>, start: Self) -> Self {
        let mask = mask.reshape([-1, 1, 1, 1]).expand(self.hidden.dims());
        Self::new(self.hidden.mask_where(mask, start.hidden))
    }

    /// Whether every value is finite. This waits for the device: it reads one value back.
    pub fn is_finite(&self) -> bool {
        self.hidden.clone().is_finite().all().into_scalar().elem()
    }
}

/// Configuration of a [`ConvGru`].
///
/// Legal are at least one channel each, an odd kernel size, and at most 2^28 parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvGruConfig {
    /// Channels of the input, `Ci`.
    pub input_channels: usize,
    /// Channels of the hidden state, `Ch`.
    pub hidden_channels: usize,
    /// Side of the kernels, `k`. Default 3.
    #[serde(default = "default_kernel_size")]
    pub kernel_size: usize,
    /// How fresh weights are drawn. Default [`Initialization::FanIn`].
    #[serde(default)]
    pub initialization: Initialization,
}

fn default_kernel_size() -> usize {
    3
}

impl Config for ConvGruConfig {}

/// A convolutional GRU (Ballas et al., *Delving Deeper into Convolutional Networks for Learning
/// Video Representations*, ICLR 2016, equations 4 to 7).
///
/// ```text
/// z, r = sigmoid(conv(x | h) + bias)
/// n = tanh(conv(x | r . h) + bias)
/// h' = (1 - z) . n + z . h
/// ```
///
/// | field | shape |
/// |---|---|
/// | `gates` | `[2 * hidden, input + hidden, k, k]`; rows update gate `z`, reset gate `r`, columns first input, then hidden |
/// | `gates_bias` | `[2 * hidden]` |
/// | `candidate` | `[hidden, input + hidden, k, k]` |
/// | `candidate_bias` | `[hidden]` |
///
/// # Example
///
/// ```
/// use bottleneck_lstm::ConvGruConfig;
/// use burn::tensor::{Distribution, Tensor};
/// use burn_flex::Flex;
///
/// let device = Default::default();
/// let cell = ConvGruConfig::new(16, 8).init::<Flex>(&device);
/// let xs = Tensor::random([2, 5, 16, 10, 10], Distribution::Default, &device);
/// let (hs, state) = cell.forward(xs, None);
/// assert_eq!(hs.dims(), [2, 5, 8, 10, 10]);
/// assert_eq!(state.hidden.dims(), [2, 8, 10, 10]);
/// ```
#[derive(Module, Debug)]
pub struct ConvGru<B: Backend> {
    /// Weights of the update and the reset gate.
    pub gates: Param<Tensor<B, 4>>,
    /// Bias of the update and the reset gate.
    pub gates_bias: Param<Tensor<B, 1>>,
    /// Weights of the candidate.
    pub candidate: Param<Tensor<B, 4>>,
    /// Bias of the candidate.
    pub candidate_bias: Param<Tensor<B, 1>>,
    #[module(skip)]
    config: ConvGruConfig,
}

impl ConvGruConfig {
    /// The 3x3 cell, from `input_channels` to `hidden_channels`.
    pub fn new(input_channels: usize, hidden_channels: usize) -> Self {
        Self {
            input_channels,
            hidden_channels,
            kernel_size: default_kernel_size(),
            initialization: Initialization::default(),
        }
    }

    /// Sets the side of the kernels.
    pub fn with_kernel_size(mut self, kernel_size: usize) -> Self {
        self.kernel_size = kernel_size;
        self
    }

    /// Sets how fresh weights are drawn.
    pub fn with_initialization(mut self, initialization: Initialization) -> Self {
        self.initialization = initialization;
        self
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
        (3 * hidden * (input + hidden)).saturating_mul(k * k)
    }

    fn parameters(&self) -> u128 {
        let [hidden] = checks::capped([self.hidden_channels]);
        self.weights().saturating_add(3 * hidden)
    }

    /// Builds the cell with fresh weights.
    ///
    /// # Panics
    ///
    /// If the configuration is not legal; see [`try_init`](Self::try_init).
    pub fn init<B: Backend>(&self, device: &B::Device) -> ConvGru<B> {
        self.try_init(device)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Builds the cell with fresh weights.
    ///
    /// # Errors
    ///
    /// What [`validate`](Self::validate) finds.
    pub fn try_init<B: Backend>(&self, device: &B::Device) -> Result<ConvGru<B>, ConfigError> {
        self.validate()?;
        let (input, hidden, k) = (self.input_channels, self.hidden_channels, self.kernel_size);
        let draw = |out| {
            self.initialization
                .draw([out, input + hidden, k, k], 1.0, hidden, device)
        };
        let zeros = |size| Param::from_tensor(Tensor::zeros([size], device));
        Ok(ConvGru {
            gates: draw(2 * hidden),
            gates_bias: zeros(2 * hidden),
            candidate: draw(hidden),
            candidate_bias: zeros(hidden),
            config: self.clone(),
        })
    }
}

impl<B: Backend> ConvGru<B> {
    /// The configuration that the cell was built from.
    pub fn config(&self) -> &ConvGruConfig {
        &self.config
    }

    /// The state at the start of `batch` videos of `spatial = [height, width]`: zeros.
    ///
    /// # Panics
    ///
    /// As [`try_init_state`](Self::try_init_state) errs.
    pub fn init_state(&self, batch: usize, spatial: [usize; 2]) -> ConvGruState<B> {
        self.try_init_state(batch, spatial)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// The state at the start, as [`init_state`](Self::init_state).
    ///
    /// # Errors
    ///
    /// If a size is zero or if the state would be too large to allocate.
    pub fn try_init_state(
        &self,
        batch: usize,
        [height, width]: [usize; 2],
    ) -> Result<ConvGruState<B>, ShapeError> {
        let shape = [batch, self.config.hidden_channels, height, width];
        checks::allocatable("state", &shape)?;
        let weights = self.gates.val();
        Ok(ConvGruState::new(Tensor::zeros(
            shape,
            (&weights.device(), weights.dtype()),
        )))
    }

    /// Runs one step on `x`, `[batch, input, height, width]`, and returns the new state. No state
    /// means the start of a video.
    ///
    /// # Panics
    ///
    /// As [`try_step`](Self::try_step) errs.
    pub fn step(&self, x: Tensor<B, 4>, state: Option<ConvGruState<B>>) -> ConvGruState<B> {
        self.try_step(x, state)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs one step, as [`step`](Self::step).
    ///
    /// # Errors
    ///
    /// If the input's channels are not the cell's, if the state's shape does not fit the input, or
    /// if element types differ.
    pub fn try_step(
        &self,
        x: Tensor<B, 4>,
        state: Option<ConvGruState<B>>,
    ) -> Result<ConvGruState<B>, ShapeError> {
        let state = self.start(x.dims(), x.dtype(), state)?;
        let (_, state) = self.run(x.unsqueeze_dim(1), state);
        Ok(state)
    }

    /// Runs the sequence `xs`, `[batch, time, input, height, width]`. Returns the hidden state at
    /// every step, `[batch, time, hidden, height, width]`, and the last state. No state means the
    /// start of a video.
    ///
    /// The parts of the convolutions that do not depend on the state are computed for all steps at
    /// once. The result equals that of any split of the sequence into chunks.
    ///
    /// # Panics
    ///
    /// As [`try_forward`](Self::try_forward) errs.
    pub fn forward(
        &self,
        xs: Tensor<B, 5>,
        state: Option<ConvGruState<B>>,
    ) -> (Tensor<B, 5>, ConvGruState<B>) {
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
        state: Option<ConvGruState<B>>,
    ) -> Result<(Tensor<B, 5>, ConvGruState<B>), ShapeError> {
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
        state: Option<ConvGruState<B>>,
        reset: Tensor<B, 2, Bool>,
    ) -> (Tensor<B, 5>, ConvGruState<B>) {
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
        state: Option<ConvGruState<B>>,
        reset: Tensor<B, 2, Bool>,
    ) -> Result<(Tensor<B, 5>, ConvGruState<B>), ShapeError> {
        let state = self.sequence_start(&xs, state)?;
        let run = |xs, state| self.run(xs, state);
        let resets = Resets::read(&xs, reset)?;
        Ok(resets.forward(xs, state, ConvGruState::reset, run))
    }

    /// Validates an input `[batch, input, height, width]` and its state; without a state, the one
    /// at the start.
    fn start(
        &self,
        dims: [usize; 4],
        dtype: DType,
        state: Option<ConvGruState<B>>,
    ) -> Result<ConvGruState<B>, ShapeError> {
        let [batch, _, height, width] = dims;
        let ConvGruConfig {
            input_channels,
            hidden_channels,
            ..
        } = self.config;
        checks::image("input", input_channels, None, dims)?;
        checks::dtype("input", self.gates.val().dtype(), dtype)?;
        let Some(state) = state else {
            return self.try_init_state(batch, [height, width]);
        };
        let expected = [batch, hidden_channels, height, width];
        checks::hidden("state.hidden", &state.hidden, expected, dtype)?;
        Ok(state)
    }

    /// [`start`](Self::start) of a sequence.
    fn sequence_start(
        &self,
        xs: &Tensor<B, 5>,
        state: Option<ConvGruState<B>>,
    ) -> Result<ConvGruState<B>, ShapeError> {
        let [batch, _, channels, height, width] = xs.dims();
        checks::allocatable("input", &xs.dims())?;
        self.start([batch, channels, height, width], xs.dtype(), state)
    }

    fn run(&self, xs: Tensor<B, 5>, state: ConvGruState<B>) -> (Tensor<B, 5>, ConvGruState<B>) {
        let ConvGruConfig {
            input_channels: input,
            hidden_channels: hidden,
            ..
        } = self.config;
        let project = |xs: Tensor<B, 4>| {
            // All three convolutions over the input are one.
            let weights = Tensor::cat(vec![self.gates.val(), self.candidate.val()], 0);
            let bias = Tensor::cat(vec![self.gates_bias.val(), self.candidate_bias.val()], 0);
            same(xs, weights.narrow(1, 0, input), Some(bias), 1)
        };
        sequence::scan(
            xs,
            project,
            state,
            |projected, ConvGruState { hidden: h }| {
                let recurrent = |weights: &Param<Tensor<B, 4>>, h| {
                    same(h, weights.val().narrow(1, input, hidden), None, 1)
                };
                let gates = projected.clone().narrow(1, 0, 2 * hidden);
                let gates = sigmoid(gates + recurrent(&self.gates, h.clone()));
                let update = gates.clone().narrow(1, 0, hidden);
                let reset = gates.narrow(1, hidden, hidden);
                let candidate = projected.narrow(1, 2 * hidden, hidden);
                let candidate = tanh(candidate + recurrent(&self.candidate, reset * h.clone()));
                let h = candidate.clone() + update * (h - candidate);
                (h.clone(), ConvGruState::new(h))
            },
        )
    }
}
