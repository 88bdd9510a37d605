//! A folder of pictures, in the order of their names.

use std::path::{Path, PathBuf};

use image::{ImageReader, Limits};

use super::{MAX_SIDE, Source, VideoFault};
use crate::Picture;

const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];

pub(super) struct Folder {
    files: std::vec::IntoIter<PathBuf>,
}

impl Folder {
    pub fn open(path: &Path) -> Result<Self, VideoFault> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let file = entry?.path();
            let extension = file.extension().and_then(|extension| extension.to_str());
            let known = extension.is_some_and(|extension| {
                EXTENSIONS
                    .iter()
                    .any(|known| extension.eq_ignore_ascii_case(known))
            });
            if known {
                files.push(file);
            }
        }
        files.sort_unstable();
        Ok(Self {
            files: files.into_iter(),
        })
    }
}

impl Source for Folder {
    fn next(&mut self) -> Result<Option<Picture>, VideoFault> {
        let Some(file) = self.files.next() else {
            return Ok(None);
        };
        let decode =
            |error: image::ImageError| VideoFault::Decode(format!("{}: {error}", file.display()));
        let mut reader = ImageReader::open(&file)?.with_guessed_format()?;
        reader.limits(limits());
        let picture = reader.decode().map_err(decode)?.into_rgb8();
        let (width, height) = picture.dimensions();
        super::picture(width, height, picture.into_raw()).map(Some)
    }

    fn rate(&self) -> Option<f64> {
        None
    }
}

/// What a picture's decoder may take.
pub(super) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE as u32);
    limits.max_image_height = Some(MAX_SIDE as u32);
    limits
}
