//! Pictures in a row, as an animated GIF.

use std::collections::HashMap;

use gif::{DisposalMethod, Encoder, Frame, Repeat};

use super::{Canvas, Color, PictureError};

/// Colours of a GIF; one more index stands for 'as in the picture before'.
const COLORS: usize = 255;

/// An animation of pictures of one size, each shown for `hundredths` of a second, without end.
///
/// # Errors
///
/// If there are no pictures, or they cannot be encoded.
pub fn gif(pictures: &[Canvas], hundredths: u16) -> Result<Vec<u8>, PictureError> {
    let first = pictures.first().ok_or(PictureError::Size {
        width: 0,
        height: 0,
    })?;
    let size = |side: u32| {
        let error = PictureError::Size {
            width: first.width(),
            height: first.height(),
        };
        u16::try_from(side).map_err(|_| error)
    };
    let (width, height) = (size(first.width())?, size(first.height())?);
    let palette = Palette::of(pictures);
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height, &palette.bytes())?;
    encoder.set_repeat(Repeat::Infinite)?;
    let mut before: Vec<u8> = Vec::new();
    for picture in pictures {
        let indices: Vec<u8> = picture.pixels().map(|color| palette.index(color)).collect();
        // What stays the same is left out, which compresses to nearly nothing.
        let mut changed = indices.clone();
        for (index, before) in changed.iter_mut().zip(&before) {
            if index == before {
                *index = COLORS as u8;
            }
        }
        encoder.write_frame(&Frame {
            width,
            height,
            buffer: changed.into(),
            transparent: Some(COLORS as u8),
            dispose: DisposalMethod::Keep,
            delay: hundredths,
            ..Frame::default()
        })?;
        before = indices;
    }
    drop(encoder);
    Ok(file)
}

/// The most frequent colours of some pictures, and for each other one the nearest of these.
struct Palette {
    colors: Vec<Color>,
    indices: HashMap<Color, u8>,
}

impl Palette {
    fn of(pictures: &[Canvas]) -> Self {
        let mut counts: HashMap<Color, usize> = HashMap::new();
        for color in pictures.iter().flat_map(Canvas::pixels) {
            *counts.entry(color).or_default() += 1;
        }
        let mut colors: Vec<Color> = counts.keys().copied().collect();
        // The colour itself breaks ties, so that the same pictures always give the same file.
        colors.sort_by_key(|color| (std::cmp::Reverse(counts[color]), *color));
        let kept = colors[..colors.len().min(COLORS)].to_vec();
        let nearest = |color: &Color| {
            let distance = |other: &Color| -> u32 {
                let channels = color.iter().zip(other);
                channels
                    .map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2))
                    .sum()
            };
            let nearest = kept
                .iter()
                .enumerate()
                .min_by_key(|(_, other)| distance(other));
            nearest.map_or(0, |(index, _)| index as u8)
        };
        let indices = colors
            .iter()
            .map(|color| (*color, nearest(color)))
            .collect();
        Self {
            colors: kept,
            indices,
        }
    }

    fn index(&self, color: Color) -> u8 {
        self.indices.get(&color).copied().unwrap_or(0)
    }

    /// As a GIF stores it, with a place for the index that stands for no colour.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.colors.concat();
        bytes.resize(3 * (COLORS + 1), 0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use gif::{ColorOutput, DecodeOptions};

    use super::*;

    #[test]
    fn a_decoded_animation_has_the_pictures_colours() {
        let mut first = Canvas::new(6, 4, [10, 20, 30]).unwrap();
        first.fill([0.0, 0.0, 2.0, 2.0], [200, 0, 0], 1.0);
        let mut second = first.clone();
        second.fill([4.0, 2.0, 2.0, 2.0], [0, 0, 200], 1.0);
        let file = gif(&[first.clone(), second.clone()], 25).unwrap();

        let mut options = DecodeOptions::new();
        options.set_color_output(ColorOutput::RGBA);
        let mut decoder = options.read_info(file.as_slice()).unwrap();
        let mut screen = [0; 6 * 4 * 4];
        for picture in [first, second] {
            let frame = decoder.read_next_frame().unwrap().unwrap();
            assert_eq!(frame.delay, 25);
            for (screen, new) in screen.chunks_exact_mut(4).zip(frame.buffer.chunks_exact(4)) {
                if new[3] > 0 {
                    screen.copy_from_slice(new);
                }
            }
            let shown: Vec<Color> = screen
                .chunks_exact(4)
                .map(|pixel| [pixel[0], pixel[1], pixel[2]])
                .collect();
            assert!(shown.into_iter().eq(picture.pixels()));
        }
        assert!(decoder.read_next_frame().unwrap().is_none());
    }

    #[test]
    fn too_many_colours_become_the_nearest() {
        let mut picture = Canvas::new(300, 2, [0; 3]).unwrap();
        for column in 0..300_u32 {
            let color = [(column % 256) as u8, (column / 256 * 200) as u8, 0];
            picture.fill(
                [column as f32, 0.0, 1.0, 1.0 + (column % 2) as f32],
                color,
                1.0,
            );
        }
        let palette = Palette::of(&[picture.clone()]);
        assert_eq!(palette.bytes().len(), 3 * 256);
        for color in picture.pixels() {
            let shown = palette.colors[usize::from(palette.index(color))];
            let distance = color.iter().zip(shown).map(|(a, b)| a.abs_diff(b)).max();
            assert!(distance <= Some(2), "{color:?} became {shown:?}");
        }
    }

    #[test]
    fn no_pictures_are_an_error() {
        assert!(matches!(gif(&[], 10), Err(PictureError::Size { .. })));
    }
}
