//! Data that is handed to developers and not committed: beside the checkout, in `shared`.

use std::path::{Path, PathBuf};

/// A file of the shared data, or none, with a message, where there is no such data.
///
/// # Panics
///
/// If there is shared data, and not this file; where `CI` is set, also if there is none.
pub fn file(name: &str) -> Option<PathBuf> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = checkout.join("../shared/data");
    if !shared.is_dir() {
        let skips = std::env::var_os("CI").is_none();
        assert!(skips, "{} is not there", shared.display());
        eprintln!("skipped: {} is not there", shared.display());
        return None;
    }
    let file = shared.join(name);
    assert!(file.is_file(), "{} is not there", file.display());
    Some(file)
}
