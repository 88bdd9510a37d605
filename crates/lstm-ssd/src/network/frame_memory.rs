//! A memory of the picture itself, before the detector sees it.

use bottleneck_lstm::checks::image_exactly;
use bottleneck_lstm::{BottleneckLstm, BottleneckLstmConfig, CellRunner};
use burn::config::Config;
#[cfg(feature = "train")]
use burn::module::ParamId;
use burn::module::{Initializer, Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::sigmoid;
use burn::tensor::backend::Backend;
use burn::tensor::{Shape, Tensor};

use super::memory::{GATE_GAIN, always_open};
use super::pointwise::{means, pointwise};
use super::{Cost, MemoryState, NetworkError};

/// Red, green and blue.
pub(crate) const COLOURS: usize = 3;

/// What is measured of each colour in a patch: the means of the frame, of what is remembered, of how far the two are
/// apart, and of how far the frame's pixels are from their mean.
pub(super) const MEASURES: usize = 4;

/// Deviations, which are small beside the means, count for so much more.
pub(super) const DEVIATION: f32 = 2.0;

/// The gate's bias at the start.
const GATE_BIAS: f64 = -1.0;

/// The mean light of a frame, from 0 to 1, below which it is dark, and what is added to it, so that a black frame has a
/// logarithm.
pub(super) const DARK: f64 = 0.15;
pub(super) const LEAST_LIGHT: f64 = 0.005;

/// Configuration of a [`FrameMemory`].
#[derive(Config, Debug, PartialEq)]
pub struct FrameMemoryConfig {
    /// The side of the square patches that it decides on, in pixels. It divides the frame's height and width.
    #[config(default = 4)]
    pub patch: usize,
    /// Channels of the states of its cell.
    #[config(default = 16)]
    pub hidden: usize,
}

impl FrameMemoryConfig {
    /// The cell within, which sees patches.
    pub fn cell(&self) -> BottleneckLstmConfig {
        BottleneckLstmConfig::tensorflow(COLOURS * MEASURES, self.hidden)
    }

    /// Checks that there are channels and pixels.
    ///
    /// # Errors
    ///
    /// If the [cell](Self::cell) is not legal, or a patch has no pixels.
    pub fn validate(&self) -> Result<(), NetworkError> {
        if self.patch == 0 {
            return Err(NetworkError::Patch {
                patch: 0,
                frame: [0, 0],
            });
        }
        let checked = self.cell().validate();
        checked.map_err(|source| NetworkError::Memory { map: 0, source })
    }

    /// Parameters, and multiply-accumulates of one frame of `[height, width]`.
    pub fn cost(&self, frame: [usize; 2]) -> Cost {
        let cell = self.cell();
        let [height, width] = frame.map(|side| side / self.patch.max(1));
        let seen = (COLOURS * MEASURES + self.hidden) as u64;
        let patches = (height * width) as u64;
        Cost {
            // The gate's two parts with a bias, its share of the means, and the two amounts.
            params: cell.num_params() as u64 + 2 * seen + 3,
            macs: cell.macs([height, width]) + patches * seen + seen,
        }
    }

    /// A memory with fresh weights, which changes nothing.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub fn try_init<B: Backend>(&self, device: &B::Device) -> Result<FrameMemory<B>, NetworkError> {
        self.validate()?;
        let inputs = COLOURS * MEASURES;
        let seen = inputs + self.hidden;
        let gate = |inputs: usize, bias: Option<f64>| {
            let std = GATE_GAIN / (inputs as f64).sqrt();
            let mut conv = Conv2dConfig::new([inputs, 1], [1, 1])
                .with_bias(false)
                .with_initializer(Initializer::Normal { mean: 0.0, std })
                .init(device);
            conv.bias = bias.map(|value| Initializer::Constant { value }.init([1], device));
            conv
        };
        let zeros = |count: usize| Initializer::Zeros.init([count], device);
        Ok(FrameMemory {
            cell: self.cell().init(device),
            gate_input: gate(inputs, Some(GATE_BIAS)),
            gate_hidden: gate(self.hidden, None),
            gate_means: zeros(seen),
            light: zeros(1),
            amount: zeros(1),
            patch: self.patch,
        })
    }

    /// A memory without learning, the moving average of the picture: its gate is always open for the share `decay`, from
    /// 0 to less than 1, of what is remembered. What a memory that learned has to beat.
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
    ) -> Result<FrameMemory<B>, NetworkError> {
        let mut memory = self.try_init(device)?;
        let gate = [&mut memory.gate_input, &mut memory.gate_hidden];
        memory.amount = always_open(gate, memory.amount, decay);
        Ok(memory)
    }
}

/// A memory in front of a detector: it puts what it remembers of the picture in the place of what is damaged, and makes
/// a dark picture lighter.
///
/// The picture is cut into square patches. With `x` the frame, `m` what is remembered, `f` four measures of each colour
/// in a patch (the means of `x`, `m`, `|x - m|` and `|x - mean(x)|`), and `h` what the [`BottleneckLstm`] makes of `f`,
/// frame by frame:
///
/// ```text
/// gate  = tanh(amount) sigmoid(w_f f + w_h h + w_m mean(f | h) + b)       one for each patch
/// m'    = x + gate (m - x)
/// dark  = max(0, log(0.15 / (0.005 + mean light of m')))                  one for each frame
/// y     = min(m' + (exp(light dark) - 1) (m' + 1), 1)
/// ```
///
/// A gate that is half open averages over frames, which takes noise away where nothing moves; one that is open shows
/// what was there before something stood in front of it. What is remembered lies between what was and what is, so it
/// cannot run away. It starts with `amount` and `light` at zero: until it is trained, every frame is what it was.
///
/// ```
/// use burn::tensor::Tensor;
/// use burn_flex::Flex;
/// use lstm_ssd::network::{FrameMemory, FrameMemoryConfig};
///
/// let device = Default::default();
/// let memory: FrameMemory<Flex> = FrameMemoryConfig::new().try_init(&device)?;
/// let mut state = None;
/// for level in [0.5, -0.2] {
///     let frame = Tensor::full([1, 3, 32, 32], level, &device);
///     let (shown, remembered) = memory.try_step(frame.clone(), state)?;
///     shown.into_data().assert_eq(&frame.into_data(), true);
///     state = Some(remembered);
/// }
/// # Ok::<(), lstm_ssd::network::NetworkError>(())
/// ```
#[derive(Module, Debug)]
pub struct FrameMemory<B: Backend> {
    /// What decides.
    pub cell: BottleneckLstm<B>,
    pub(super) gate_input: Conv2d<B>,
    pub(super) gate_hidden: Conv2d<B>,
    /// `[inputs + hidden]`
    pub(super) gate_means: Param<Tensor<B, 1>>,
    /// `[1]`
    pub(super) light: Param<Tensor<B, 1>>,
    /// `[1]`
    pub(super) amount: Param<Tensor<B, 1>>,
    patch: usize,
}

impl<B: Backend> FrameMemory<B> {
    /// What it was built from.
    pub fn config(&self) -> FrameMemoryConfig {
        FrameMemoryConfig {
            patch: self.patch,
            hidden: self.cell.config().hidden_channels,
        }
    }

    /// How much of what it remembers it may put in: `[1]`, from -1 to 1.
    pub fn amount(&self) -> Tensor<B, 1> {
        self.amount.val().tanh()
    }

    /// The parameters by which it changes anything at all.
    #[cfg(feature = "train")]
    pub(crate) fn amount_ids(&self) -> Vec<ParamId> {
        vec![self.amount.id, self.light.id]
    }

    /// Checks that frames of `[height, width]` can be cut into patches.
    ///
    /// # Errors
    ///
    /// If they cannot.
    pub(crate) fn check_frame(&self, frame: [usize; 2]) -> Result<(), NetworkError> {
        match frame
            .iter()
            .all(|side| *side > 0 && side.is_multiple_of(self.patch))
        {
            true => Ok(()),
            false => Err(NetworkError::Patch {
                patch: self.patch,
                frame,
            }),
        }
    }

    /// The shape of one frame of `[height, width]` as a map of patches.
    pub(crate) fn patches(&self, [height, width]: [usize; 2]) -> [usize; 4] {
        let patch = self.patch;
        [1, COLOURS * patch * patch, height / patch, width / patch]
    }

    /// The next frame, `[batch, 3, height, width]` from -1 to 1: the frame to go on with, and what is remembered. No
    /// state starts new videos.
    ///
    /// # Errors
    ///
    /// If the frame cannot be cut into patches, or the state is of another shape.
    pub fn try_step(
        &self,
        x: Tensor<B, 4>,
        state: Option<MemoryState<B>>,
    ) -> Result<(Tensor<B, 4>, MemoryState<B>), NetworkError> {
        let [batch, colours, height, width] = x.dims();
        image_exactly(
            "the frame",
            [batch, COLOURS, height, width],
            [batch, colours, height, width],
        )?;
        let x = self.to_patches(x)?;
        let runner = &bottleneck_lstm::Reference;
        let (y, state) = self.try_forward_with(runner, x.unsqueeze_dim(1), state)?;
        Ok((self.to_frames(y.squeeze_dim(1)), state))
    }

    /// Frames, `[batch, 3, height, width]`, as maps of patches: `[batch, 3 patch², height / patch, width / patch]`, the
    /// pixels of a colour row by row.
    ///
    /// # Errors
    ///
    /// If they cannot be cut into patches.
    pub fn to_patches(&self, frames: Tensor<B, 4>) -> Result<Tensor<B, 4>, NetworkError> {
        let [_, _, height, width] = frames.dims();
        self.check_frame([height, width])?;
        Ok(patches_of(frames, self.patch))
    }

    /// The frames of which [`to_patches`](Self::to_patches) makes these maps.
    ///
    /// # Panics
    ///
    /// If they have other channels.
    pub fn to_frames(&self, patches: Tensor<B, 4>) -> Tensor<B, 4> {
        frames_of(patches, self.patch)
    }

    /// Several frames as maps of patches, `[batch, time, 3 patch², rows, columns]`, one after the other: the frames to
    /// go on with, and what is remembered.
    ///
    /// # Errors
    ///
    /// If patches or state are of another shape.
    pub fn try_forward_with<R: CellRunner<B>>(
        &self,
        runner: &R,
        xs: Tensor<B, 5>,
        state: Option<MemoryState<B>>,
    ) -> Result<(Tensor<B, 5>, MemoryState<B>), NetworkError> {
        let [batch, time, channels, height, width] = xs.dims();
        let pixels = self.patch * self.patch;
        let frame = [batch, COLOURS * pixels, height, width];
        image_exactly("the patches", frame, [batch, channels, height, width])?;
        let positions = height * width;
        let (mut cell, mut map) = match state {
            Some(state) => {
                image_exactly("the state's patches", frame, state.map.dims())?;
                (Some(state.cell), Some(state.map))
            }
            None => (None, None),
        };
        let colours = [batch * COLOURS, pixels, positions];
        let mean = |values: Tensor<B, 3>| values.mean_dim(1);
        let amount = self.amount().reshape([1, 1, 1]);
        let mut out = Vec::with_capacity(time);
        for t in 0..time {
            let x = xs.clone().narrow(1, t, 1).reshape(colours);
            let before = match map.take() {
                Some(map) => map.reshape(colours),
                None => x.clone(),
            };
            let change = before.clone() - x.clone();
            let level = mean(x.clone());
            let rough = mean((x.clone() - level.clone()).abs());
            let measures = [
                level,
                mean(before),
                mean(change.clone().abs()) * DEVIATION,
                rough * DEVIATION,
            ];
            // Of each video, all colours of one measure after those of another.
            let measures = measures.map(|measure| measure.reshape([batch, COLOURS, positions]));
            let seen = Tensor::cat(measures.into(), 1);
            let inputs = COLOURS * MEASURES;
            let patches = seen.clone().reshape([batch, inputs, height, width]);
            let next = self.cell.try_step_with(runner, patches, cell)?;
            let h = next.hidden.clone();
            cell = Some(next);
            let seen = seen.reshape([batch * inputs, positions]);
            let h = h.reshape([batch * self.config().hidden, positions]);
            let both = Tensor::cat(vec![means(seen.clone(), batch), means(h.clone(), batch)], 1);
            let share = both.matmul(self.gate_means.val().unsqueeze_dim(1));
            let gate =
                pointwise(&self.gate_input, seen, batch) + pointwise(&self.gate_hidden, h, batch);
            let gate = sigmoid(gate + share);
            // For the three colours of each video, and all pixels of a patch.
            let gate = gate.reshape([batch, 1, positions]).repeat_dim(1, COLOURS);
            let gate = gate.reshape([batch * COLOURS, 1, positions]) * amount.clone();
            let new = x + gate * change;
            // From 0 to 1, where pixels go from -1 to 1.
            let light = new.clone().reshape([batch, COLOURS * pixels * positions]);
            let light = (light.mean_dim(1) + 1.0) / 2.0 + LEAST_LIGHT;
            let dark = (light.log().neg() + DARK.ln()).clamp_min(0.0);
            let light = (dark * self.light.val().unsqueeze()).exp() - 1.0;
            let light = light.repeat_dim(1, COLOURS);
            let light = light.reshape([batch * COLOURS, 1, 1]);
            let shown = new.clone() + (new.clone() + 1.0) * light;
            let shown = shown.clamp_max(1.0);
            out.push(shown.reshape([batch, 1, channels, height, width]));
            map = Some(new.reshape(frame));
        }
        let state = MemoryState {
            cell: cell.ok_or(NetworkError::NoFrames)?,
            map: map.ok_or(NetworkError::NoFrames)?,
        };
        Ok((Tensor::cat(out, 1), state))
    }
}

/// Frames, `[batch, 3, height, width]`, as maps of such patches.
pub(crate) fn patches_of<B: Backend>(frames: Tensor<B, 4>, patch: usize) -> Tensor<B, 4> {
    let [batch, colours, height, width] = frames.dims();
    let (rows, columns) = (height / patch, width / patch);
    let parts = frames.reshape(Shape::new([batch * colours, rows, patch, columns, patch]));
    let parts: Tensor<B, 5> = parts.permute([0, 2, 4, 1, 3]);
    parts.reshape([batch, colours * patch * patch, rows, columns])
}

/// The frames, `[batch, 3, height, width]`, that maps of such patches are of.
pub(crate) fn frames_of<B: Backend>(patches: Tensor<B, 4>, patch: usize) -> Tensor<B, 4> {
    let [batch, channels, rows, columns] = patches.dims();
    let colours = channels / (patch * patch);
    let parts = patches.reshape(Shape::new([batch * colours, patch, patch, rows, columns]));
    let parts: Tensor<B, 5> = parts.permute([0, 3, 1, 4, 2]);
    parts.reshape([batch, colours, rows * patch, columns * patch])
}
