//! Pictures, and how a network sees them.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

/// A picture of 8-bit red, green and blue, row by row from the upper left.
///
/// ```
/// use burn_flex::Flex;
/// use lstm_ssd::Picture;
///
/// let picture = Picture::new(2, 1, vec![255, 0, 0, 0, 0, 255]).unwrap();
/// let input = picture.resize(300, 300).to_input::<Flex>(&Default::default());
/// assert_eq!(input.dims(), [1, 3, 300, 300]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

/// Bits of the weights in the fixed-point arithmetic of a resize.
const BITS: u32 = 11;

/// What a resized row or column takes of its two neighbours: the index of the first, that of the
/// second, and their weights, which sum to 2^BITS.
#[derive(Debug, Clone, Copy)]
struct Tap {
    first: usize,
    second: usize,
    weights: [i32; 2],
}

impl Picture {
    /// A picture of `width * height` pixels of three bytes. None if there is another number of bytes,
    /// or no pixel.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Option<Self> {
        let bytes = width.checked_mul(height)?.checked_mul(3)?;
        (bytes > 0 && pixels.len() == bytes).then_some(Self {
            width,
            height,
            pixels,
        })
    }

    /// The width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Red, green and blue of each pixel, row by row.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// As [`pixels`](Self::pixels), to change them.
    pub(crate) fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// The picture at another size, its aspect ratio not kept: bilinear with half-pixel centres and
    /// without smoothing, in the fixed-point arithmetic of OpenCV's `INTER_LINEAR` on 8 bits, with
    /// which the published detectors' numbers were made.
    ///
    /// # Panics
    ///
    /// If a side is zero.
    pub fn resize(&self, width: usize, height: usize) -> Self {
        assert!(width > 0 && height > 0, "a picture has pixels");
        if [width, height] == [self.width, self.height] {
            return self.clone();
        }
        let columns = taps(self.width, width);
        let rows = taps(self.height, height);
        let mut pixels = Vec::with_capacity(width * height * 3);
        // Rows of the source that were resized along their width, the last two asked for.
        let mut cache: [(usize, Vec<i32>); 2] =
            [(usize::MAX, Vec::new()), (usize::MAX, Vec::new())];
        for row in rows {
            for (slot, source) in [row.first, row.second].into_iter().enumerate() {
                if cache[slot].0 != source {
                    if slot == 0 && cache[1].0 == source {
                        cache.swap(0, 1);
                    } else {
                        cache[slot] = (source, self.resized_row(source, &columns));
                    }
                }
            }
            let [above, below] = row.weights;
            let mix = cache[0].1.iter().zip(&cache[1].1).map(|(a, b)| {
                // Each product loses 4 and then 16 of its 22 bits, and the sum the last 2 of them.
                let sum = ((above * (a >> 4)) >> 16) + ((below * (b >> 4)) >> 16);
                ((sum + 2) >> 2).clamp(0, 255) as u8
            });
            pixels.extend(mix);
        }
        Self {
            width,
            height,
            pixels,
        }
    }

    /// One row of the source at another width, its values multiplied by 2^BITS.
    fn resized_row(&self, row: usize, columns: &[Tap]) -> Vec<i32> {
        let row = &self.pixels[row * self.width * 3..][..self.width * 3];
        columns
            .iter()
            .flat_map(|tap| {
                let value = |channel| {
                    let [first, second] = [tap.first, tap.second];
                    i32::from(row[first * 3 + channel]) * tap.weights[0]
                        + i32::from(row[second * 3 + channel]) * tap.weights[1]
                };
                [value(0), value(1), value(2)]
            })
            .collect()
    }

    /// What a network takes, `[1, 3, height, width]`: red, green and blue from -1 to 1, `x / 127.5 -
    /// 1`.
    pub fn to_input<B: Backend>(&self, device: &B::Device) -> Tensor<B, 4> {
        let shape = [1, 3, self.height, self.width];
        Tensor::from_data(TensorData::new(self.to_planes(), shape), device)
    }

    /// As [`to_input`](Self::to_input), but the values alone, `[3, height, width]`.
    pub fn to_planes(&self) -> Vec<f32> {
        let area = self.width * self.height;
        let mut values = vec![0.0_f32; 3 * area];
        for (position, pixel) in self.pixels.chunks_exact(3).enumerate() {
            for (channel, value) in pixel.iter().enumerate() {
                values[channel * area + position] = f32::from(*value) / 127.5 - 1.0;
            }
        }
        values
    }
}

fn taps(from: usize, to: usize) -> Vec<Tap> {
    let scale = from as f64 / to as f64;
    let one = (1 << BITS) as f32;
    let tap = |index: usize| {
        let center = ((index as f64 + 0.5) * scale - 0.5) as f32;
        let below = center.floor();
        let mut share = center - below;
        let mut first = below as isize;
        if first < 0 {
            (first, share) = (0, 0.0);
        }
        let mut first = first as usize;
        if first + 1 >= from {
            (first, share) = (from - 1, 0.0);
        }
        let round = |share: f32| (share * one).round_ties_even() as i32;
        Tap {
            first,
            second: (first + 1).min(from - 1),
            weights: [round(1.0 - share), round(share)],
        }
    };
    (0..to).map(tap).collect()
}
