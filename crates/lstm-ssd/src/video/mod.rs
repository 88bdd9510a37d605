//! Video in, a picture at a time: H.264 in mp4, y4m, GIF, a folder of pictures, and whatever else an
//! installed ffmpeg reads.
//!
//! Memory does not grow with the length of a video, but for the twenty bytes or so that an mp4 file
//! itself has for each frame.
//!
//! Colours are converted as OpenCV does where a file does not say how: BT.601, and of limited range
//! but for y4m files that say otherwise.

mod avc;
mod error;
mod ffmpeg;
mod folder;
mod gif;
mod mp4;
mod samples;
mod y4m;
mod yuv;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

pub use error::{VideoError, VideoFault};

#[cfg(feature = "train")]
pub(crate) use folder::{pictures, read_picture};

use crate::Picture;

/// The longest side of a picture that is read.
const MAX_SIDE: usize = 1 << 14;

/// Where pictures come from.
trait Source {
    /// The next picture, none at the end.
    fn next(&mut self) -> Result<Option<Picture>, VideoFault>;

    /// Pictures a second on average, if that is written down.
    fn rate(&self) -> Option<f64>;
}

/// A video, as an iterator of its pictures. All have the size of the first one.
///
/// An error ends it.
///
/// ```no_run
/// use lstm_ssd::video::Video;
///
/// for picture in Video::open("clip.mp4")? {
///     let picture = picture?;
///     println!("{} by {}", picture.width(), picture.height());
/// }
/// # Ok::<_, lstm_ssd::video::VideoError>(())
/// ```
pub struct Video {
    path: PathBuf,
    source: Box<dyn Source>,
    frames: usize,
    size: Option<[usize; 2]>,
    done: bool,
}

impl Video {
    /// Opens a video. The kind of file is told from its content, not from its name.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is damaged, or needs ffmpeg where there is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, VideoError> {
        Self::open_with(path, "ffmpeg")
    }

    /// As [`open`](Self::open), with another program in ffmpeg's place.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, ffmpeg: &str) -> Result<Self, VideoError> {
        let path = path.as_ref();
        let source = source(path, ffmpeg).map_err(|fault| VideoError::new(path, None, fault))?;
        Ok(Self {
            path: path.to_owned(),
            source,
            frames: 0,
            size: None,
            done: false,
        })
    }

    /// Pictures given so far.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Pictures a second, on average. None if the file does not say, as a folder of pictures; a GIF says it with its
    /// first picture.
    pub fn rate(&self) -> Option<f64> {
        let legal = |rate: &f64| rate.is_finite() && *rate > 0.0;
        self.source.rate().filter(legal)
    }

    fn step(&mut self) -> Result<Option<Picture>, VideoFault> {
        let Some(picture) = self.source.next()? else {
            return match self.frames {
                0 => Err(VideoFault::Empty),
                _ => Ok(None),
            };
        };
        let found = [picture.width(), picture.height()];
        let expected = *self.size.get_or_insert(found);
        if expected != found {
            return Err(VideoFault::SizeChanged { expected, found });
        }
        self.frames += 1;
        Ok(Some(picture))
    }
}

impl Iterator for Video {
    type Item = Result<Picture, VideoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let frame = self.frames + 1;
        match self.step() {
            Ok(Some(picture)) => Some(Ok(picture)),
            Ok(None) => {
                self.done = true;
                None
            }
            Err(fault) => {
                self.done = true;
                Some(Err(VideoError::new(&self.path, Some(frame), fault)))
            }
        }
    }
}

fn source(path: &Path, ffmpeg: &str) -> Result<Box<dyn Source>, VideoFault> {
    if std::fs::metadata(path)?.is_dir() {
        return Ok(Box::new(folder::Folder::open(path)?));
    }
    let mut head = Vec::new();
    File::open(path)?.take(12).read_to_end(&mut head)?;
    if head.starts_with(b"YUV4MPEG2") {
        return Ok(Box::new(y4m::Y4m::new(BufReader::new(File::open(path)?))?));
    }
    if head.starts_with(b"GIF8") {
        return Ok(Box::new(gif::Gif::open(path)?));
    }
    if head.get(4..8) == Some(b"ftyp") {
        return match mp4::Mp4::open(path)? {
            mp4::Opened::Video(video) => Ok(video),
            mp4::Opened::Other(found) => Ok(Box::new(ffmpeg::Ffmpeg::open(path, ffmpeg, &found)?)),
        };
    }
    let found = match head.is_empty() {
        true => return Err(VideoFault::Empty),
        false => "neither H.264 in mp4, nor y4m, nor GIF, nor a folder",
    };
    Ok(Box::new(ffmpeg::Ffmpeg::open(path, ffmpeg, found)?))
}

/// That pictures of this size are read.
fn check_size(width: usize, height: usize) -> Result<(), VideoFault> {
    if (1..=MAX_SIDE).contains(&width) && (1..=MAX_SIDE).contains(&height) {
        return Ok(());
    }
    Err(VideoFault::Size {
        limit: MAX_SIDE,
        found: [width, height],
    })
}

/// A picture of what another crate decoded.
fn picture(width: u32, height: u32, pixels: Vec<u8>) -> Result<Picture, VideoFault> {
    let [width, height] = [width, height].map(|side| side as usize);
    check_size(width, height)?;
    Picture::new(width, height, pixels).ok_or(VideoFault::Empty)
}
