//! Whether two files hold the same weights.

use bottleneck_lstm::weights::{Checkpoint, WeightsError};
use sha2::{Digest, Sha256};

use crate::sha256;

/// The SHA-256 of the weights in a file, 64 hexadecimal digits: of names, shapes and values as `f32`, whatever the
/// format of the file.
///
/// # Errors
///
/// If a tensor is none of floating-point numbers.
pub fn fingerprint(checkpoint: &Checkpoint) -> Result<String, WeightsError> {
    let mut hash = Sha256::new();
    let number = |hash: &mut Sha256, number: usize| hash.update((number as u64).to_le_bytes());
    for tensor in checkpoint.tensors() {
        number(&mut hash, tensor.name().len());
        hash.update(tensor.name());
        number(&mut hash, tensor.shape().len());
        for side in tensor.shape() {
            number(&mut hash, *side);
        }
        let values = tensor.to_f32()?.into_iter().flat_map(f32::to_le_bytes);
        hash.update(values.collect::<Vec<u8>>());
    }
    Ok(sha256::digits(hash))
}
