//! How far frames are from what they should be: in their pixels, and in what the detector's first layers make of them.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::TrainingError;
use super::clip::FRAMES;
use super::loss::smooth_l1;
use super::maps::{Maps, Part};
use crate::network::{MobileNetV2Ssd, column, frames_of};

/// The side of the patches that a frame's map is made of: the detector's early map has a cell for each.
pub(super) const PATCH: usize = 4;

/// The weight of a cell where there is nothing to be seen, beside 1 where something is for sure.
const UNSEEN: f64 = 0.2;

/// The weight of pixels beside that of the detector's early map, and what they are multiplied by before: a step of a
/// quarter of the range counts for a half.
const PIXELS: f64 = 0.3;
const STEEP: f64 = 4.0;

/// Clips that the deviations of the early map's channels are taken from, at most, and the least deviation.
const MEASURED: usize = 12;
const LEAST: f32 = 1e-2;

/// The loss of frames as maps of patches.
pub(super) struct FrameLoss<B: Backend> {
    detector: MobileNetV2Ssd<B>,
    /// The deviations of the early map's channels.
    scale: Tensor<B, 1>,
}

/// What frames should be.
pub(super) struct Aim<B: Backend> {
    frames: Tensor<B, 4>,
    /// What the detector's first layers make of them.
    early: Tensor<B, 4>,
    /// How much there is to be seen in each cell, `[frames, height, width]` from 0 to 1.
    attention: Tensor<B, 3>,
}

impl<B: AutodiffBackend> FrameLoss<B> {
    /// The loss by the first layers of the detector that `frames` were made with.
    pub fn new(
        detector: MobileNetV2Ssd<B>,
        frames: &Maps,
        device: &B::Device,
    ) -> Result<Self, TrainingError> {
        let detector = detector.no_grad();
        let [channels, height, width] = frames.map();
        let mut maps = Vec::new();
        for clip in 0..frames.clips().min(MEASURED) {
            let clean = frames.read(clip, Part::Clean)?;
            let frame = &clean[..clean.len() / FRAMES];
            let frame = Tensor::<B, 1>::from_floats(frame, device);
            maps.push(frame.reshape([1, channels, height, width]));
        }
        let early = detector.early(frames_of(Tensor::cat(maps, 0), PATCH));
        let [count, channels, height, width] = early.dims();
        let rows = early.swap_dims(0, 1);
        let rows = rows.reshape([channels, count * height * width]);
        let scale = rows.var(1).sqrt().reshape([channels]).clamp_min(LEAST);
        Ok(Self {
            detector,
            scale: scale.detach(),
        })
    }

    /// What frames should be, `[frames, channels, height, width]`: looked at once, however many losses are taken of it.
    pub fn aim(&self, frames: Tensor<B, 4>, attention: Tensor<B, 3>) -> Aim<B> {
        let early = self.detector.early(frames_of(frames.clone(), PATCH));
        Aim {
            frames,
            early: early.detach(),
            attention,
        }
    }

    /// The loss, `[1]`, of frames, `[frames, channels, height, width]`.
    pub fn forward(&self, made: Tensor<B, 4>, aim: &Aim<B>) -> Tensor<B, 1> {
        let [frames, channels, height, width] = made.dims();
        let positions = height * width;
        let weight = aim.attention.clone() + UNSEEN;
        let weight = weight.reshape([frames, 1, positions]);
        let weighted = |loss: Tensor<B, 2>, channels: usize| {
            (loss.reshape([frames, channels, positions]) * weight.clone()).mean()
        };
        let difference = (made.clone() - aim.frames.clone()) * STEEP;
        let pixels = smooth_l1(difference.clone().reshape([frames * channels, positions]));
        let patch = PATCH * PATCH;
        let colours = channels / patch;
        let levels = difference.reshape([frames * colours, patch, positions]);
        let levels = smooth_l1(levels.mean_dim(1).reshape([frames * colours, positions]));
        let pixels = weighted(pixels, channels) + weighted(levels, colours);

        let made = self.detector.early(frames_of(made, PATCH));
        let channels = made.dims()[1];
        let difference = (made - aim.early.clone()).reshape([frames * channels, positions]);
        let early = smooth_l1(difference / column(self.scale.clone(), frames));
        weighted(early, channels) + pixels * PIXELS
    }
}
