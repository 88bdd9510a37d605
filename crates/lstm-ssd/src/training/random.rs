//! Random numbers that depend on nothing but what they are for.
//!
//! Every draw comes from a sequence that is derived from the seed, a purpose and an index: clip number 7 is the same
//! whoever makes it, in whichever order. That is also what lets an interrupted training go on to the same bits: there
//! is no generator whose state would have to be saved.

use crate::damage::Draws;

/// What random numbers are drawn for. Two purposes never share a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// What a memory starts with.
    Weights = 0x100,
    /// What is seen in a clip.
    Clip,
    /// How a clip is damaged.
    Damage,
    /// What is learned from next.
    Unroll,
    /// Which part of a clip's frames is learned from.
    Cut,
}

/// A sequence of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    draws: Draws,
    next: u64,
}

impl Random {
    /// The sequence for one `purpose` and `index` under `seed`.
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        Self {
            draws: Draws::new(seed, purpose as u64, index),
            next: 0,
        }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let bits = self.draws.bits(self.next);
        self.next += 1;
        bits
    }

    /// A number from 0 to less than 1.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number from `low` to less than `high`, or `low` if there is none.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + self.uniform() * (high - low).max(0.0)
    }

    /// A whole number from 0 to less than `limit`, which is at least 1.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.bits() % limit.max(1) as u64) as usize
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// A normal number of mean 0 and deviation 1 (Box and Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// An index, in proportion to its weight. None if there is no weight above 0.
    pub fn weighted(&mut self, weights: &[f64]) -> Option<usize> {
        let mut rest = self.uniform() * weights.iter().sum::<f64>();
        let last = weights.iter().rposition(|weight| *weight > 0.0)?;
        for (index, weight) in weights.iter().enumerate() {
            if rest < *weight {
                return Some(index);
            }
            rest -= weight;
        }
        Some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_their_own_and_numbers_fill_their_ranges() {
        let sequence = |seed, purpose, index| {
            let mut random = Random::new(seed, purpose, index);
            [0; 4].map(|_| random.bits())
        };
        let one = sequence(1, Purpose::Clip, 0);
        assert_eq!(one, sequence(1, Purpose::Clip, 0));
        for other in [
            sequence(2, Purpose::Clip, 0),
            sequence(1, Purpose::Damage, 0),
            sequence(1, Purpose::Clip, 1),
        ] {
            assert_ne!(one, other);
        }

        let mut random = Random::new(3, Purpose::Weights, 0);
        let mut counts = [0; 3];
        for _ in 0..9000 {
            counts[random.weighted(&[1.0, 0.0, 2.0]).unwrap()] += 1;
        }
        assert!(
            (2800..3200).contains(&counts[0]) && counts[1] == 0,
            "{counts:?}"
        );
        assert_eq!(random.weighted(&[0.0]), None);
        let numbers: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let moment = |power| numbers.iter().map(|x| x.powi(power)).sum::<f64>() / 2e4;
        assert!(moment(1).abs() < 0.03, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.05, "{}", moment(2));
        assert!((0..100).all(|_| (2.0..3.0).contains(&random.between(2.0, 3.0))));
    }
}
