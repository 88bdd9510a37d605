//! What can happen to a frame on its way to a network.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt};

use crate::frame::{Frame, SIDE};
use crate::random::{Purpose, rng};

/// One kind of damage, and how bad it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Damage {
    /// Grey blocks, each from a quarter to a half of the frame wide and high, lie over the picture.
    Occlusion {
        /// How many.
        blocks: usize,
    },
    /// Noise drowns the picture.
    Noise {
        /// The share of noise, from 0 to 1.
        strength: f32,
    },
    /// The frame is black.
    Blank,
}

impl Damage {
    /// The damages of training and of every figure in the table.
    pub const STANDARD: [Self; 3] = [
        Self::Occlusion { blocks: 6 },
        Self::Noise { strength: 0.6 },
        Self::Blank,
    ];

    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Occlusion { .. } => "occlusion",
            Self::Noise { .. } => "noise",
            Self::Blank => "blank",
        }
    }

    /// Damages `frame`.
    pub fn apply(self, frame: &mut Frame, rng: &mut impl Rng) {
        match self {
            Self::Occlusion { blocks } => (0..blocks).for_each(|_| occlude(frame, rng)),
            Self::Noise { strength } => {
                for pixel in frame.pixels_mut() {
                    let noise = rng.random_range(-1.5..1.5);
                    *pixel = ((1.0 - strength) * *pixel + strength * noise).clamp(0.0, 1.0);
                }
            }
            Self::Blank => frame.pixels_mut().fill(0.0),
        }
    }
}

fn occlude(frame: &mut Frame, rng: &mut impl Rng) {
    let sides = SIDE / 4..=SIDE / 2;
    // A block may stick out at any edge, so that the middle is not covered more often.
    let mut range = || {
        let side = rng.random_range(sides.clone());
        let end = rng.random_range(side / 2..SIDE + side / 2);
        end.saturating_sub(side)..end.min(SIDE)
    };
    let (rows, columns) = (range(), range());
    let grey = rng.random_range(0.0..1.0);
    frame
        .rectangle_mut(rows, columns)
        .for_each(|pixels| pixels.fill(grey));
}

/// When a video is damaged: an endless iterator over its frames. Damage comes in bursts, half of
/// all frames are damaged, and each damaged frame gets one of [`Damage::STANDARD`].
#[derive(Debug)]
pub struct Bursts {
    rng: ChaCha8Rng,
    damaged: bool,
}

impl Bursts {
    /// Chance that a frame is as its neighbour: damage lasts three frames on average.
    const PERSISTENCE: f64 = 2.0 / 3.0;

    /// The damage of video number `index` of those under `seed`.
    pub fn new(seed: u64, index: u64) -> Self {
        let mut rng = rng(seed, Purpose::Damage, index);
        let damaged = rng.random_bool(0.5);
        Self { rng, damaged }
    }

    /// Damages the next frame of the video, or leaves it as it is.
    pub fn apply(&mut self, frame: &mut Frame) -> Option<Damage> {
        let kind = self.rng.random_range(0..Damage::STANDARD.len());
        let damage = self.damaged.then_some(Damage::STANDARD[kind]);
        if let Some(damage) = damage {
            damage.apply(frame, &mut self.rng);
        }
        if !self.rng.random_bool(Self::PERSISTENCE) {
            self.damaged = !self.damaged;
        }
        damage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey() -> Frame {
        let mut frame = Frame::black();
        frame.pixels_mut().fill(0.5);
        frame
    }

    #[test]
    fn half_of_the_frames_are_damaged_a_third_each_way_in_bursts_of_three() {
        let mut counts = [0_usize; 3];
        let (mut frames, mut bursts) = (0_usize, 0_usize);
        for index in 0..200 {
            let mut source = Bursts::new(0, index);
            let mut before = false;
            for _ in 0..100 {
                let damage = source.apply(&mut grey());
                frames += 1;
                if let Some(damage) = damage {
                    counts[Damage::STANDARD
                        .iter()
                        .position(|kind| *kind == damage)
                        .unwrap()] += 1;
                    bursts += usize::from(!before);
                }
                before = damage.is_some();
            }
        }
        let damaged: usize = counts.iter().sum();
        let share = damaged as f64 / frames as f64;
        assert!((0.48..0.52).contains(&share), "{share}");
        assert!(
            counts.iter().all(|count| count * 10 > damaged * 3),
            "{counts:?}"
        );
        let length = damaged as f64 / bursts as f64;
        assert!((2.8..3.2).contains(&length), "{length}");
    }

    #[test]
    fn each_damage_does_what_it_says() {
        let mut rng = rng(0, Purpose::Damage, 0);
        let mut frame = grey();
        Damage::Blank.apply(&mut frame, &mut rng);
        assert_eq!(frame, Frame::black());

        let mut frame = grey();
        Damage::Noise { strength: 0.0 }.apply(&mut frame, &mut rng);
        assert_eq!(frame, grey());
        Damage::Noise { strength: 0.6 }.apply(&mut frame, &mut rng);
        let changed = frame.pixels().iter().filter(|pixel| **pixel != 0.5).count();
        assert!(changed > SIDE * SIDE * 9 / 10);
        assert!(
            frame
                .pixels()
                .iter()
                .all(|pixel| (0.0..=1.0).contains(pixel))
        );

        let mut covered = 0;
        for _ in 0..200 {
            let mut frame = grey();
            Damage::Occlusion { blocks: 6 }.apply(&mut frame, &mut rng);
            covered += frame.pixels().iter().filter(|pixel| **pixel != 0.5).count();
        }
        let share = covered as f64 / (200 * SIDE * SIDE) as f64;
        assert!((0.4..0.7).contains(&share), "{share}");
    }

    #[test]
    fn damage_depends_on_seed_and_index_alone() {
        let video = |seed, index| -> Vec<_> {
            let mut bursts = Bursts::new(seed, index);
            (0..30)
                .map(|_| {
                    let mut frame = grey();
                    (bursts.apply(&mut frame), frame)
                })
                .collect()
        };
        assert!(video(1, 2) == video(1, 2));
        assert!(video(1, 2) != video(1, 3));
        assert!(video(1, 2) != video(2, 2));
    }
}
