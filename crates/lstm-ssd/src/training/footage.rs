//! What clips are cut out of: videos, and stills under a camera.

use std::collections::VecDeque;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::TrainingError;
use super::error::TrainingError as Error;
use crate::truth::GroundTruth;
use crate::video::{self, Video};
use crate::{Picture, sha256};

/// Videos and stills to learn from.
///
/// A video is read once when it is added, to count its frames, and once more when clips are cut out of it; no more than
/// some dozens of its frames are in memory at a time.
#[derive(Debug, Clone, Default)]
pub struct Footage {
    sources: Vec<Source>,
}

/// A video or a still.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub path: PathBuf,
    pub description: Description,
    /// What is in its frames, where that is known.
    pub truth: Option<GroundTruth>,
}

/// What a source is known by: clips are the same where this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Description {
    /// Of the files.
    sha256: String,
    /// Of the truth, where there is one.
    truth: Option<String>,
    /// None for a still.
    pub frames: Option<usize>,
    /// Width and height.
    pub size: [usize; 2],
}

impl Footage {
    /// No footage.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a video, which is read to its end for that. `progress` is told the number of each frame. Returns false, and
    /// adds nothing, if `stop` was set before.
    ///
    /// # Errors
    ///
    /// If it cannot be read to its end.
    pub fn add_video(
        &mut self,
        path: impl AsRef<Path>,
        truth: Option<GroundTruth>,
        mut progress: impl FnMut(usize),
        stop: &AtomicBool,
    ) -> Result<bool, TrainingError> {
        let path = path.as_ref();
        let mut video = Video::open(path)?;
        let mut size = [0, 0];
        while let Some(picture) = video.next() {
            let picture = picture?;
            size = [picture.width(), picture.height()];
            progress(video.frames());
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
        }
        let labels = truth.as_ref().map(|truth| format!("{truth:?}"));
        self.sources.push(Source {
            path: path.to_owned(),
            description: Description {
                sha256: sha256_of(path)?,
                truth: labels.map(|labels| sha256::digits(Sha256::new_with_prefix(labels))),
                frames: Some(video.frames()),
                size,
            },
            truth,
        });
        Ok(true)
    }

    /// Adds the PNG and JPEG pictures in a folder. `progress` is told the number of each. Returns false if `stop` was set
    /// before all were added.
    ///
    /// # Errors
    ///
    /// If there is none, or one cannot be read.
    pub fn add_stills(
        &mut self,
        folder: impl AsRef<Path>,
        mut progress: impl FnMut(usize),
        stop: &AtomicBool,
    ) -> Result<bool, TrainingError> {
        let files = video::pictures(folder.as_ref())?;
        if files.is_empty() {
            return Err(Error::NoFootage);
        }
        for (index, path) in files.into_iter().enumerate() {
            let picture = video::read_picture(&path)?;
            self.sources.push(Source {
                description: Description {
                    sha256: sha256_of(&path)?,
                    truth: None,
                    frames: None,
                    size: [picture.width(), picture.height()],
                },
                path,
                truth: None,
            });
            progress(index + 1);
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Frames of all videos.
    pub fn frames(&self) -> usize {
        let frames = self
            .sources
            .iter()
            .filter_map(|source| source.description.frames);
        frames.sum()
    }

    pub(super) fn sources(&self) -> &[Source] {
        &self.sources
    }
}

impl Source {
    /// Reads it once, and hands `give` the frames of each request as they are complete: a request is frames by their
    /// numbers, from 0 and each more than once if need be, which lie less than `span` apart. `give` says whether to go
    /// on.
    pub fn read(
        &self,
        requests: &[&[usize]],
        span: usize,
        mut give: impl FnMut(usize, Vec<Arc<Picture>>) -> bool,
    ) -> Result<(), TrainingError> {
        if self.description.frames.is_none() {
            let picture = Arc::new(video::read_picture(&self.path)?);
            for (request, frames) in requests.iter().enumerate() {
                if !give(request, vec![Arc::clone(&picture); frames.len()]) {
                    break;
                }
            }
            return Ok(());
        }
        let last = |frames: &[usize]| frames.iter().copied().max().unwrap_or(0);
        let mut order: Vec<usize> = (0..requests.len()).collect();
        order.sort_by_key(|request| last(requests[*request]));
        let mut order = order.into_iter().peekable();
        let mut kept: VecDeque<Arc<Picture>> = VecDeque::new();
        for (number, picture) in Video::open(&self.path)?.enumerate() {
            if order.peek().is_none() {
                break;
            }
            kept.push_back(Arc::new(picture?));
            if kept.len() > span {
                kept.pop_front();
            }
            let first = number + 1 - kept.len();
            while let Some(request) = order.next_if(|request| last(requests[*request]) == number) {
                let frames = requests[request].iter();
                let frames = frames.map(|frame| Arc::clone(&kept[frame - first]));
                if !give(request, frames.collect()) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Of a file, or of the files in a folder and their names.
fn sha256_of(path: &Path) -> Result<String, TrainingError> {
    let mut hash = Sha256::new();
    if path.is_dir() {
        for file in video::pictures(path)? {
            let name = file.file_name().unwrap_or_default();
            hash.update(name.as_encoded_bytes());
            update(&mut hash, &file)?;
        }
    } else {
        update(&mut hash, path)?;
    }
    Ok(sha256::digits(hash))
}

fn update(hash: &mut Sha256, path: &Path) -> Result<(), TrainingError> {
    let mut file = std::fs::File::open(path).map_err(Error::io(path))?;
    let mut part = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut part).map_err(Error::io(path))?;
        if read == 0 {
            return Ok(());
        }
        hash.update(&part[..read]);
    }
}
