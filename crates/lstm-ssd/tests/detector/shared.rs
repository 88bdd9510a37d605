//! Data that is handed to developers and not committed: beside the checkout, in `shared`.

use std::path::{Path, PathBuf};

/// A file of the shared data, or none, with a message, where there is no such data.
///
/// # Panics
///
/// If there is shared data, and not this file.
pub fn file(name: &str) -> Option<PathBuf> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = checkout.join("../shared/data");
    if !shared.is_dir() {
        eprintln!("skipped: {} is not there", shared.display());
        return None;
    }
    let file = shared.join(name);
    assert!(file.is_file(), "{} is not there", file.display());
    Some(file)
}
