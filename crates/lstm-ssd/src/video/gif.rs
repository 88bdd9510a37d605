//! Animated GIF.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use image::codecs::gif::GifDecoder;
use image::{AnimationDecoder, Frames, ImageDecoder};

use super::folder::limits;
use super::{Source, VideoFault};
use crate::Picture;

pub(super) struct Gif {
    frames: Frames<'static>,
    /// Milliseconds that the first picture stays, as a fraction.
    delay: Option<(u32, u32)>,
}

impl Gif {
    pub fn open(path: &Path) -> Result<Self, VideoFault> {
        let decode = |error: image::ImageError| VideoFault::Decode(error.to_string());
        let mut decoder = GifDecoder::new(BufReader::new(File::open(path)?)).map_err(decode)?;
        decoder.set_limits(limits()).map_err(decode)?;
        Ok(Self {
            frames: decoder.into_frames(),
            delay: None,
        })
    }
}

impl Source for Gif {
    fn next(&mut self) -> Result<Option<Picture>, VideoFault> {
        let Some(frame) = self.frames.next() else {
            return Ok(None);
        };
        let frame = frame.map_err(|error| VideoFault::Decode(error.to_string()))?;
        self.delay.get_or_insert(frame.delay().numer_denom_ms());
        let buffer = frame.into_buffer();
        let (width, height) = buffer.dimensions();
        // What is transparent is black.
        let pixels = buffer.pixels().flat_map(|pixel| {
            let [r, g, b, alpha] = pixel.0;
            [r, g, b].map(|value| (u16::from(value) * u16::from(alpha) / 255) as u8)
        });
        super::picture(width, height, pixels.collect()).map(Some)
    }

    fn rate(&self) -> Option<f64> {
        let (numerator, denominator) = self.delay?;
        Some(1000.0 * f64::from(denominator) / f64::from(numerator))
    }
}
