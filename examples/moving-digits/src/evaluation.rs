//! What a network makes of videos of digits that it never trained on.

use bottleneck_lstm::CellRunner;
use burn::tensor::backend::Backend;

use crate::clip::{Clip, Clips, pixels};
use crate::detection::Belief;
use crate::digits::{Digits, Split};
use crate::network::{Network, beliefs};

/// Frames of a clip that is evaluated.
pub const FRAMES: usize = 20;

/// Clips that a network runs over at once.
const BATCH: usize = 8;

/// Held-out clips are the same for every run, and they move and are damaged as no training clip is:
/// no run has these seeds.
const SEEDS: [(Split, u64); 2] = [(Split::Validation, u64::MAX), (Split::Test, u64::MAX - 1)];

/// The first `count` clips of a held-out split.
///
/// # Panics
///
/// If `split` is the one to train on.
pub fn held_out(digits: &Digits, split: Split, count: usize) -> Vec<Clip> {
    let (_, seed) = SEEDS.into_iter().find(|(held_out, _)| *held_out == split).expect("held out");
    Clips { digits, split, seed, frames: FRAMES }.batch(0..count as u64)
}

/// What `network` believes about every frame of every clip.
pub fn believe<B: Backend, R: CellRunner<B>>(
    network: &Network<B>,
    runner: &R,
    clips: &[Clip],
    device: &B::Device,
) -> Vec<Vec<Belief>> {
    let batches = clips.chunks(BATCH).flat_map(|clips| {
        let frames = pixels(clips, 0..clips[0].frames.len(), device);
        beliefs(network.forward_with(runner, frames, None).0)
    });
    batches.collect()
}
