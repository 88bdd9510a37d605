//! YUV4MPEG2: raw planes with a line of text before each frame.

use std::io::{self, BufRead, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use y4m::{Colorspace, Decoder, Error};

use super::yuv::Planes;
use super::{Source, VideoFault, check_size};
use crate::Picture;

/// The longest header that is read.
const MAX_HEADER: u64 = 1024;

pub(super) struct Y4m<R: Read> {
    decoder: Decoder<io::Chain<Cursor<Vec<u8>>, Counted<R>>>,
    read: Arc<AtomicU64>,
    shared: [usize; 2],
    grey: bool,
    full_range: bool,
}

impl<R: BufRead> Y4m<R> {
    pub fn new(mut reader: R) -> Result<Self, VideoFault> {
        let header = header(&mut reader)?;
        // Before the decoder multiplies them.
        let [width, height] = ["W", "H"].map(|name| number(&header, name));
        check_size(width, height)?;
        let full_range = header
            .split(|byte| *byte == b' ' || *byte == b'\n')
            .any(|word| word == b"XCOLORRANGE=FULL");
        let read = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            reader,
            read: Arc::clone(&read),
        };
        let decoder =
            Decoder::new(Cursor::new(header).chain(counted)).map_err(|error| match error {
                Error::UnknownColorspace => unsupported("another one"),
                other => malformed(&other),
            })?;
        let colorspace = decoder.get_colorspace();
        let (shared, grey) = match colorspace {
            Colorspace::Cmono => ([1, 1], true),
            Colorspace::C420
            | Colorspace::C420jpeg
            | Colorspace::C420paldv
            | Colorspace::C420mpeg2 => ([2, 2], false),
            Colorspace::C422 => ([2, 1], false),
            Colorspace::C444 => ([1, 1], false),
            other => return Err(unsupported(&format!("{other:?}"))),
        };
        Ok(Self {
            decoder,
            read,
            shared,
            grey,
            full_range,
        })
    }
}

impl<R: Read> Source for Y4m<R> {
    fn next(&mut self) -> Result<Option<Picture>, VideoFault> {
        let width = self.decoder.get_width();
        let height = self.decoder.get_height();
        let before = self.read.load(Ordering::Relaxed);
        let frame = match self.decoder.read_frame() {
            Ok(frame) => frame,
            // The decoder has one word for the end between two frames and for one within a frame.
            Err(Error::EOF) => {
                let part = self.read.load(Ordering::Relaxed) - before;
                return match part {
                    0 => Ok(None),
                    _ => Err(VideoFault::malformed(
                        "the frame",
                        format!("planes of {width} by {height} pixels"),
                        format!("the end of the file after {part} bytes"),
                    )),
                };
            }
            Err(error) => return Err(malformed(&error)),
        };
        let grey: &[u8] = &[];
        let [u, v] = match self.grey {
            true => [grey, grey],
            false => [frame.get_u_plane(), frame.get_v_plane()],
        };
        let planes = Planes {
            width,
            height,
            planes: [frame.get_y_plane(), u, v],
            strides: [width, width.div_ceil(self.shared[0])],
            shared: self.shared,
            full_range: self.full_range,
        };
        planes.to_picture().map(Some)
    }

    fn rate(&self) -> Option<f64> {
        let rate = self.decoder.get_framerate();
        Some(rate.num as f64 / rate.den as f64)
    }
}

/// The first line, with its end.
fn header(reader: &mut impl BufRead) -> Result<Vec<u8>, VideoFault> {
    let mut header = Vec::new();
    reader.take(MAX_HEADER).read_until(b'\n', &mut header)?;
    if header.ends_with(b"\n") {
        return Ok(header);
    }
    let found = format!("{} bytes without an end", header.len());
    let expected = "a line of at most 1024 bytes";
    Err(VideoFault::malformed("the header", expected, found))
}

/// The number of a header's parameter, the last one as for the decoder, 0 if there is none.
fn number(header: &[u8], name: &str) -> usize {
    let header = String::from_utf8_lossy(header);
    let words = header.split_ascii_whitespace().skip(1);
    words
        .filter_map(|word| word.strip_prefix(name))
        .filter_map(|value| value.parse().ok())
        .last()
        .unwrap_or(0)
}

fn unsupported(found: &str) -> VideoFault {
    let expected = "a colour space of 8 bits: mono, 420, 422 or 444";
    VideoFault::malformed("the header", expected, found)
}

fn malformed(error: &Error) -> VideoFault {
    VideoFault::malformed("the frame", "YUV4MPEG2", error.to_string())
}

/// A reader that counts what was read.
struct Counted<R> {
    reader: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
