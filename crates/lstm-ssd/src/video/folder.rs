//! A folder of pictures, in the order of their names.

use std::path::{Path, PathBuf};

use image::{ImageReader, Limits};

#[cfg(feature = "train")]
use super::VideoError;
use super::{MAX_SIDE, Source, VideoFault};
use crate::Picture;

const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];

pub(super) struct Folder {
    files: std::vec::IntoIter<PathBuf>,
}

impl Folder {
    pub fn open(path: &Path) -> Result<Self, VideoFault> {
        Ok(Self {
            files: files(path)?.into_iter(),
        })
    }
}

/// The pictures in a folder, in the order of their names.
#[cfg(feature = "train")]
pub(crate) fn pictures(path: &Path) -> Result<Vec<PathBuf>, VideoError> {
    files(path).map_err(|fault| VideoError::new(path, None, fault))
}

/// Reads one picture.
#[cfg(feature = "train")]
pub(crate) fn read_picture(path: &Path) -> Result<Picture, VideoError> {
    read(path).map_err(|fault| VideoError::new(path, None, fault))
}

fn files(path: &Path) -> Result<Vec<PathBuf>, VideoFault> {
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
    Ok(files)
}

impl Source for Folder {
    fn next(&mut self) -> Result<Option<Picture>, VideoFault> {
        let Some(file) = self.files.next() else {
            return Ok(None);
        };
        match read(&file) {
            Err(VideoFault::Decode(error)) => {
                Err(VideoFault::Decode(format!("{}: {error}", file.display())))
            }
            read => read.map(Some),
        }
    }

    fn rate(&self) -> Option<f64> {
        None
    }
}

fn read(path: &Path) -> Result<Picture, VideoFault> {
    let decode = |error: image::ImageError| VideoFault::Decode(error.to_string());
    let mut reader = ImageReader::open(path)?.with_guessed_format()?;
    reader.limits(limits());
    let picture = reader.decode().map_err(decode)?.into_rgb8();
    let (width, height) = picture.dimensions();
    super::picture(width, height, picture.into_raw())
}

/// What a picture's decoder may take.
pub(super) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE as u32);
    limits.max_image_height = Some(MAX_SIDE as u32);
    limits
}
