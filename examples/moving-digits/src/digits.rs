//! 5,000 real handwritten digits, embedded, and which of them a network may learn from.

use std::io::Read;

use flate2::read::GzDecoder;
use rand::seq::SliceRandom;
use thiserror::Error;

use crate::random::{Purpose, rng};

const IMAGES: &[u8] = include_bytes!("../data/images.idx3-ubyte.gz");
const LABELS: &[u8] = include_bytes!("../data/labels.idx1-ubyte.gz");

/// Classes of digits.
pub const CLASSES: usize = 10;

/// The digits of one split never appear in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// To learn from: 70 %.
    Train,
    /// To choose thresholds and learning rates with: 10 %.
    Validation,
    /// To report: 20 %.
    Test,
}

/// Why a file is not the IDX file that it should be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdxError {
    /// It cannot be decompressed.
    #[error("{name}: cannot be decompressed: {source}")]
    Gzip {
        /// The file.
        name: &'static str,
        /// What went wrong.
        source: std::io::Error,
    },
    /// Its header announces another element type or number of dimensions.
    #[error("{name}: expected the magic number {expected:#010x}, found {found:#010x}")]
    Magic {
        /// The file.
        name: &'static str,
        /// The magic number needed.
        expected: u32,
        /// The magic number found.
        found: u32,
    },
    /// It is shorter or longer than its header announces.
    #[error("{name}: expected {expected} bytes, found {found}")]
    Length {
        /// The file.
        name: &'static str,
        /// The length that the header announces.
        expected: usize,
        /// The length found.
        found: usize,
    },
    /// Images and labels differ in number.
    #[error("expected as many labels as images, {images}, found {labels}")]
    Count {
        /// The number of images.
        images: usize,
        /// The number of labels.
        labels: usize,
    },
    /// A label is not a digit.
    #[error("label {index}: expected a digit from 0 to 9, found {found}")]
    Label {
        /// The index of the label.
        index: usize,
        /// The label found.
        found: u8,
    },
}

/// Handwritten digits with their labels.
#[derive(Debug, Clone)]
pub struct Digits {
    pixels: Vec<u8>,
    labels: Vec<u8>,
    height: usize,
    width: usize,
    shuffled: Vec<usize>,
}

impl Digits {
    /// The digits that this crate embeds: 5,000 of MNIST, 28 by 28 pixels. See `data/README.md`.
    ///
    /// # Errors
    ///
    /// If the embedded files are not whole, which a test rules out.
    pub fn embedded() -> Result<Self, IdxError> {
        Self::from_gzip(IMAGES, LABELS)
    }

    /// The digits of a gzipped IDX file of images and one of labels.
    ///
    /// # Errors
    ///
    /// If they are not such files, or do not belong together.
    pub fn from_gzip(images: &[u8], labels: &[u8]) -> Result<Self, IdxError> {
        let ([count, height, width], pixels) = idx("images", images)?;
        let ([labelled], labels) = idx("labels", labels)?;
        if count != labelled {
            return Err(IdxError::Count {
                images: count,
                labels: labelled,
            });
        }
        if let Some(index) = labels
            .iter()
            .position(|label| usize::from(*label) >= CLASSES)
        {
            return Err(IdxError::Label {
                index,
                found: labels[index],
            });
        }
        // The files are sorted by label: a split by position would leave classes out. The split is
        // the same for every seed, so that no seed trains on what another is tested on.
        let mut shuffled: Vec<usize> = (0..count).collect();
        shuffled.shuffle(&mut rng(0, Purpose::Split, 0));
        Ok(Self {
            pixels,
            labels,
            height,
            width,
            shuffled,
        })
    }

    /// The indices of the digits in `split`.
    pub fn indices(&self, split: Split) -> &[usize] {
        let (train, test) = (self.labels.len() * 7 / 10, self.labels.len() * 8 / 10);
        match split {
            Split::Train => &self.shuffled[..train],
            Split::Validation => &self.shuffled[train..test],
            Split::Test => &self.shuffled[test..],
        }
    }

    /// `[height, width]` of an image.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// The pixels of digit `index`, row by row: 0 is paper, 255 is ink.
    ///
    /// # Panics
    ///
    /// If there is no such digit.
    pub fn image(&self, index: usize) -> &[u8] {
        let area = self.height * self.width;
        &self.pixels[index * area..][..area]
    }

    /// What digit `index` is, from 0 to 9.
    ///
    /// # Panics
    ///
    /// If there is no such digit.
    pub fn label(&self, index: usize) -> u8 {
        self.labels[index]
    }
}

/// The dimensions and the bytes of a gzipped IDX file of unsigned bytes.
fn idx<const D: usize>(name: &'static str, file: &[u8]) -> Result<([usize; D], Vec<u8>), IdxError> {
    let mut bytes = Vec::new();
    GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .map_err(|source| IdxError::Gzip { name, source })?;

    let header = 4 + 4 * D;
    let short = |expected| IdxError::Length {
        name,
        expected,
        found: bytes.len(),
    };
    let word = |index: usize| {
        let bytes = bytes.get(4 * index..)?.first_chunk()?;
        Some(u32::from_be_bytes(*bytes))
    };
    // 0x08 stands for unsigned bytes; the last byte is the number of dimensions.
    let expected = 0x0800 | D as u32;
    let found = word(0).ok_or_else(|| short(header))?;
    if found != expected {
        return Err(IdxError::Magic {
            name,
            expected,
            found,
        });
    }
    let mut dimensions = [0; D];
    for (dim, size) in dimensions.iter_mut().enumerate() {
        *size = word(1 + dim).ok_or_else(|| short(header))? as usize;
    }
    let length = dimensions
        .iter()
        .fold(1_usize, |product, size| product.saturating_mul(*size));
    let length = length.saturating_add(header);
    if bytes.len() != length {
        return Err(short(length));
    }
    bytes.drain(..header);
    Ok((dimensions, bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_embedded_digits_are_500_of_each_class() {
        let digits = Digits::embedded().unwrap();
        assert_eq!(digits.size(), [28, 28]);
        let mut counts = [0; CLASSES];
        for index in 0..5000 {
            counts[usize::from(digits.label(index))] += 1;
            assert!(
                digits.image(index).iter().any(|pixel| *pixel > 128),
                "digit {index} is blank"
            );
        }
        assert_eq!(counts, [500; CLASSES]);
    }

    #[test]
    fn no_digit_is_in_two_splits_and_none_is_left_out() {
        let digits = Digits::embedded().unwrap();
        let splits = [Split::Train, Split::Validation, Split::Test].map(|s| digits.indices(s));
        assert_eq!(splits.map(<[usize]>::len), [3500, 500, 1000]);
        let all: HashSet<usize> = splits
            .iter()
            .flat_map(|split| split.iter().copied())
            .collect();
        assert_eq!(all, (0..5000).collect());
    }

    #[test]
    fn every_split_has_every_class_in_fair_share() {
        let digits = Digits::embedded().unwrap();
        for split in [Split::Train, Split::Validation, Split::Test] {
            let indices = digits.indices(split);
            for class in 0..CLASSES as u8 {
                let share = indices
                    .iter()
                    .filter(|index| digits.label(**index) == class)
                    .count();
                let fair = indices.len() / CLASSES;
                assert!(
                    share * 3 > fair * 2 && share * 2 < fair * 3,
                    "{split:?} {class}: {share}"
                );
            }
        }
    }

    #[test]
    fn files_that_are_no_digits_are_named() {
        let image = gzip(&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9]);
        let label = gzip(&[0, 0, 8, 1, 0, 0, 0, 1, 7]);
        assert_eq!(Digits::from_gzip(&image, &label).unwrap().label(0), 7);

        let error = |images: &[u8], labels: &[u8]| {
            Digits::from_gzip(images, labels).unwrap_err().to_string()
        };
        assert!(error(b"nonsense", &label).starts_with("images: cannot be decompressed"));
        assert_eq!(
            error(&label, &label),
            "images: expected the magic number 0x00000803, found 0x00000801"
        );
        assert_eq!(
            error(&image, &gzip(&[0, 0, 8, 1, 0, 0])),
            "labels: expected 8 bytes, found 6"
        );
        assert_eq!(
            error(&image, &gzip(&[0, 0, 8, 1, 0, 0, 0, 2, 7])),
            "labels: expected 10 bytes, found 9"
        );
        assert_eq!(
            error(&image, &gzip(&[0, 0, 8, 1, 0, 0, 0, 2, 7, 7])),
            "expected as many labels as images, 1, found 2"
        );
        assert_eq!(
            error(&image, &gzip(&[0, 0, 8, 1, 0, 0, 0, 1, 10])),
            "label 0: expected a digit from 0 to 9, found 10"
        );
        let huge = gzip(&[
            0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        ]);
        assert!(error(&huge, &label).contains("expected 18446744073709551615 bytes, found 16"));
    }
}
