//! Clips that a test makes.

use std::path::PathBuf;

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
