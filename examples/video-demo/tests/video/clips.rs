//! Clips: made by a test, or of the shared data.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Pixels of a made clip.
pub const SIZE: [usize; 2] = [192, 128];

/// A clip of grey frames at 10 a second, in a folder that goes with it.
pub struct Clip {
    folder: TempDir,
    pub path: PathBuf,
}

impl Clip {
    /// A clip whose frames have these greys, from 0 to 255.
    pub fn new(greys: &[u8]) -> Self {
        Self::with_content(&y4m(greys))
    }

    /// A file that is called a clip.
    pub fn with_content(content: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.y4m");
        std::fs::write(&path, content).unwrap();
        Self { folder, path }
    }

    /// A file beside it.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The content of a clip.
pub fn y4m(greys: &[u8]) -> Vec<u8> {
    let [width, height] = SIZE;
    let header = format!("YUV4MPEG2 W{width} H{height} F10:1 Cmono XCOLORRANGE=FULL\n");
    let mut content = header.into_bytes();
    for grey in greys {
        content.extend(b"FRAME\n");
        content.extend(std::iter::repeat_n(*grey, width * height));
    }
    content
}

/// A file of the shared data, or none, with a message, where there is no such data.
///
/// # Panics
///
/// If there is shared data, and not this file; where `CI` is set, also if there is none.
pub fn shared(name: &str) -> Option<PathBuf> {
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
