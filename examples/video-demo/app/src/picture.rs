//! A picture of a video.

use thiserror::Error;

/// What a pixel is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    /// One byte: 0 is black, 255 is white.
    Grey,
    /// Red, green and blue.
    Rgb,
}

impl Channels {
    /// Bytes of a pixel.
    pub fn bytes(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

/// Why bytes are no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a picture of {width} by {height} pixels takes {expected} bytes, not {found}")]
pub struct PictureError {
    width: usize,
    height: usize,
    expected: usize,
    found: usize,
}

/// A picture of a video, 8 bits a channel, row by row. It has at least one pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    size: [usize; 2],
    channels: Channels,
    bytes: Vec<u8>,
}

impl Picture {
    /// The picture of these bytes.
    ///
    /// # Errors
    ///
    /// If there are not as many as it takes, or none.
    pub fn new(
        [width, height]: [usize; 2],
        channels: Channels,
        bytes: Vec<u8>,
    ) -> Result<Self, PictureError> {
        let expected = width
            .saturating_mul(height)
            .saturating_mul(channels.bytes());
        let found = bytes.len();
        if found == 0 || found != expected {
            return Err(PictureError {
                width,
                height,
                expected,
                found,
            });
        }
        Ok(Self {
            size: [width, height],
            channels,
            bytes,
        })
    }

    /// `[width, height]` in pixels.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// What a pixel is made of.
    pub fn channels(&self) -> Channels {
        self.channels
    }

    /// The bytes, row by row.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_as_many_bytes_as_its_pixels_take() {
        let picture = Picture::new([2, 3], Channels::Rgb, vec![7; 18]).unwrap();
        assert_eq!(picture.size(), [2, 3]);
        assert_eq!(picture.bytes().len(), 18);
        let error = Picture::new([2, 3], Channels::Grey, vec![7; 5]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a picture of 2 by 3 pixels takes 6 bytes, not 5"
        );
        assert!(Picture::new([0, 3], Channels::Grey, vec![]).is_err());
        assert!(Picture::new([usize::MAX, 3], Channels::Rgb, vec![7; 5]).is_err());
    }
}
