//! Which clips there are: a number makes one, and always the same.

use super::camera::Camera;
use super::damages::Hurt;
use super::footage::Source;
use super::random::{Purpose, Random};
use crate::Picture;
use crate::detection::BoundingBox;

/// Frames of a clip.
pub const FRAMES: usize = 16;

/// The most frames of a video from a clip's first to its last: it may show every second one.
pub(super) const SPAN: usize = 2 * FRAMES;

/// How often a clip is of a video, where there are both videos and stills.
const VIDEOS: f64 = 0.55;

/// What is to be seen in a clip, and how its copies are damaged.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clip {
    /// The number of its source.
    pub source: usize,
    /// The frames of the source, from 0.
    pub frames: Vec<usize>,
    camera: Camera,
    light: Option<Light>,
    copies: Vec<Hurt>,
}

/// Another brightness and contrast.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Light {
    gain: f64,
    gamma: f64,
}

impl Clip {
    /// Draws clip `number`, with so many damaged copies. There is at least one source.
    pub fn draw(seed: u64, number: usize, copies: usize, sources: &[Source]) -> Self {
        let random = &mut Random::new(seed, Purpose::Clip, number as u64);
        let source = choose(random, sources);
        let description = &sources[source].description;
        let (frames, camera) = match description.frames {
            Some(count) => {
                let camera = Camera::draw(random, FRAMES, description.size, 0.55, 0.35);
                (passage(random, count), camera)
            }
            None => {
                let camera = Camera::draw(random, FRAMES, description.size, 0.45, 0.7);
                (vec![0; FRAMES], camera)
            }
        };
        let light = random.chance(0.5).then(|| Light {
            gain: random.between(0.7, 1.3),
            gamma: random.between(0.8, 1.25),
        });
        let hurt = &mut Random::new(seed, Purpose::Damage, number as u64);
        Self {
            source,
            frames,
            camera,
            light,
            copies: (0..copies).map(|_| Hurt::draw(hurt, FRAMES)).collect(),
        }
    }

    /// The clip, of the source's frames.
    pub fn shoot(&self, frames: &[impl AsRef<Picture>]) -> Vec<Picture> {
        let shoot = |(index, frame): (usize, &_)| {
            let mut picture = self.camera.shoot(AsRef::as_ref(frame), index);
            if let Some(light) = &self.light {
                light.shine(&mut picture);
            }
            picture
        };
        frames.iter().enumerate().map(shoot).collect()
    }

    /// The copies of the clip, each damaged in its own way.
    pub fn damage(&self, clip: &[Picture]) -> impl Iterator<Item = Vec<Picture>> {
        self.copies.iter().map(|hurt| hurt.damage(clip))
    }

    /// Where a box of the source is in a frame of the clip, as fractions of the picture.
    pub fn see(&self, bounds: &BoundingBox, frame: usize) -> BoundingBox {
        self.camera.see(bounds, frame)
    }
}

/// A source: of videos the longer ones more often, but not in proportion to their length.
fn choose(random: &mut Random, sources: &[Source]) -> usize {
    let is_video = |source: &Source| source.description.frames.is_some();
    let videos = sources.iter().filter(|source| is_video(source)).count();
    let video = match videos {
        0 => false,
        all if all == sources.len() => true,
        _ => random.chance(VIDEOS),
    };
    let weight = |source: &Source| match is_video(source) == video {
        true => (source.description.frames.unwrap_or(1) as f64).sqrt(),
        false => 0.0,
    };
    let weights: Vec<f64> = sources.iter().map(weight).collect();
    random.weighted(&weights).expect("there is a source")
}

/// Frames of a video, of so many: some in a row, or every second one, or backwards. A short video goes back and forth.
fn passage(random: &mut Random, count: usize) -> Vec<usize> {
    let every_second = random.chance(0.25) && count >= SPAN;
    let step = if every_second { 2 } else { 1 };
    let last = (FRAMES - 1) * step;
    let first = random.below(count.saturating_sub(last));
    let mut frames: Vec<usize> = (0..FRAMES)
        .map(|frame| {
            let period = (2 * (count - 1)).max(1);
            let frame = (first + frame * step) % period;
            frame.min(period - frame)
        })
        .collect();
    if random.chance(0.3) {
        frames.reverse();
    }
    frames
}

impl Light {
    fn shine(&self, picture: &mut Picture) {
        let table: [u8; 256] = core::array::from_fn(|value| {
            let light = (value as f64 / 255.0).powf(self.gamma) * self.gain;
            (light * 255.0).clamp(0.0, 255.0) as u8
        });
        for value in picture.pixels_mut() {
            *value = table[usize::from(*value)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_are_of_frames_that_there_are() {
        let mut random = Random::new(1, Purpose::Clip, 0);
        let mut kinds = [0; 3];
        for count in [1, 2, 5, 16, 17, 31, 32, 500] {
            for _ in 0..50 {
                let frames = passage(&mut random, count);
                assert_eq!(frames.len(), FRAMES);
                assert!(
                    frames.iter().all(|frame| *frame < count),
                    "{count}: {frames:?}"
                );
                let (low, high) = (frames.iter().min().unwrap(), frames.iter().max().unwrap());
                assert!(high - low < SPAN);
                if count == 500 {
                    let step = frames[1] as i64 - frames[0] as i64;
                    kinds[0] += usize::from(step > 0);
                    kinds[1] += usize::from(step < 0);
                    kinds[2] += usize::from(step.abs() == 2);
                }
            }
        }
        assert!(kinds.iter().all(|count| *count > 2), "{kinds:?}");
        assert_eq!(
            passage(&mut Random::new(1, Purpose::Clip, 3), 1),
            [0; FRAMES]
        );
    }
}
