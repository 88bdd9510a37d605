//! How clips are damaged for training.

use super::random::Random;
use crate::Picture;
use crate::damage::{Damage, Damager, Kind};

/// What a copy of a clip is damaged by. Frozen frames are not among it: the truth of a frozen frame is what is shown, so
/// that they are made of undamaged maps where these are learned from.
const KINDS: [Kind; 6] = [
    Kind::MotionBlur,
    Kind::Noise,
    Kind::Occlusion,
    Kind::Drop,
    Kind::Dark,
    Kind::Bitrate,
];

/// Seeds from this one on are those of training: what a memory is measured on has others.
const OWN_SEEDS: u64 = 1000;

/// A damage, and the frames that it strikes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hurt {
    first: (Damage, u64),
    /// What follows it, and from which frame on.
    then: Option<(Damage, u64, usize)>,
    /// Which frames are damaged.
    struck: Vec<bool>,
}

impl Hurt {
    /// Draws one for a clip: mostly of one kind all along; some begin later or end, come and go, or turn into another.
    pub fn draw(random: &mut Random, frames: usize) -> Self {
        let first = (damage(random), seed(random));
        let mut struck = vec![true; frames];
        let mut then = None;
        let within = |random: &mut Random, low: usize, high: usize| {
            low.min(frames) + random.below(high.saturating_sub(low))
        };
        match random.uniform() {
            u if u < 0.12 => {
                let begin = within(random, 2, frames.saturating_sub(2));
                struck[..begin].fill(false);
            }
            u if u < 0.20 => {
                let end = within(random, 4, frames);
                struck[end..].fill(false);
            }
            u if u < 0.30 => struck.fill_with(|| random.chance(0.5)),
            u if u < 0.36 => {
                let turn = within(random, 4, frames.saturating_sub(3));
                then = Some((damage(random), seed(random), turn));
            }
            _ => {}
        }
        Self {
            first,
            then,
            struck,
        }
    }

    /// The frames of a clip, damaged.
    pub fn damage(&self, frames: &[Picture]) -> Vec<Picture> {
        let (damage, seed) = self.first;
        let mut damager = Damager::new(damage, seed);
        let mut next = self
            .then
            .map(|(damage, seed, turn)| (Damager::new(damage, seed), turn));
        let hurt = |(index, frame): (usize, &Picture)| {
            // Each sees all frames, so that its numbers are those of its place in the clip.
            let mut shown = damager.damage(frame.clone());
            if let Some((damager, turn)) = &mut next {
                let other = damager.damage(frame.clone());
                if index >= *turn {
                    shown = other;
                }
            }
            match self.struck[index] {
                true => shown,
                false => frame.clone(),
            }
        };
        frames.iter().enumerate().map(hurt).collect()
    }
}

/// A seed that no evaluation has.
fn seed(random: &mut Random) -> u64 {
    random.bits().max(OWN_SEEDS)
}

fn damage(random: &mut Random) -> Damage {
    let kind = KINDS[random.below(KINDS.len())];
    let severity = match kind {
        Kind::MotionBlur => (12 + random.below(38)) as f64,
        Kind::Noise => random.between(20.0, 85.0),
        Kind::Occlusion => random.between(0.15, 0.6),
        Kind::Drop => random.between(0.2, 0.6),
        Kind::Freeze => random.between(0.4, 0.9),
        Kind::Dark => random.between(0.03, 0.15),
        Kind::Bitrate => (50 + random.below(150)) as f64,
    };
    Damage::new(kind, severity).expect("severities are in the range of their kind")
}

#[cfg(test)]
mod tests {
    use super::super::random::Purpose;
    use super::*;

    #[test]
    fn all_kinds_come_and_most_frames_are_struck() {
        let pixels: Vec<u8> = (0..32 * 16 * 3).map(|at| (at * 37 % 251) as u8).collect();
        let frames = vec![Picture::new(32, 16, pixels).unwrap(); 16];
        let mut kinds = std::collections::BTreeSet::new();
        let mut changed = 0;
        for index in 0..120 {
            let hurt = Hurt::draw(&mut Random::new(2, Purpose::Damage, index), 16);
            kinds.insert(hurt.first.0.kind().name());
            assert!(hurt.first.1 >= OWN_SEEDS);
            let damaged = hurt.damage(&frames);
            assert_eq!(damaged, hurt.damage(&frames));
            for (index, (damaged, clean)) in damaged.iter().zip(&frames).enumerate() {
                changed += usize::from(damaged != clean);
                assert!(hurt.struck[index] || damaged == clean);
            }
        }
        assert_eq!(kinds.len(), KINDS.len(), "{kinds:?}");
        assert!((120 * 16 / 2..120 * 16).contains(&changed), "{changed}");
        // So short a clip that nothing has room within it.
        for index in 0..50 {
            let hurt = Hurt::draw(&mut Random::new(3, Purpose::Damage, index), 1);
            assert_eq!(hurt.damage(&frames[..1]).len(), 1);
        }
    }
}
