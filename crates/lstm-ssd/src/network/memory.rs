//! A memory for a detector that has none.

use bottleneck_lstm::checks::image_exactly;
use bottleneck_lstm::{
    BottleneckLstm, BottleneckLstmConfig, BottleneckLstmState, CellRunner, Reference,
};
use burn::config::Config;
#[cfg(feature = "train")]
use burn::module::ParamId;
use burn::module::{Initializer, Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use burn::tensor::backend::Backend;

use super::pointwise::{column, means, pointwise};
use super::{Cost, FrameMemory, FrameMemoryConfig, NetworkError};

/// Configuration of a [`Memory`].
#[derive(Config, Debug, PartialEq)]
pub struct MemoryConfig {
    /// Channels of the map that it stands behind.
    #[config(default = 96)]
    pub channels: usize,
    /// Channels of its states.
    #[config(default = 64)]
    pub hidden: usize,
    /// Its part in front of the detector, if it has one.
    pub frame: Option<FrameMemoryConfig>,
}

/// Of a gate's weights, whose deviations are `gain / sqrt(inputs)`, and its bias at the start, by which it is all but
/// closed.
pub(crate) const GATE_GAIN: f64 = 0.1;
const GATE_BIAS: f64 = -2.0;

/// A bias by which a gate is open, as far as `f32` can tell.
const OPEN: f64 = 40.0;

impl MemoryConfig {
    /// The cell within.
    pub fn cell(&self) -> BottleneckLstmConfig {
        BottleneckLstmConfig::tensorflow(self.channels, self.hidden)
    }

    /// Checks that there are channels.
    ///
    /// # Errors
    ///
    /// If the [cell](Self::cell) is not legal, or that of the part in front.
    pub fn validate(&self) -> Result<(), NetworkError> {
        if let Some(frame) = &self.frame {
            frame.validate()?;
        }
        let checked = self.cell().validate();
        checked.map_err(|source| NetworkError::Memory { map: 0, source })
    }

    /// Parameters, and multiply-accumulates of one frame on a map of `[height, width]`, without the
    /// [part in front](Self::frame).
    pub fn cost(&self, map: [usize; 2]) -> Cost {
        let (cell, [height, width]) = (self.cell(), map);
        let (channels, hidden) = (self.channels as u64, self.hidden as u64);
        // The gate's three parts and the correction; of means there is one a map.
        let pointwise = (2 * channels + 2 * hidden) * channels;
        let means = (2 * channels + hidden) * channels;
        Cost {
            // With the biases of gate and correction, and the amounts.
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
        let pointwise = |inputs: usize, gain: f64, bias: Option<f64>| {
            let std = gain / (inputs as f64).sqrt();
            let mut conv = Conv2dConfig::new([inputs, channels], [1, 1])
                .with_bias(false)
                .with_initializer(Initializer::Normal { mean: 0.0, std })
                .init(device);
            conv.bias = bias.map(|value| Initializer::Constant { value }.init([channels], device));
            conv
        };
        let of_means = |inputs: usize| Initializer::Zeros.init([inputs, channels], device);
        let frame = self.frame.as_ref();
        Ok(Memory {
            frame: frame.map(|frame| frame.try_init(device)).transpose()?,
            cell: self.cell().init(device),
            correction: pointwise(hidden, 0.0, Some(0.0)),
            gate_input: pointwise(channels, GATE_GAIN, Some(GATE_BIAS)),
            gate_hidden: pointwise(hidden, GATE_GAIN, None),
            gate_change: pointwise(channels, GATE_GAIN, None),
            gate_means: of_means(channels + hidden),
            gate_mean_change: of_means(channels),
            amount: Initializer::Zeros.init([channels], device),
            scale: Param::from_tensor(Tensor::ones([channels], device)).set_require_grad(false),
        })
    }

    /// A memory without learning, the moving average of the map: its gate is always open for the share `decay`, from 0
    /// to less than 1, of the frames before. What a memory that learned has to beat.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    ///
    /// # Panics
    ///
    /// If `decay` is another number.
    pub fn try_average<B: Backend>(
        &self,
        decay: f64,
        device: &B::Device,
    ) -> Result<Memory<B>, NetworkError> {
        let mut memory = self.try_init(device)?;
        let gate = [
            &mut memory.gate_input,
            &mut memory.gate_hidden,
            &mut memory.gate_change,
        ];
        memory.amount = always_open(gate, memory.amount, decay);
        Ok(memory)
    }
}

/// Opens a gate for good, the parts of which are summed and have one bias, and returns the amounts with which that is a
/// moving average.
///
/// # Panics
///
/// If `decay` is not from 0 to less than 1.
pub(super) fn always_open<B: Backend, const N: usize>(
    gate: [&mut Conv2d<B>; N],
    amount: Param<Tensor<B, 1>>,
    decay: f64,
) -> Param<Tensor<B, 1>> {
    assert!(
        (0.0..1.0).contains(&decay),
        "a decay from 0 to less than 1, not {decay}"
    );
    for part in gate {
        part.weight = part.weight.clone().map(|weight| weight.zeros_like());
        let bias = part.bias.take();
        part.bias = bias.map(|bias| bias.map(|bias| bias.full_like(OPEN)));
    }
    amount.map(|amount| amount.full_like(decay.atanh()))
}

/// What a [`Memory`] remembers of the frames before.
#[derive(Debug, Clone)]
pub struct MemoryState<B: Backend> {
    /// The state of its cell.
    pub cell: BottleneckLstmState<B>,
    /// The map as it was repaired, `[batch, channels, height, width]`, divided by the scale. Of a
    /// [`FrameMemory`], the frame as a map of patches.
    pub map: Tensor<B, 4>,
}

impl<B: Backend> MemoryState<B> {
    /// The same numbers, without what they came from.
    pub fn detach(self) -> Self {
        Self {
            cell: self.cell.detach(),
            map: self.map.detach(),
        }
    }
}

/// A memory behind a map of a detector that was trained without one: it puts what it remembers of the map in the place
/// of what is damaged.
///
/// With `z` the map divided by `scale`, the deviations of its channels, and `h` what the [`BottleneckLstm`] makes of
/// it, frame by frame:
///
/// ```text
/// change = |z'(t-1) - z|
/// gate   = tanh(amount) sigmoid(W_z z + W_h h + W_c change + W_m mean(z | h) + W_d mean(change) + b)
/// z'     = z + gate (z'(t-1) - z)
/// y      = scale (z' + gate correction(h))
/// ```
///
/// The repaired map `z'` is carried on. It lies between what was and what is, so it cannot run away; a frame that is
/// lost becomes a copy of the one before. The means are over the map: a frame that is damaged as a whole stands out by
/// them. `amount`, one number a channel, starts at zero: until it is trained, the detector is exactly what it was.
///
/// It may have a part in front of the detector, a [`FrameMemory`], which is of the frame what this is of the map: noise is
/// taken away where it has not gone through layers yet.
#[derive(Module, Debug)]
pub struct Memory<B: Backend> {
    /// Its part in front of the detector.
    pub(super) frame: Option<FrameMemory<B>>,
    /// What remembers.
    pub cell: BottleneckLstm<B>,
    pub(super) correction: Conv2d<B>,
    pub(super) gate_input: Conv2d<B>,
    pub(super) gate_hidden: Conv2d<B>,
    pub(super) gate_change: Conv2d<B>,
    /// `[channels + hidden, channels]`
    pub(super) gate_means: Param<Tensor<B, 2>>,
    /// `[channels, channels]`
    pub(super) gate_mean_change: Param<Tensor<B, 2>>,
    /// `[channels]`
    pub(super) amount: Param<Tensor<B, 1>>,
    /// `[channels]`; not trained.
    pub(super) scale: Param<Tensor<B, 1>>,
}

impl<B: Backend> Memory<B> {
    /// What it was built from.
    pub fn config(&self) -> MemoryConfig {
        MemoryConfig {
            channels: self.amount.dims()[0],
            hidden: self.cell.config().hidden_channels,
            frame: self.frame.as_ref().map(FrameMemory::config),
        }
    }

    /// Its part in front of the detector, if it has one.
    pub fn frame(&self) -> Option<&FrameMemory<B>> {
        self.frame.as_ref()
    }

    /// Puts a part in front of the detector, in the place of one that was there.
    pub fn with_frame(mut self, frame: FrameMemory<B>) -> Self {
        self.frame = Some(frame);
        self
    }

    /// How much of what it remembers it may put in, for each channel: `[channels]`, from -1 to 1.
    pub fn amounts(&self) -> Tensor<B, 1> {
        self.amount.val().tanh()
    }

    /// The parameter by which it changes anything at all.
    #[cfg(feature = "train")]
    pub(crate) fn amount_ids(&self) -> Vec<ParamId> {
        vec![self.amount.id]
    }

    /// The deviations of the map's channels: what it is divided by within.
    #[cfg(feature = "train")]
    pub(crate) fn scale(&self) -> Tensor<B, 1> {
        self.scale.val()
    }

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

    /// Checks the shape of a map, `[batch, channels, height, width]`.
    ///
    /// # Errors
    ///
    /// If it has other channels.
    pub(crate) fn check_map(&self, map: [usize; 4]) -> Result<(), NetworkError> {
        let [batch, _, height, width] = map;
        let [channels] = self.amount.dims();
        Ok(image_exactly(
            "the map",
            [batch, channels, height, width],
            map,
        )?)
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
        state: Option<MemoryState<B>>,
    ) -> (Tensor<B, 4>, MemoryState<B>) {
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
        state: Option<MemoryState<B>>,
    ) -> Result<(Tensor<B, 5>, MemoryState<B>), NetworkError> {
        let dims @ [batch, time, channels, height, width] = xs.dims();
        let flat = [batch * time, channels, height, width];
        self.check_map(flat)?;
        let frame = [batch, channels, height, width];
        let (cell, map) = match state {
            Some(state) => {
                image_exactly("the state's map", frame, state.map.dims())?;
                (Some(state.cell), Some(state.map))
            }
            None => (None, None),
        };
        let (frames, positions) = (batch * time, height * width);
        let scale = column(self.scale.val(), frames);
        let z = xs.reshape([frames * channels, positions]) / scale.clone();
        let (hidden, cell) = self
            .cell
            .try_forward_with(runner, z.clone().reshape(dims), cell)?;
        let [_, _, hiddens, _, _] = hidden.dims();
        let h = hidden.reshape([frames * hiddens, positions]);

        // What needs no frame before, for all frames at once.
        let known = pointwise(&self.gate_input, z.clone(), frames)
            + pointwise(&self.gate_hidden, h.clone(), frames);
        let both = Tensor::cat(vec![means(z.clone(), frames), means(h.clone(), frames)], 1);
        let known = known + both.matmul(self.gate_means.val()).reshape([-1, 1]);
        let correction = pointwise(&self.correction, h, frames);
        let amount = column(self.amounts(), batch);
        let at = |all: &Tensor<B, 2>, t: usize| -> Tensor<B, 2> {
            let all = all.clone().reshape([batch, time, channels * positions]);
            all.narrow(1, t, 1).reshape([batch * channels, positions])
        };
        let mut map = map.map(|map| map.reshape([batch * channels, positions]));
        let (mut gates, mut repaired) = (Vec::with_capacity(time), Vec::with_capacity(time));
        for t in 0..time {
            let z = at(&z, t);
            let before = map.unwrap_or_else(|| z.clone());
            let change = before - z.clone();
            let size = change.clone().abs();
            let mean = means(size.clone(), batch).matmul(self.gate_mean_change.val());
            let gate = at(&known, t) + pointwise(&self.gate_change, size, batch);
            let gate = sigmoid(gate + mean.reshape([-1, 1])) * amount.clone();
            let new = z + gate.clone() * change;
            gates.push(gate);
            repaired.push(new.clone());
            map = Some(new);
        }
        let all = |frames_of: Vec<Tensor<B, 2>>| -> Tensor<B, 2> {
            let parts = frames_of
                .into_iter()
                .map(|frame| frame.reshape([batch, 1, channels * positions]));
            Tensor::cat(parts.collect(), 1).reshape([frames * channels, positions])
        };
        let y = (all(repaired) + all(gates) * correction) * scale;
        let map = map.expect("the cell refuses no frames").reshape(frame);
        Ok((y.reshape(dims), MemoryState { cell, map }))
    }
}
