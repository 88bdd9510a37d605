//! From luma and chroma planes to red, green and blue.

use super::{VideoFault, check_size};
use crate::Picture;

/// A picture in planes of 8 bits.
pub(super) struct Planes<'a> {
    pub width: usize,
    pub height: usize,
    /// Luma, then two of chroma. A picture in grey has none of chroma.
    pub planes: [&'a [u8]; 3],
    /// From one row to the next, of luma and of chroma.
    pub strides: [usize; 2],
    /// How many pixels share a value of chroma, along a row and along a column.
    pub shared: [usize; 2],
    /// Whether values span 0 to 255, instead of 16 to 235 and 240.
    pub full_range: bool,
}

/// BT.601 in fixed point: for each range, what luma, and chroma for red, green (of both) and blue
/// count for, times 2^16.
const LIMITED: [i32; 5] = [76_309, 104_597, 25_675, 53_279, 132_201];
const FULL: [i32; 5] = [65_536, 91_881, 22_554, 46_802, 116_130];

impl Planes<'_> {
    pub fn to_picture(&self) -> Result<Picture, VideoFault> {
        let Self {
            width,
            height,
            strides: [stride, chroma_stride],
            shared: [across, down],
            ..
        } = *self;
        check_size(width, height)?;
        let [y, u, v] = self.planes;
        let grey = u.is_empty();
        let chroma = [width.div_ceil(across), height.div_ceil(down)];
        let short = |plane: &[u8], stride: usize, [width, height]: [usize; 2]| {
            stride < width || plane.len() < (height - 1) * stride + width
        };
        if short(y, stride, [width, height])
            || !grey && (short(u, chroma_stride, chroma) || short(v, chroma_stride, chroma))
        {
            let found = format!("{}, {} and {} bytes", y.len(), u.len(), v.len());
            let expected = format!("planes of {width} by {height} pixels");
            return Err(VideoFault::malformed("the picture", expected, found));
        }
        let [luma, red_v, green_u, green_v, blue_u] = if self.full_range { FULL } else { LIMITED };
        let black = if self.full_range { 0 } else { 16 };
        let mut pixels = Vec::with_capacity(width * height * 3);
        for row in 0..height {
            let y = &y[row * stride..][..width];
            let chroma_row = (row / down) * chroma_stride;
            for (column, y) in y.iter().enumerate() {
                let value = |plane: &[u8]| match grey {
                    true => 0,
                    false => i32::from(plane[chroma_row + column / across]) - 128,
                };
                let (u, v) = (value(u), value(v));
                let y = (i32::from(*y) - black) * luma + (1 << 15);
                let channel = |value: i32| (value >> 16).clamp(0, 255) as u8;
                pixels.extend([
                    channel(y + red_v * v),
                    channel(y - green_u * u - green_v * v),
                    channel(y + blue_u * u),
                ]);
            }
        }
        Picture::new(width, height, pixels).ok_or(VideoFault::Empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(full_range: bool, y: u8, u: u8, v: u8) -> [u8; 3] {
        let planes = Planes {
            width: 1,
            height: 1,
            planes: [&[y], &[u], &[v]],
            strides: [1, 1],
            shared: [2, 2],
            full_range,
        };
        let picture = planes.to_picture().unwrap();
        picture.pixels().try_into().unwrap()
    }

    #[test]
    fn the_corners_of_the_colour_cube() {
        // Recommendation BT.601, table 3: 100 % colour bars.
        let bars = [
            ([235, 128, 128], [255, 255, 255]),
            ([210, 16, 146], [255, 255, 0]),
            ([170, 166, 16], [0, 255, 255]),
            ([145, 54, 34], [0, 255, 0]),
            ([106, 202, 222], [255, 0, 255]),
            ([81, 90, 240], [255, 0, 0]),
            ([41, 240, 110], [0, 0, 255]),
            ([16, 128, 128], [0, 0, 0]),
        ];
        for ([y, u, v], expected) in bars {
            let found = convert(false, y, u, v);
            let near = found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 2);
            assert!(near, "{found:?} {expected:?}");
        }
        assert_eq!(convert(true, 255, 128, 128), [255; 3]);
        assert_eq!(convert(true, 76, 85, 255), [254, 0, 0]);
    }

    #[test]
    fn chroma_is_shared_by_squares_also_at_odd_sizes() {
        let planes = Planes {
            width: 3,
            height: 3,
            planes: [&[128; 9], &[128, 255, 128, 128], &[128; 4]],
            strides: [3, 2],
            shared: [2, 2],
            full_range: true,
        };
        let picture = planes.to_picture().unwrap();
        let blue: Vec<u8> = picture
            .pixels()
            .iter()
            .skip(2)
            .step_by(3)
            .copied()
            .collect();
        assert_eq!(blue, [128, 128, 255, 128, 128, 255, 128, 128, 128]);
    }

    #[test]
    fn planes_that_are_too_short_are_an_error() {
        let planes = Planes {
            width: 4,
            height: 4,
            planes: [&[0; 16], &[0; 4], &[0; 3]],
            strides: [4, 2],
            shared: [2, 2],
            full_range: false,
        };
        assert!(matches!(
            planes.to_picture(),
            Err(VideoFault::Malformed { .. })
        ));
    }
}
