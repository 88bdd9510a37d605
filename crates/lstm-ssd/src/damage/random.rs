//! Random numbers that are known by their place, without those before.

/// What SplitMix64 counts in: 2^64 divided by the golden ratio.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// The standard deviation of a sum of four 16-bit words, `sqrt(4 (2^32 - 1) / 12)`, and its mean.
const WORDS_DEVIATION: f32 = 37_837.227;
const WORDS_MEAN: i32 = 2 * 0xFFFF;

/// The random numbers of one damage of one frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draws {
    key: u64,
}

impl Draws {
    /// Those of `frame`, counted from 0.
    pub(crate) fn new(seed: u64, kind: u64, frame: u64) -> Self {
        let damage = mix(seed.wrapping_add(STEP.wrapping_mul(kind)));
        Self {
            key: nth(damage, frame),
        }
    }

    /// 64 random bits.
    pub(crate) fn bits(&self, index: u64) -> u64 {
        nth(self.key, index)
    }

    /// A number from 0 to less than 1.
    pub(crate) fn uniform(&self, index: u64) -> f32 {
        // 24 bits: every one of these numbers is an f32.
        (self.bits(index) >> 40) as f32 / (1 << 24) as f32
    }

    /// Nearly a normal number: the sum of four uniform ones, which is the same on every machine.
    pub(crate) fn gauss(&self, index: u64) -> f32 {
        let bits = self.bits(index);
        let words = [bits, bits >> 16, bits >> 32, bits >> 48].map(|word| (word & 0xFFFF) as i32);
        (words.iter().sum::<i32>() - WORDS_MEAN) as f32 / WORDS_DEVIATION
    }
}

/// Number `index` of the sequence of `key`.
fn nth(key: u64, index: u64) -> u64 {
    mix(key.wrapping_add(STEP.wrapping_mul(index.wrapping_add(1))))
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*,
/// 2014): every bit of the result depends on every bit of `z`.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_splitmix64() {
        // The first outputs of the generator with the seed 1234567, as its authors' C code prints them.
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        let draws = Draws { key: 1_234_567 };
        assert_eq!([0, 1, 2].map(|index| draws.bits(index)), expected);
    }

    #[test]
    fn normal_numbers_have_mean_0_and_deviation_1() {
        let draws = Draws::new(5, 2, 9);
        let numbers: Vec<f64> = (0..100_000).map(|i| f64::from(draws.gauss(i))).collect();
        let moment = |power| numbers.iter().map(|x| x.powi(power)).sum::<f64>() / 1e5;
        assert!(moment(1).abs() < 0.01, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.01, "{}", moment(2));
        assert!(numbers.iter().all(|x| x.abs() < 3.47));
    }
}
