//! An endless video of real handwritten digits that drift and bounce.

use std::f32::consts::TAU;

use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::digits::{Digits, Split};
use crate::frame::{Frame, SIDE};
use crate::random::{Purpose, rng};

/// Digits in a video.
pub const DIGITS: usize = 2;

/// Side of the window that is cut out of the middle of a 28 by 28 digit; the rest is paper.
pub const SPRITE: usize = 22;

/// Pixels that a network's map has one cell for, in each direction.
pub const CELL: usize = 8;

/// Side of a network's map, in cells.
pub const MAP: usize = SIDE / CELL;

/// Slowest and fastest digit, in pixels a frame.
const SPEED: std::ops::Range<f32> = 2.0..5.0;

/// Where a sprite's upper left corner may be, in each direction.
const SPAN: f32 = (SIDE - SPRITE) as f32;

/// What is to be seen in a frame: a digit, and where its centre is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Object {
    /// The digit, from 0 to 9.
    pub class: u8,
    /// The `[row, column]` of its centre, in pixels.
    pub center: [f32; 2],
}

impl Object {
    /// The `[row, column]` of the map's cell that its centre lies in.
    pub fn cell(&self) -> [usize; 2] {
        self.center
            .map(|center| (center as usize / CELL).min(MAP - 1))
    }
}

/// A digit on its way.
#[derive(Debug, Clone)]
struct Sprite {
    class: u8,
    ink: Vec<f32>,
    corner: [f32; 2],
    velocity: [f32; 2],
}

impl Sprite {
    fn draw(&self, frame: &mut Frame) {
        let [row, column] = self.corner.map(|corner| corner.round() as usize);
        let rows = frame.rectangle_mut(row..row + SPRITE, column..column + SPRITE);
        for (pixels, ink) in rows.zip(self.ink.chunks_exact(SPRITE)) {
            for (pixel, ink) in pixels.iter_mut().zip(ink) {
                *pixel = pixel.max(*ink);
            }
        }
    }

    fn object(&self) -> Object {
        Object {
            class: self.class,
            center: self.corner.map(|corner| corner + SPRITE as f32 / 2.0),
        }
    }

    /// Moves on by a frame, bouncing off the edges.
    fn advance(&mut self) {
        for (corner, velocity) in self.corner.iter_mut().zip(&mut self.velocity) {
            *corner += *velocity;
            if *corner < 0.0 || *corner > SPAN {
                *corner = if *corner < 0.0 {
                    -*corner
                } else {
                    2.0 * SPAN - *corner
                };
                *velocity = -*velocity;
            }
        }
    }
}

/// A video: an iterator over undamaged frames and what is to be seen in them. It never ends.
///
/// # Example
///
/// ```
/// use moving_digits::digits::{Digits, Split};
/// use moving_digits::video::Video;
///
/// let digits = Digits::embedded()?;
/// let mut video = Video::new(&digits, Split::Test, 0, 7);
/// let (frame, objects) = video.next().unwrap();
/// assert_eq!(frame.pixels().len(), 64 * 64);
/// assert_eq!(objects.len(), 2);
/// # Ok::<(), moving_digits::digits::IdxError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Video {
    sprites: [Sprite; DIGITS],
}

impl Video {
    /// Video number `index` of those under `seed`, of digits of one split.
    pub fn new(digits: &Digits, split: Split, seed: u64, index: u64) -> Self {
        let mut rng = rng(seed, Purpose::Scene, index);
        let sprites = core::array::from_fn(|_| {
            let choices = digits.indices(split);
            let digit = *choices.choose(&mut rng).expect("a split has digits");
            let corner = core::array::from_fn(|_| rng.random_range(0.0..=SPAN));
            let (speed, angle) = (rng.random_range(SPEED), rng.random_range(0.0..TAU));
            Sprite {
                class: digits.label(digit),
                ink: middle(digits, digit),
                corner,
                velocity: [speed * angle.sin(), speed * angle.cos()],
            }
        });
        Self { sprites }
    }
}

impl Iterator for Video {
    type Item = (Frame, [Object; DIGITS]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut frame = Frame::black();
        self.sprites
            .iter()
            .for_each(|sprite| sprite.draw(&mut frame));
        let objects = self.sprites.each_ref().map(Sprite::object);
        self.sprites.iter_mut().for_each(Sprite::advance);
        Some((frame, objects))
    }
}

/// The middle [`SPRITE`] by [`SPRITE`] pixels of a digit, as ink from 0 to 1.
fn middle(digits: &Digits, index: usize) -> Vec<f32> {
    let margin = digits.size().map(|side| side.saturating_sub(SPRITE) / 2);
    let rows = digits
        .image(index)
        .chunks_exact(digits.size()[1])
        .skip(margin[0])
        .take(SPRITE);
    rows.flat_map(|row| row.iter().skip(margin[1]).take(SPRITE))
        .map(|pixel| f32::from(*pixel) / 255.0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_video_depends_on_seed_and_index_alone() {
        let digits = Digits::embedded().unwrap();
        let video = |seed, index| -> Vec<_> {
            Video::new(&digits, Split::Train, seed, index)
                .take(30)
                .collect()
        };
        let first = video(1, 2);
        assert!(first == video(1, 2));
        assert!(first != video(1, 3));
        assert!(first != video(2, 2));
    }

    #[test]
    fn digits_stay_in_the_picture_and_keep_moving() {
        let digits = Digits::embedded().unwrap();
        for index in 0..20 {
            let frames: Vec<_> = Video::new(&digits, Split::Train, 0, index)
                .take(200)
                .map(|shot| shot.1)
                .collect();
            for (before, after) in frames.iter().zip(&frames[1..]) {
                for (before, after) in before.iter().zip(after) {
                    assert_eq!(before.class, after.class);
                    assert_ne!(before.center, after.center);
                    let margin = SPRITE as f32 / 2.0;
                    let inside = margin..=SIDE as f32 - margin;
                    assert!(
                        after.center.iter().all(|at| inside.contains(at)),
                        "{after:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_digit_is_drawn_around_its_centre() {
        let digits = Digits::embedded().unwrap();
        let mut video = Video::new(&digits, Split::Test, 3, 0);
        video.sprites[1].ink.fill(0.0);
        let (frame, objects) = video.next().unwrap();
        let ink = frame.pixels().iter().sum::<f32>();
        let weighted = |axis: fn(usize) -> usize| {
            let pixels = frame.pixels().iter().enumerate();
            pixels
                .map(|(at, pixel)| axis(at) as f32 * pixel)
                .sum::<f32>()
                / ink
        };
        let [row, column] = objects[0].center;
        assert!((weighted(|at| at / SIDE) - row).abs() < 3.0);
        assert!((weighted(|at| at % SIDE) - column).abs() < 3.0);
    }
}
