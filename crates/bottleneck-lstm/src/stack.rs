//! Layers of cells, one on the other.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Tensor};
use serde::{Deserialize, Serialize};

use crate::sequence::Resets;
use crate::{
    BottleneckLstm, BottleneckLstmConfig, BottleneckLstmState, CellRunner, ConfigError, Reference,
    ShapeError, checks,
};

/// Configuration of a [`BottleneckLstmStack`].
///
/// Legal is at least one layer, each legal by itself, with as many input channels as the layer
/// before it yields; one spatial size for all layers that pin one; and at most 2^28 parameters
/// together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BottleneckLstmStackConfig {
    /// The layers, from the input on.
    pub layers: Vec<BottleneckLstmConfig>,
}

impl Config for BottleneckLstmStackConfig {}

/// A stack of [`BottleneckLstm`] layers with a state each. A layer reads what the one before it
/// yields: its hidden state, and with `output_bottleneck` its bottleneck too.
///
/// # Example
///
/// ```
/// use bottleneck_lstm::{BottleneckLstmConfig, BottleneckLstmStackConfig};
/// use burn::tensor::{Distribution, Tensor};
/// use burn_flex::Flex;
///
/// let device = Default::default();
/// let layers = vec![BottleneckLstmConfig::new(16, 8), BottleneckLstmConfig::new(8, 4)];
/// let stack = BottleneckLstmStackConfig::new(layers).init::<Flex>(&device);
/// let xs = Tensor::random([2, 5, 16, 10, 10], Distribution::Default, &device);
/// let (hs, states) = stack.forward(xs, None);
/// assert_eq!(hs.dims(), [2, 5, 4, 10, 10]);
/// assert_eq!(states.len(), 2);
/// ```
#[derive(Module, Debug)]
pub struct BottleneckLstmStack<B: Backend> {
    /// The layers, from the input on.
    pub layers: Vec<BottleneckLstm<B>>,
}

impl BottleneckLstmStackConfig {
    /// A stack of `layers`, from the input on.
    pub fn new(layers: Vec<BottleneckLstmConfig>) -> Self {
        Self { layers }
    }

    /// Checks that the configuration is legal.
    ///
    /// # Errors
    ///
    /// What a layer's own [`validate`](BottleneckLstmConfig::validate) finds,
    /// [`ConfigError::Stack`] for neighbours that do not fit, [`ConfigError::StackSpatial`] for
    /// layers that pin different sizes, [`ConfigError::TooLarge`] for too many parameters, and
    /// [`ConfigError::Zero`] for no layer at all.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.layers.is_empty() {
            return Err(ConfigError::Zero { field: "layers" });
        }
        self.layers
            .iter()
            .try_for_each(BottleneckLstmConfig::validate)?;
        for (index, pair) in self.layers.windows(2).enumerate() {
            let (found, expected) = (pair[0].output_channels(), pair[1].input_channels);
            if found != expected {
                return Err(ConfigError::Stack {
                    layer: index + 1,
                    expected,
                    found,
                });
            }
        }
        let mut pinned = self
            .layers
            .iter()
            .enumerate()
            .filter_map(|(index, layer)| Some((index, layer.pinned_spatial()?)));
        if let Some((pinned_by, expected)) = pinned.next()
            && let Some((layer, found)) = pinned.find(|(_, size)| *size != expected)
        {
            return Err(ConfigError::StackSpatial {
                layer,
                pinned_by,
                expected,
                found,
            });
        }
        checks::parameter_count(self.num_params() as u128)
    }

    /// The number of trainable parameters of all layers.
    pub fn num_params(&self) -> usize {
        let params = self.layers.iter().map(BottleneckLstmConfig::num_params);
        params.fold(0, usize::saturating_add)
    }

    /// Multiply-accumulates of one step of batch 1 of all layers; see
    /// [`BottleneckLstmConfig::macs`].
    pub fn macs(&self, spatial: [usize; 2]) -> u64 {
        let macs = self.layers.iter().map(|layer| layer.macs(spatial));
        macs.fold(0, u64::saturating_add)
    }

    /// Builds the stack with fresh weights.
    ///
    /// # Panics
    ///
    /// If the configuration is not legal; see [`try_init`](Self::try_init).
    pub fn init<B: Backend>(&self, device: &B::Device) -> BottleneckLstmStack<B> {
        self.try_init(device)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Builds the stack with fresh weights.
    ///
    /// # Errors
    ///
    /// What [`validate`](Self::validate) finds.
    pub fn try_init<B: Backend>(
        &self,
        device: &B::Device,
    ) -> Result<BottleneckLstmStack<B>, ConfigError> {
        self.validate()?;
        let layers = self.layers.iter().map(|layer| layer.try_init(device));
        Ok(BottleneckLstmStack {
            layers: layers.collect::<Result<_, _>>()?,
        })
    }
}

impl<B: Backend> BottleneckLstmStack<B> {
    /// The states at the start of `batch` videos of `spatial = [height, width]`, one a layer.
    ///
    /// # Panics
    ///
    /// As [`try_init_state`](Self::try_init_state) errs.
    pub fn init_state(&self, batch: usize, spatial: [usize; 2]) -> Vec<BottleneckLstmState<B>> {
        self.try_init_state(batch, spatial)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// The states at the start, as [`init_state`](Self::init_state).
    ///
    /// # Errors
    ///
    /// As [`BottleneckLstm::try_init_state`].
    pub fn try_init_state(
        &self,
        batch: usize,
        spatial: [usize; 2],
    ) -> Result<Vec<BottleneckLstmState<B>>, ShapeError> {
        let states = self
            .layers
            .iter()
            .map(|layer| layer.try_init_state(batch, spatial));
        states.collect()
    }

    /// Runs one step on `x`, `[batch, input, height, width]`. Returns what the last layer yields,
    /// `[batch, output, height, width]`, and the new states, one a layer. No states mean the start
    /// of a video.
    ///
    /// # Panics
    ///
    /// As [`try_step`](Self::try_step) errs.
    pub fn step(
        &self,
        x: Tensor<B, 4>,
        states: Option<Vec<BottleneckLstmState<B>>>,
    ) -> (Tensor<B, 4>, Vec<BottleneckLstmState<B>>) {
        self.step_with(&Reference, x, states)
    }

    /// Runs one step, as [`step`](Self::step).
    ///
    /// # Errors
    ///
    /// If there is not one state a layer, or as [`BottleneckLstm::try_step`].
    pub fn try_step(
        &self,
        x: Tensor<B, 4>,
        states: Option<Vec<BottleneckLstmState<B>>>,
    ) -> Result<(Tensor<B, 4>, Vec<BottleneckLstmState<B>>), ShapeError> {
        self.try_step_with(&Reference, x, states)
    }

    /// [`step`](Self::step) with a runner of the caller's choice.
    ///
    /// # Panics
    ///
    /// As [`try_step_with`](Self::try_step_with) errs.
    pub fn step_with<R: CellRunner<B>>(
        &self,
        runner: &R,
        x: Tensor<B, 4>,
        states: Option<Vec<BottleneckLstmState<B>>>,
    ) -> (Tensor<B, 4>, Vec<BottleneckLstmState<B>>) {
        self.try_step_with(runner, x, states)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// [`step`](Self::step) with a runner of the caller's choice.
    ///
    /// # Errors
    ///
    /// If there is not one state a layer, or as [`BottleneckLstm::try_step`].
    pub fn try_step_with<R: CellRunner<B>>(
        &self,
        runner: &R,
        x: Tensor<B, 4>,
        states: Option<Vec<BottleneckLstmState<B>>>,
    ) -> Result<(Tensor<B, 4>, Vec<BottleneckLstmState<B>>), ShapeError> {
        self.through(x, states, |layer, x, state| {
            layer.try_step_output_with(runner, x, state)
        })
    }

    /// Runs the sequence `xs`, `[batch, time, input, height, width]`. Returns what the last layer
    /// yields at every step, `[batch, time, output, height, width]`, and the last states, one a
    /// layer. No states mean the start of a video.
    ///
    /// # Panics
    ///
    /// As [`try_forward`](Self::try_forward) errs.
    pub fn forward(
        &self,
        xs: Tensor<B, 5>,
        states: Option<Vec<BottleneckLstmState<B>>>,
    ) -> (Tensor<B, 5>, Vec<BottleneckLstmState<B>>) {
        self.forward_with(&Reference, xs, states)
    }

    /// Runs a sequence, as [`forward`](Self::forward).
    ///
    /// # Errors
    ///
    /// If there is not one state a layer, or as [`BottleneckLstm::try_forward`].
    pub fn try_forward(
        &self,
        xs: Tensor<B, 5>,
        states: Option<Vec<BottleneckLstmState<B>>>,
    ) -> Result<(Tensor<B, 5>, Vec<BottleneckLstmState<B>>), ShapeError> {
        self.try_forward_with(&Reference, xs, states)
    }

    /// [`forward`](Self::forward) with a runner of the caller's choice.
    ///
    /// # Panics
    ///
    /// As [`try_forward_with`](Self::try_forward_with) errs.
    pub fn forward_with<R: CellRunner<B>>(
        &self,
        runner: &R,
        xs: Tensor<B, 5>,
        states: Option<Vec<BottleneckLstmState<B>>>,
    ) -> (Tensor<B, 5>, Vec<BottleneckLstmState<B>>) {
        self.try_forward_with(runner, xs, states)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// [`forward`](Self::forward) with a runner of the caller's choice.
    ///
    /// # Errors
    ///
    /// If there is not one state a layer, or as [`BottleneckLstm::try_forward`].
    pub fn try_forward_with<R: CellRunner<B>>(
        &self,
        runner: &R,
        xs: Tensor<B, 5>,
        states: Option<Vec<BottleneckLstmState<B>>>,
    ) -> Result<(Tensor<B, 5>, Vec<BottleneckLstmState<B>>), ShapeError> {
        self.through(xs, states, |layer, xs, state| {
            layer.try_forward_with(runner, xs, state)
        })
    }

    /// Runs a sequence whose rows start anew before the steps where `reset`, `[batch, time]`,
    /// holds, in every layer; see [`BottleneckLstm::forward_reset`]. The mask is read back from the
    /// device once for all layers.
    ///
    /// # Panics
    ///
    /// As [`try_forward_reset`](Self::try_forward_reset) errs.
    pub fn forward_reset(
        &self,
        xs: Tensor<B, 5>,
        states: Option<Vec<BottleneckLstmState<B>>>,
        reset: Tensor<B, 2, Bool>,
    ) -> (Tensor<B, 5>, Vec<BottleneckLstmState<B>>) {
        self.try_forward_reset_with(&Reference, xs, states, reset)
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
        states: Option<Vec<BottleneckLstmState<B>>>,
        reset: Tensor<B, 2, Bool>,
    ) -> Result<(Tensor<B, 5>, Vec<BottleneckLstmState<B>>), ShapeError> {
        self.try_forward_reset_with(&Reference, xs, states, reset)
    }

    /// [`forward_reset`](Self::forward_reset) with a runner of the caller's choice.
    ///
    /// # Errors
    ///
    /// As [`try_forward_with`](Self::try_forward_with), and if the mask's shape is not
    /// `[batch, time]`.
    pub fn try_forward_reset_with<R: CellRunner<B>>(
        &self,
        runner: &R,
        xs: Tensor<B, 5>,
        states: Option<Vec<BottleneckLstmState<B>>>,
        reset: Tensor<B, 2, Bool>,
    ) -> Result<(Tensor<B, 5>, Vec<BottleneckLstmState<B>>), ShapeError> {
        let resets = Resets::read(&xs, reset)?;
        self.through(xs, states, |layer, xs, state| {
            layer.try_forward_resets(runner, xs, state, &resets)
        })
    }

    /// Runs `x` through one layer after the other.
    fn through<X>(
        &self,
        mut x: X,
        states: Option<Vec<BottleneckLstmState<B>>>,
        run: impl Fn(
            &BottleneckLstm<B>,
            X,
            Option<BottleneckLstmState<B>>,
        ) -> Result<(X, BottleneckLstmState<B>), ShapeError>,
    ) -> Result<(X, Vec<BottleneckLstmState<B>>), ShapeError> {
        let expected = self.layers.len();
        let found = states.as_ref().map_or(expected, Vec::len);
        if found != expected {
            return Err(ShapeError::Count {
                name: "states",
                expected,
                found,
            });
        }
        let mut states = states.into_iter().flatten();
        let mut next = Vec::with_capacity(expected);
        for layer in &self.layers {
            let (output, state) = run(layer, x, states.next())?;
            x = output;
            next.push(state);
        }
        Ok((x, next))
    }
}
