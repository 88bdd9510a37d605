//! SHA-256 as people write it.

use sha2::{Digest, Sha256};

/// The digest of all that was hashed, 64 hexadecimal digits.
pub(crate) fn digits(hash: Sha256) -> String {
    let digest = hash.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
