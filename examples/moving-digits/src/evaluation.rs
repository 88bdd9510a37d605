//! What a network makes of videos of digits that it never trained on.

use std::time::{Duration, Instant};

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
    let (_, seed) = SEEDS
        .into_iter()
        .find(|(held_out, _)| *held_out == split)
        .expect("held out");
    Clips {
        digits,
        split,
        seed,
        frames: FRAMES,
    }
    .batch(0..count as u64)
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

/// The median time that `network` takes for a frame, one at a time as in a live video, memory
/// carried on and the result read back.
pub fn time_of_a_frame<B: Backend, R: CellRunner<B>>(
    network: &Network<B>,
    runner: &R,
    clips: &[Clip],
    device: &B::Device,
) -> Duration {
    let mut times = Vec::new();
    for clip in clips {
        let mut state = None;
        for index in 0..clip.frames.len() {
            let start = Instant::now();
            let frame = pixels(std::slice::from_ref(clip), index..index + 1, device);
            let (logits, next) = network.forward_with(runner, frame, state);
            let _belief = beliefs(logits);
            times.push(start.elapsed());
            state = next;
        }
    }
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
