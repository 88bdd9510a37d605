//! The cell itself: its parameters, and how to run it.

use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, DType, Tensor};

use crate::config::LearnedState;
use crate::convolution::POINTWISE_GAIN;
use crate::reference::{self, Gates};
use crate::runner::CellRunner;
use crate::sequence::Resets;
use crate::{
    BottleneckLstmConfig, BottleneckLstmState, ConfigError, Depthwise, Peephole, Reference,
    ShapeError, checks,
};

/// A convolutional LSTM whose gates see a narrow *bottleneck* of input and hidden state, computed
/// by depthwise separable convolutions (Liu & Zhu, *Mobile Video Object Detection with
/// Temporally-Aware Feature Maps*, CVPR 2018, section 3.3).
///
/// Build it with [`BottleneckLstmConfig`]. With `m = hidden / groups` and a kernel side of `k`, its
/// parameters are, in Burn's `[out, in / groups, height, width]` layout:
///
/// | field | shape |
/// |---|---|
/// | `depthwise` | `[input, 1, k, k]`, or with [`Depthwise::InputAndHidden`] `[groups * (input + m), 1, k, k]`: for each group its kernels over the input, then over its hidden channels |
/// | `depthwise_bias` | `[input]`, only with [`Depthwise::Input`] |
/// | `bottleneck` | `[hidden, input + m, 1, 1]`: rows by group, columns first input, then hidden |
/// | `bottleneck_bias` | `[hidden]` |
/// | `bottleneck_depthwise` | `[hidden, 1, k, k]` |
/// | `gates` | `[4 * hidden, m, 1, 1]`: for each group `m` rows each of input, forget, candidate and output gate |
/// | `gates_bias` | `[4 * hidden]`, likewise |
/// | `peephole_input`, `peephole_forget`, `peephole_output` | `[hidden, 1, 1]` or `[hidden, height, width]` |
/// | `initial_cell`, `initial_hidden` | `[hidden, 1, 1]` or `[hidden, height, width]` |
///
/// They are public, to be looked at and replaced. What a caller puts in their place must keep
/// their shapes and be of one element type; that is not checked again.
///
/// To run a trained cell, take it off `Autodiff` with
/// [`valid`](burn::module::AutodiffModule::valid): see [`BottleneckLstmState`].
///
/// # Example
///
/// ```
/// use bottleneck_lstm::BottleneckLstmConfig;
/// use burn::tensor::{Distribution, Tensor};
/// use burn_flex::Flex;
///
/// let device = Default::default();
/// let cell = BottleneckLstmConfig::new(16, 8).init::<Flex>(&device);
///
/// // Two videos of five feature maps, [batch, time, channels, height, width].
/// let xs = Tensor::random([2, 5, 16, 10, 10], Distribution::Default, &device);
/// let (hs, state) = cell.forward(xs, None);
/// assert_eq!(hs.dims(), [2, 5, 8, 10, 10]);
///
/// // The next frame goes on from there.
/// let x = Tensor::random([2, 16, 10, 10], Distribution::Default, &device);
/// let state = cell.step(x, Some(state));
/// assert_eq!(state.hidden.dims(), [2, 8, 10, 10]);
/// ```
#[derive(Module, Debug)]
pub struct BottleneckLstm<B: Backend> {
    /// Kernels of the first depthwise convolution.
    pub depthwise: Param<Tensor<B, 4>>,
    /// Bias of the first depthwise convolution.
    pub depthwise_bias: Option<Param<Tensor<B, 1>>>,
    /// Weights of the pointwise convolution into the bottleneck.
    pub bottleneck: Param<Tensor<B, 4>>,
    /// Bias of the bottleneck.
    pub bottleneck_bias: Param<Tensor<B, 1>>,
    /// Kernels of the depthwise convolution over the bottleneck, which all four gates share.
    pub bottleneck_depthwise: Param<Tensor<B, 4>>,
    /// Weights of the pointwise convolutions of the four gates.
    pub gates: Param<Tensor<B, 4>>,
    /// Bias of the four gates.
    pub gates_bias: Option<Param<Tensor<B, 1>>>,
    /// Weights from the old cell state to the input gate.
    pub peephole_input: Option<Param<Tensor<B, 3>>>,
    /// Weights from the old cell state to the forget gate.
    pub peephole_forget: Option<Param<Tensor<B, 3>>>,
    /// Weights from the new cell state to the output gate.
    pub peephole_output: Option<Param<Tensor<B, 3>>>,
    /// The learned cell state at the start.
    pub initial_cell: Option<Param<Tensor<B, 3>>>,
    /// The learned hidden state at the start.
    pub initial_hidden: Option<Param<Tensor<B, 3>>>,
    #[module(skip)]
    pub(crate) config: BottleneckLstmConfig,
}

impl BottleneckLstmConfig {
    /// Builds the cell with fresh weights.
    ///
    /// # Panics
    ///
    /// If the configuration is not legal; see [`try_init`](Self::try_init).
    pub fn init<B: Backend>(&self, device: &B::Device) -> BottleneckLstm<B> {
        self.try_init(device)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Builds the cell with fresh weights.
    ///
    /// # Errors
    ///
    /// What [`validate`](Self::validate) finds.
    pub fn try_init<B: Backend>(
        &self,
        device: &B::Device,
    ) -> Result<BottleneckLstm<B>, ConfigError> {
        self.validate()?;
        let (ci, ch, k, g) = (
            self.input_channels,
            self.hidden_channels,
            self.kernel_size,
            self.groups,
        );
        let m = self.group_channels();
        let draw = |shape, gain, outputs| self.initialization.draw(shape, gain, outputs, device);
        let over = |channels| draw([channels, 1, k, k], 1.0, channels);
        let zeros = |size| Param::from_tensor(Tensor::zeros([size], device));
        let map = |[height, width]: [usize; 2]| {
            Param::from_tensor(Tensor::zeros([ch, height, width], device))
        };
        let depthwise = match self.depthwise {
            Depthwise::Input => ci,
            Depthwise::InputAndHidden => g * (ci + m),
        };
        let peephole = self.peephole.map(|peephole| match peephole {
            Peephole::PerChannel => [1, 1],
            Peephole::PerPosition(size) => size,
        });
        let learned = match self.learned_state {
            LearnedState::None => None,
            LearnedState::PerChannel => Some([1, 1]),
            LearnedState::PerPosition(size) => Some(size),
        };
        Ok(BottleneckLstm {
            depthwise: over(depthwise),
            depthwise_bias: (self.depthwise == Depthwise::Input).then(|| zeros(ci)),
            bottleneck: self.initialization.draw_recurrent([ch, ci, m], device),
            bottleneck_bias: zeros(ch),
            bottleneck_depthwise: over(ch),
            // Four convolutions of `hidden` channels each, which matters to the PyTorch start.
            gates: draw([4 * ch, m, 1, 1], POINTWISE_GAIN, ch),
            gates_bias: self.gate_bias.then(|| zeros(4 * ch)),
            peephole_input: peephole.map(map),
            peephole_forget: peephole.map(map),
            peephole_output: peephole.map(map),
            initial_cell: learned.map(map),
            initial_hidden: learned.map(map),
            config: self.clone(),
        })
    }
}

impl<B: Backend> BottleneckLstm<B> {
    /// The configuration that the cell was built from.
    pub fn config(&self) -> &BottleneckLstmConfig {
        &self.config
    }

    /// The state at the start of `batch` videos of `spatial = [height, width]`: zeros, or the
    /// learned state.
    ///
    /// # Panics
    ///
    /// As [`try_init_state`](Self::try_init_state) errs.
    pub fn init_state(&self, batch: usize, spatial: [usize; 2]) -> BottleneckLstmState<B> {
        self.try_init_state(batch, spatial)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// The state at the start, as [`init_state`](Self::init_state).
    ///
    /// # Errors
    ///
    /// If a size is zero, if the state would be too large to allocate, or if a peephole or the
    /// learned state pins another size.
    pub fn try_init_state(
        &self,
        batch: usize,
        [height, width]: [usize; 2],
    ) -> Result<BottleneckLstmState<B>, ShapeError> {
        let channels = self.config.hidden_channels;
        let shape = [batch, channels, height, width];
        checks::image("state", channels, self.config.pinned_spatial(), shape)?;
        Ok(match (&self.initial_cell, &self.initial_hidden) {
            (Some(cell), Some(hidden)) => BottleneckLstmState::new(
                cell.val().unsqueeze::<4>().expand(shape),
                hidden.val().unsqueeze::<4>().expand(shape),
            ),
            _ => {
                let weights = self.bottleneck.val();
                let zeros = Tensor::zeros(shape, (&weights.device(), weights.dtype()));
                BottleneckLstmState::new(zeros.clone(), zeros)
            }
        })
    }

    /// Runs one step on `x`, `[batch, input, height, width]`, and returns the new state. No state
    /// means the start of a video.
    ///
    /// # Panics
    ///
    /// As [`try_step`](Self::try_step) errs.
    pub fn step(
        &self,
        x: Tensor<B, 4>,
        state: Option<BottleneckLstmState<B>>,
    ) -> BottleneckLstmState<B> {
        self.step_with(&Reference, x, state)
    }

    /// Runs one step, as [`step`](Self::step).
    ///
    /// # Errors
    ///
    /// If the input's channels are not the cell's, if the state's shape does not fit the input, if
    /// a peephole or the learned state pins another size, or if element types differ.
    pub fn try_step(
        &self,
        x: Tensor<B, 4>,
        state: Option<BottleneckLstmState<B>>,
    ) -> Result<BottleneckLstmState<B>, ShapeError> {
        self.try_step_with(&Reference, x, state)
    }

    /// Runs one step with a runner of the caller's choice.
    ///
    /// # Panics
    ///
    /// As [`try_step`](Self::try_step) errs.
    pub fn step_with<R: CellRunner<B>>(
        &self,
        runner: &R,
        x: Tensor<B, 4>,
        state: Option<BottleneckLstmState<B>>,
    ) -> BottleneckLstmState<B> {
        self.try_step_with(runner, x, state)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs one step with a runner of the caller's choice.
    ///
    /// # Errors
    ///
    /// As [`try_step`](Self::try_step).
    pub fn try_step_with<R: CellRunner<B>>(
        &self,
        runner: &R,
        x: Tensor<B, 4>,
        state: Option<BottleneckLstmState<B>>,
    ) -> Result<BottleneckLstmState<B>, ShapeError> {
        self.try_step_output_with(runner, x, state)
            .map(|(_, state)| state)
    }

    /// Runs one step and returns what the cell yields next to the new state: `h'`,
    /// `[batch, hidden, height, width]`, or with `output_bottleneck` `h' | p`,
    /// `[batch, 2 * hidden, height, width]`.
    ///
    /// # Panics
    ///
    /// As [`try_step`](Self::try_step) errs.
    pub fn step_output(
        &self,
        x: Tensor<B, 4>,
        state: Option<BottleneckLstmState<B>>,
    ) -> (Tensor<B, 4>, BottleneckLstmState<B>) {
        self.try_step_output(x, state)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs one step, as [`step_output`](Self::step_output).
    ///
    /// # Errors
    ///
    /// As [`try_step`](Self::try_step).
    pub fn try_step_output(
        &self,
        x: Tensor<B, 4>,
        state: Option<BottleneckLstmState<B>>,
    ) -> Result<(Tensor<B, 4>, BottleneckLstmState<B>), ShapeError> {
        self.try_step_output_with(&Reference, x, state)
    }

    /// [`step_output`](Self::step_output) with a runner of the caller's choice.
    ///
    /// # Errors
    ///
    /// As [`try_step`](Self::try_step).
    pub fn try_step_output_with<R: CellRunner<B>>(
        &self,
        runner: &R,
        x: Tensor<B, 4>,
        state: Option<BottleneckLstmState<B>>,
    ) -> Result<(Tensor<B, 4>, BottleneckLstmState<B>), ShapeError> {
        let state = self.start(x.dims(), x.dtype(), state)?;
        Ok(runner.step(self, x, state))
    }

    /// Runs one step and returns every gate next to the new state, to look at.
    ///
    /// # Panics
    ///
    /// As [`try_step`](Self::try_step) errs.
    pub fn step_traced(
        &self,
        x: Tensor<B, 4>,
        state: Option<BottleneckLstmState<B>>,
    ) -> (BottleneckLstmState<B>, Gates<B>) {
        self.try_step_traced(x, state)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs one step, as [`step_traced`](Self::step_traced).
    ///
    /// # Errors
    ///
    /// As [`try_step`](Self::try_step).
    pub fn try_step_traced(
        &self,
        x: Tensor<B, 4>,
        state: Option<BottleneckLstmState<B>>,
    ) -> Result<(BottleneckLstmState<B>, Gates<B>), ShapeError> {
        let state = self.start(x.dims(), x.dtype(), state)?;
        let projected = reference::project_input(self, x);
        Ok(reference::recur(self, projected, state))
    }

    /// Runs the sequence `xs`, `[batch, time, input, height, width]`. Returns what the cell yields
    /// at every step, `[batch, time, hidden, height, width]` (twice the channels with
    /// `output_bottleneck`), and the last state. No state means the start of a video.
    ///
    /// The part of the bottleneck that does not depend on the state is computed for all steps at
    /// once. The result equals that of any split of the sequence into chunks.
    ///
    /// # Panics
    ///
    /// As [`try_forward`](Self::try_forward) errs.
    pub fn forward(
        &self,
        xs: Tensor<B, 5>,
        state: Option<BottleneckLstmState<B>>,
    ) -> (Tensor<B, 5>, BottleneckLstmState<B>) {
        self.forward_with(&Reference, xs, state)
    }

    /// Runs a sequence, as [`forward`](Self::forward).
    ///
    /// # Errors
    ///
    /// As [`try_step`](Self::try_step), and if the sequence has no step.
    pub fn try_forward(
        &self,
        xs: Tensor<B, 5>,
        state: Option<BottleneckLstmState<B>>,
    ) -> Result<(Tensor<B, 5>, BottleneckLstmState<B>), ShapeError> {
        self.try_forward_with(&Reference, xs, state)
    }

    /// [`forward`](Self::forward) with a runner of the caller's choice.
    ///
    /// # Panics
    ///
    /// As [`try_forward`](Self::try_forward) errs.
    pub fn forward_with<R: CellRunner<B>>(
        &self,
        runner: &R,
        xs: Tensor<B, 5>,
        state: Option<BottleneckLstmState<B>>,
    ) -> (Tensor<B, 5>, BottleneckLstmState<B>) {
        self.try_forward_with(runner, xs, state)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// [`forward`](Self::forward) with a runner of the caller's choice.
    ///
    /// # Errors
    ///
    /// As [`try_forward`](Self::try_forward).
    pub fn try_forward_with<R: CellRunner<B>>(
        &self,
        runner: &R,
        xs: Tensor<B, 5>,
        state: Option<BottleneckLstmState<B>>,
    ) -> Result<(Tensor<B, 5>, BottleneckLstmState<B>), ShapeError> {
        let state = self.sequence_start(&xs, state)?;
        Ok(runner.forward(self, xs, state))
    }

    /// Runs a sequence whose rows may start anew on the way: where `reset`, `[batch, time]`, holds,
    /// that row's state is the one of [`init_state`](Self::init_state) before that step. So videos
    /// of unequal length run in one batch, one after the other in a row or padded at the end.
    ///
    /// The mask is read back from the device once. Steps between two resets run as one sequence.
    ///
    /// # Panics
    ///
    /// As [`try_forward_reset`](Self::try_forward_reset) errs.
    pub fn forward_reset(
        &self,
        xs: Tensor<B, 5>,
        state: Option<BottleneckLstmState<B>>,
        reset: Tensor<B, 2, Bool>,
    ) -> (Tensor<B, 5>, BottleneckLstmState<B>) {
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
        state: Option<BottleneckLstmState<B>>,
        reset: Tensor<B, 2, Bool>,
    ) -> Result<(Tensor<B, 5>, BottleneckLstmState<B>), ShapeError> {
        self.try_forward_reset_with(&Reference, xs, state, reset)
    }

    /// [`forward_reset`](Self::forward_reset) with a runner of the caller's choice.
    ///
    /// # Errors
    ///
    /// As [`try_forward`](Self::try_forward), and if the mask's shape is not `[batch, time]`.
    pub fn try_forward_reset_with<R: CellRunner<B>>(
        &self,
        runner: &R,
        xs: Tensor<B, 5>,
        state: Option<BottleneckLstmState<B>>,
        reset: Tensor<B, 2, Bool>,
    ) -> Result<(Tensor<B, 5>, BottleneckLstmState<B>), ShapeError> {
        let resets = Resets::read(&xs, reset)?;
        self.try_forward_resets(runner, xs, state, &resets)
    }

    /// Runs a sequence whose mask of resets is already read.
    pub(crate) fn try_forward_resets<R: CellRunner<B>>(
        &self,
        runner: &R,
        xs: Tensor<B, 5>,
        state: Option<BottleneckLstmState<B>>,
        resets: &Resets<B>,
    ) -> Result<(Tensor<B, 5>, BottleneckLstmState<B>), ShapeError> {
        let state = self.sequence_start(&xs, state)?;
        let [batch, _, _, height, width] = xs.dims();
        let start = self.try_init_state(batch, [height, width])?;
        Ok(resets.forward(
            xs,
            state,
            |state, rows| state.reset_to(rows, start.clone()),
            |xs, state| runner.forward(self, xs, state),
        ))
    }

    /// Validates an input `[batch, input, height, width]` and its state; without a state, the one
    /// at the start.
    fn start(
        &self,
        dims: [usize; 4],
        dtype: DType,
        state: Option<BottleneckLstmState<B>>,
    ) -> Result<BottleneckLstmState<B>, ShapeError> {
        checks::image(
            "input",
            self.config.input_channels,
            self.config.pinned_spatial(),
            dims,
        )?;
        checks::dtype("input", self.bottleneck.val().dtype(), dtype)?;
        let [batch, _, height, width] = dims;
        let Some(state) = state else {
            return self.try_init_state(batch, [height, width]);
        };
        let hidden = self.config.hidden_channels;
        checks::state(&state, [batch, hidden, height, width], dtype)?;
        Ok(state)
    }

    /// [`start`](Self::start) of a sequence.
    fn sequence_start(
        &self,
        xs: &Tensor<B, 5>,
        state: Option<BottleneckLstmState<B>>,
    ) -> Result<BottleneckLstmState<B>, ShapeError> {
        let [batch, _, channels, height, width] = xs.dims();
        checks::allocatable("input", &xs.dims())?;
        self.start([batch, channels, height, width], xs.dtype(), state)
    }
}
