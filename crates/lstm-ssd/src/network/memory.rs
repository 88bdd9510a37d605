//! A memory for a detector that has none.

use bottleneck_lstm::checks::image_exactly;
use bottleneck_lstm::{
    BottleneckLstm, BottleneckLstmConfig, BottleneckLstmState, CellRunner, Reference,
};
use burn::config::Config;
use burn::module::{Initializer, Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use burn::tensor::backend::Backend;

use super::{Cost, NetworkError};

/// Configuration of a [`Memory`].
#[derive(Config, Debug, PartialEq)]
pub struct MemoryConfig {
    /// Channels of the map that it stands behind.
    #[config(default = 96)]
    pub channels: usize,
    /// Channels of its states.
    #[config(default = 96)]
    pub hidden: usize,
}

/// How much larger the weights of gates and replacement start: deviations `gain / sqrt(inputs)`.
const GATE_GAIN: f64 = 0.5;
const REPLACEMENT_GAIN: f64 = 1.0;

impl MemoryConfig {
    /// The cell within.
    pub fn cell(&self) -> BottleneckLstmConfig {
        BottleneckLstmConfig::tensorflow(self.channels, self.hidden)
    }

    /// Checks that there are channels.
    ///
    /// # Errors
    ///
    /// If the [cell](Self::cell) is not legal.
    pub fn validate(&self) -> Result<(), NetworkError> {
        let checked = self.cell().validate();
        checked.map_err(|source| NetworkError::Memory { map: 0, source })
    }

    /// Parameters, and multiply-accumulates of one frame on a map of `[height, width]`.
    pub fn cost(&self, map: [usize; 2]) -> Cost {
        let (cell, [height, width]) = (self.cell(), map);
        let (channels, hidden) = (self.channels as u64, self.hidden as u64);
        // The replacement, and the gate's three parts; of means there is one a map.
        let pointwise = hidden * channels + (channels + hidden) * channels;
        let means = (channels + hidden) * channels;
        Cost {
            // With three biases' worth of channels: replacement, gate and amount.
            params: cell.num_params() as u64 + pointwise + means + 3 * channels,
            macs: cell.macs(map) + (height * width) as u64 * pointwise + means,
        }
    }

    /// A memory with fresh weights, which changes nothing.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub fn try_init<B: Backend>(&self, device: &B::Device) -> Result<Memory<B>, NetworkError> {
        self.validate()?;
        let (channels, hidden) = (self.channels, self.hidden);
        let pointwise = |inputs: usize, gain: f64, bias: bool| {
            let std = gain / (inputs as f64).sqrt();
            let mut conv = Conv2dConfig::new([inputs, channels], [1, 1])
                .with_bias(false)
                .with_initializer(Initializer::Normal { mean: 0.0, std })
                .init(device);
            conv.bias = bias.then(|| Initializer::Zeros.init([channels], device));
            conv
        };
        Ok(Memory {
            cell: self.cell().init(device),
            replacement: pointwise(hidden, REPLACEMENT_GAIN, true),
            gate_input: pointwise(channels, GATE_GAIN, true),
            gate_hidden: pointwise(hidden, GATE_GAIN, false),
            gate_means: Initializer::Zeros.init([channels, channels + hidden, 1, 1], device),
            amount: Initializer::Zeros.init([channels], device),
            scale: Param::from_tensor(Tensor::ones([channels], device)).set_require_grad(false),
        })
    }
}

/// A memory behind a map of a detector that was trained without one: it replaces some of the map by what it
/// remembers.
///
/// `x' = x + amount * gate * (replacement(h) - x)`, where the [`BottleneckLstm`] makes `h` of `x`, and `gate =
/// sigmoid(W_x x + W_h h + W_m mean(x | h) + b)` sees both, and their means over the map, by which a frame that is
/// damaged as a whole stands out. `amount`, one number a channel, starts at zero: until it is trained, the detector
/// is exactly what it was. Within, `x` is divided by `scale`, the deviations of its channels.
#[derive(Module, Debug)]
pub struct Memory<B: Backend> {
    /// What remembers.
    pub cell: BottleneckLstm<B>,
    replacement: Conv2d<B>,
    gate_input: Conv2d<B>,
    gate_hidden: Conv2d<B>,
    gate_means: Param<Tensor<B, 4>>,
    /// `[channels]`
    amount: Param<Tensor<B, 1>>,
    /// `[channels]`; not trained.
    scale: Param<Tensor<B, 1>>,
}

impl<B: Backend> Memory<B> {
    /// Sets the deviations of the map's channels, on undamaged frames: what it is divided by within.
    ///
    /// # Panics
    ///
    /// If there are not as many as channels.
    pub fn with_scale(mut self, scale: Tensor<B, 1>) -> Self {
        assert_eq!(
            scale.dims(),
            self.scale.dims(),
            "a deviation for each channel"
        );
        self.scale = Param::from_tensor(scale.clamp_min(1e-3)).set_require_grad(false);
        self
    }

    /// The next frame's map, `[batch, channels, height, width]`: the map to go on with, and what is remembered. No
    /// state starts new videos.
    ///
    /// # Panics
    ///
    /// If map or state are of another shape.
    pub fn step(
        &self,
        x: Tensor<B, 4>,
        state: Option<BottleneckLstmState<B>>,
    ) -> (Tensor<B, 4>, BottleneckLstmState<B>) {
        let (y, state) = self
            .try_forward_with(&Reference, x.unsqueeze_dim(1), state)
            .unwrap_or_else(|error| panic!("{error}"));
        (y.squeeze_dim(1), state)
    }

    /// The maps of several frames, `[batch, time, channels, height, width]`, as [`step`](Self::step) one after
    /// the other.
    ///
    /// # Errors
    ///
    /// If maps or state are of another shape.
    pub fn try_forward_with<R: CellRunner<B>>(
        &self,
        runner: &R,
        xs: Tensor<B, 5>,
        state: Option<BottleneckLstmState<B>>,
    ) -> Result<(Tensor<B, 5>, BottleneckLstmState<B>), NetworkError> {
        let dims @ [batch, time, channels, height, width] = xs.dims();
        let flat = [batch * time, channels, height, width];
        let [expected] = self.amount.dims();
        image_exactly("the map", [flat[0], expected, height, width], flat)?;
        let scale = self.scale.val().reshape([1, channels, 1, 1]);
        let x = xs.reshape(flat) / scale.clone();
        let sequence = x.clone().reshape(dims);
        let (hidden, state) = self.cell.try_forward_with(runner, sequence, state)?;
        let h = hidden.reshape([flat[0] as i32, -1, height as i32, width as i32]);
        let amount = self.amount.val().reshape([1, channels, 1, 1]);
        let change = self.replacement.forward(h.clone()) - x.clone();
        let y = (x.clone() + amount * self.gate(x, h) * change) * scale;
        Ok((y.reshape(dims), state))
    }

    /// How much of each value is replaced, from 0 to 1, but for the amounts: `x` is scaled already.
    fn gate(&self, x: Tensor<B, 4>, h: Tensor<B, 4>) -> Tensor<B, 4> {
        let mean = |x: Tensor<B, 4>| x.mean_dim(2).mean_dim(3);
        let means = Tensor::cat(vec![mean(x.clone()), mean(h.clone())], 1);
        let [frames, both, _, _] = means.dims();
        let [channels] = self.amount.dims();
        let weights = self.gate_means.val().reshape([channels, both]);
        let means = means.reshape([frames, both]).matmul(weights.transpose());
        let means = means.reshape([frames, channels, 1, 1]);
        sigmoid(self.gate_input.forward(x) + self.gate_hidden.forward(h) + means)
    }
}
