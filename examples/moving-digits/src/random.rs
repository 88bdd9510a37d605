//! Randomness that depends on nothing but its name.
//!
//! Every draw comes from a generator that is derived from the seed, a purpose and an index, so that
//! video number 7 is the same whoever asks for it, in whichever order, in whichever process. That
//! is also what makes an interrupted training resume to the same bits: there is no generator whose
//! state would have to be saved.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

/// What random numbers are drawn for. Two purposes never share a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Which digits are for training, validation and test.
    Split = 1,
    /// Which digits move where.
    Scene = 2,
    /// Which frames are damaged, and how.
    Damage = 3,
    /// The start of a network.
    Weights = 4,
}

/// The generator of one `purpose` and `index` under `seed`.
pub fn rng(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, word) in key.chunks_exact_mut(8).zip([seed, purpose as u64, index]) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
