//! An animation of a video with boxes.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, Rgba, RgbaImage};
use lstm_ssd::Picture;
use lstm_ssd::detection::{BoundingBox, Detection};

use crate::output::Output;

/// The least score that is drawn.
const MIN_SCORE: f32 = 0.3;

/// Milliseconds of a frame, at 25 a second.
const DELAY: u32 = 40;

/// The widest animation, in pixels.
const MAX_WIDTH: usize = 640;

/// How coarsely colours are chosen, from 1 to 30.
const SPEED: i32 = 20;

/// Pixels of a box's edge.
const EDGE: i64 = 2;

/// Colours that are told apart on most pictures; classes take them in turn.
const COLOURS: [[u8; 3]; 6] = [
    [255, 214, 10],
    [48, 209, 88],
    [255, 69, 58],
    [100, 210, 255],
    [255, 55, 220],
    [255, 159, 10],
];

/// A GIF on its way to a file, a frame at a time.
pub struct Animation {
    output: Output,
    encoder: GifEncoder<File>,
}

impl Animation {
    /// Begins a file.
    pub fn create(path: &Path) -> Result<Self> {
        let output = Output::create(path)?;
        let mut encoder = GifEncoder::new_with_speed(output.file()?, SPEED);
        encoder.set_repeat(Repeat::Infinite)?;
        Ok(Self { output, encoder })
    }

    /// Adds a frame.
    pub fn add(&mut self, picture: &Picture, detections: &[Detection]) -> Result<()> {
        let frame = Frame::from_parts(
            draw(picture, detections)?,
            0,
            0,
            Delay::from_numer_denom_ms(DELAY, 1),
        );
        self.encoder
            .encode_frame(frame)
            .context("cannot write the animation")
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<()> {
        // Which writes its last byte.
        drop(self.encoder);
        self.output.finish()
    }
}

/// The picture with boxes, no wider than `MAX_WIDTH`.
fn draw(picture: &Picture, detections: &[Detection]) -> Result<RgbaImage> {
    let width = picture.width().min(MAX_WIDTH);
    let height = (picture.height() * width / picture.width()).clamp(1, u16::MAX.into());
    let small = picture.resize(width, height);
    let pixels = small.pixels().chunks_exact(3);
    let pixels: Vec<u8> = pixels
        .flat_map(|rgb| [rgb[0], rgb[1], rgb[2], 255])
        .collect();
    let mut canvas = RgbaImage::from_raw(width as u32, height as u32, pixels)
        .context("a picture has its pixels")?;
    // The surest on top.
    for detection in detections
        .iter()
        .rev()
        .filter(|seen| seen.score >= MIN_SCORE)
    {
        let bounds = detection.bounds.scale(height as f32, width as f32);
        let [r, g, b] = COLOURS[detection.class % COLOURS.len()];
        frame(&mut canvas, &bounds, Rgba([r, g, b, 255]));
    }
    Ok(canvas)
}

/// Draws the edges of a box, as far as they are within the picture.
fn frame(canvas: &mut RgbaImage, bounds: &BoundingBox, colour: Rgba<u8>) {
    let (width, height) = (i64::from(canvas.width()), i64::from(canvas.height()));
    // Casts of floating-point numbers saturate.
    let [top, left, bottom, right] =
        [bounds.ymin, bounds.xmin, bounds.ymax, bounds.xmax].map(|edge| edge.round() as i64);
    let mut fill = |x: [i64; 2], y: [i64; 2]| {
        for y in y[0].max(0)..y[1].min(height) {
            for x in x[0].max(0)..x[1].min(width) {
                canvas.put_pixel(x as u32, y as u32, colour);
            }
        }
    };
    let [above, before] = [top, left].map(|edge| edge.saturating_add(EDGE));
    let [below, after] = [bottom, right].map(|edge| edge.saturating_sub(EDGE));
    fill([left, right], [top, above]);
    fill([left, right], [below, bottom]);
    fill([left, before], [top, bottom]);
    fill([after, right], [top, bottom]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_drawn_within_the_picture_and_the_middle_stays() {
        let picture = Picture::new(12, 10, vec![7; 12 * 10 * 3]).unwrap();
        let seen = |score| Detection {
            class: 1,
            score,
            bounds: BoundingBox::new(0.2, 0.25, 0.9, 2.0),
        };
        let grey = Rgba([7, 7, 7, 255]);
        let canvas = draw(&picture, &[seen(0.9)]).unwrap();
        // Rows 2 to 8, columns 3 to 23.
        let edge = Rgba([48, 209, 88, 255]);
        for (x, y, expected) in [
            (3, 2, edge),
            (11, 3, edge),
            (4, 8, edge),
            (3, 5, edge),
            (2, 2, grey),
            (3, 1, grey),
            (3, 9, grey),
            (6, 5, grey),
            (11, 5, grey),
        ] {
            assert_eq!(*canvas.get_pixel(x, y), expected, "{x}, {y}");
        }
        let canvas = draw(&picture, &[seen(0.2)]).unwrap();
        assert!(canvas.pixels().all(|pixel| *pixel == grey));
    }
}
