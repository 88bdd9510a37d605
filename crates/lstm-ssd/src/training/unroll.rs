//! What is learned from next: chunks of clips, with the memory's state carried from one to the next.

use serde::{Deserialize, Serialize};

use super::TrainingError;
use super::clip::FRAMES;
use super::maps::{Maps, Part};
use super::random::{Purpose, Random};

/// Probabilities, for each chunk: that another clip begins and the memory forgets, and that the clip is shown in another
/// way.
const NEW_CLIP: f64 = 0.3;
const NEW_COPY: f64 = 0.2;

/// Probabilities, where a clip is shown in another way: that it is not damaged, and that it freezes.
const CLEAN: f64 = 0.10;
const FROZEN: f64 = 0.15;

/// Probabilities, for each chunk: that damage comes and goes, and that frames are dropped besides.
const MIXED: f64 = 0.15;
const DROPPED: f64 = 0.15;

/// How a clip is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Shown {
    Clean,
    /// Undamaged, but some frames stay.
    Frozen,
    Copy(usize),
}

/// A clip that goes by, forwards and backwards in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slot {
    clip: usize,
    shown: Shown,
    backwards: bool,
}

/// A chunk for one slot.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    /// Whether a new clip begins.
    pub begins: bool,
    pub clip: usize,
    /// Which frames of the clip are the truth of each step.
    pub frames: Vec<usize>,
    /// Maps as they are shown, `[frames, channels, height, width]`.
    pub shown: Vec<f32>,
    /// Maps as they should be.
    pub truth: Vec<f32>,
    /// How much there is to be seen, `[frames, height, width]`.
    pub attention: Vec<f32>,
}

impl Slot {
    /// The next chunk of a slot that may have none yet, drawn for `place` of all chunks.
    pub fn next(
        slot: &mut Option<Self>,
        seed: u64,
        place: u64,
        maps: &Maps,
    ) -> Result<Chunk, TrainingError> {
        let random = &mut Random::new(seed, Purpose::Unroll, place);
        let forget = random.chance(NEW_CLIP);
        let begins = forget || slot.is_none();
        let other = random.chance(NEW_COPY);
        let before = slot.filter(|_| !begins);
        let (clip, mut backwards) = match before {
            Some(slot) => (slot.clip, slot.backwards),
            None => (random.below(maps.clips()), random.chance(0.5)),
        };
        let shown = match before {
            Some(slot) if !other => slot.shown,
            _ => match random.uniform() {
                u if u < CLEAN => Shown::Clean,
                u if u < CLEAN + FROZEN => Shown::Frozen,
                _ => Shown::Copy(random.below(maps.config().copies)),
            },
        };
        let chunk = chunk(random, clip, shown, backwards, begins, maps)?;
        backwards = !backwards;
        *slot = Some(Self {
            clip,
            shown,
            backwards,
        });
        Ok(chunk)
    }
}

fn chunk(
    random: &mut Random,
    clip: usize,
    shown: Shown,
    backwards: bool,
    begins: bool,
    maps: &Maps,
) -> Result<Chunk, TrainingError> {
    let mut frames: Vec<usize> = (0..FRAMES).collect();
    if backwards {
        frames.reverse();
    }
    if shown == Shown::Frozen {
        let stays = random.between(0.3, 0.9);
        for step in 1..FRAMES {
            if random.chance(stays) {
                frames[step] = frames[step - 1];
            }
        }
    }
    let [channels, height, width] = maps.map();
    let size = channels * height * width;
    let pick = |values: &[f32], size: usize| -> Vec<f32> {
        let frames = frames.iter().map(|frame| &values[frame * size..][..size]);
        frames.collect::<Vec<_>>().concat()
    };
    let truth = pick(&maps.read(clip, Part::Clean)?, size);
    let sound = match maps.sound() {
        Part::Clean => truth.clone(),
        part => pick(&maps.read(clip, part)?, size),
    };
    let mut seen = match shown {
        Shown::Copy(copy) => pick(&maps.read(clip, Part::Copy(copy))?, size),
        Shown::Clean | Shown::Frozen => sound.clone(),
    };
    let attention = pick(&maps.read(clip, Part::Attention)?, height * width);
    let besides = random.uniform();
    if besides < MIXED {
        let share = random.between(0.2, 0.8);
        for (seen, sound) in seen.chunks_exact_mut(size).zip(sound.chunks_exact(size)) {
            if random.chance(share) {
                seen.copy_from_slice(sound);
            }
        }
    } else if besides < MIXED + DROPPED {
        let lost = random.between(0.2, 0.6);
        for (step, seen) in seen.chunks_exact_mut(size).enumerate() {
            // There is nothing to put in the place of a video's first frame.
            if random.chance(lost) && !(begins && step == 0) {
                seen.copy_from_slice(maps.black());
            }
        }
    }
    Ok(Chunk {
        begins,
        clip,
        frames,
        shown: seen,
        truth,
        attention,
    })
}
