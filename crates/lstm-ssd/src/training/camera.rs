//! A camera that looks at a part of a picture, still or moving.

use super::random::Random;
use crate::Picture;
use crate::detection::BoundingBox;

/// Widths and heights of what it shows; some are there more than once, to come more often.
const SIZES: [[usize; 2]; 7] = [
    [640, 480],
    [640, 480],
    [640, 480],
    [640, 360],
    [480, 360],
    [768, 576],
    [768, 432],
];

/// The deviations of a moving camera's speed, in widths of its window a frame, and of its zoom a frame; and how far it
/// shakes at most.
const SPEED: f64 = 0.006;
const ZOOM: f64 = 0.004;
const SHAKE: f64 = 0.002;

/// Below this scale, several points of the source make a pixel.
const SMOOTHED: f64 = 0.7;

/// How a camera films a video or a still.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Camera {
    /// Width and height of the pictures that it takes.
    pub size: [usize; 2],
    /// Whether it sees left and right exchanged.
    pub flipped: bool,
    /// Where it looks, for each frame.
    pub path: Vec<Window>,
}

/// A part of a picture, in its pixels. The height follows from the camera's size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    /// The middle.
    pub x: f64,
    /// The middle.
    pub y: f64,
    /// The width.
    pub width: f64,
}

impl Camera {
    /// Draws one for `frames` pictures of `source` pixels, width and height. Its window is `least` of the width at
    /// least, and `moving` is the probability that it moves.
    pub fn draw(
        random: &mut Random,
        frames: usize,
        source: [usize; 2],
        least: f64,
        moving: f64,
    ) -> Self {
        let size = SIZES[random.below(SIZES.len())];
        let flipped = random.chance(0.5);
        let [width, height] = source.map(|side| side as f64);
        let mut window = width * random.between(least, 1.0);
        let tall = (window * 0.75).min(height);
        let mut x = random.between(window / 2.0, (width - window / 2.0).max(window / 2.0 + 1.0));
        let mut y = random.between(tall / 2.0, (height - tall / 2.0).max(tall / 2.0 + 1.0));
        let mut path = Vec::with_capacity(frames);
        if random.chance(moving) {
            let [dx, dy] = [0; 2].map(|_| SPEED * random.normal() * window);
            let zoom = 1.0 + ZOOM * random.normal();
            let shake = random.between(0.0, SHAKE) * window;
            for _ in 0..frames {
                path.push(Window {
                    x: x + shake * random.normal(),
                    y: y + shake * random.normal(),
                    width: window,
                });
                (x, y) = (x + dx, y + dy);
                window = (window * zoom).clamp(0.2 * width, 1.1 * width);
            }
        } else {
            path.resize(
                frames,
                Window {
                    x,
                    y,
                    width: window,
                },
            );
        }
        Self {
            size,
            flipped,
            path,
        }
    }

    /// What it sees of a picture in a frame. Beyond the picture's edge is its reflection.
    pub fn shoot(&self, picture: &Picture, frame: usize) -> Picture {
        let [width, height] = self.size;
        let window = self.path[frame];
        let scale = width as f64 / window.width;
        let mut columns = taps(width, scale, window.x, picture.width());
        if self.flipped {
            columns.reverse();
        }
        let rows = taps(height, scale, window.y, picture.height());
        let first = rows.iter().flatten().map(|tap| tap.0).min().unwrap_or(0);
        let last = rows.iter().flatten().map(|tap| tap.0).max().unwrap_or(0);

        // Rows of the source, resized along their width.
        let mut wide = Vec::with_capacity((last + 1 - first) * width * 3);
        for row in first..=last {
            let line = &picture.pixels()[row * picture.width() * 3..][..picture.width() * 3];
            for taps in &columns {
                let mut sums = [0.0_f32; 3];
                for (index, weight) in taps {
                    for (sum, value) in sums.iter_mut().zip(&line[index * 3..]) {
                        *sum += weight * f32::from(*value);
                    }
                }
                wide.extend(sums);
            }
        }
        let mut pixels = Vec::with_capacity(width * height * 3);
        let mut sums = vec![0.0_f32; width * 3];
        for taps in &rows {
            sums.fill(0.5);
            for (index, weight) in taps {
                let line = &wide[(index - first) * width * 3..][..width * 3];
                for (sum, value) in sums.iter_mut().zip(line) {
                    *sum += weight * value;
                }
            }
            pixels.extend(sums.iter().map(|sum| *sum as u8));
        }
        Picture::new(width, height, pixels).expect("as many pixels as it has")
    }

    /// Where a box of the source, in pixels, is in what it sees: as fractions of the picture, and not cut.
    pub fn see(&self, bounds: &BoundingBox, frame: usize) -> BoundingBox {
        let [width, height] = self.size.map(|side| side as f32);
        let window = self.path[frame];
        let scale = width / window.width as f32;
        let x = |x: f32| (x - window.x as f32) * scale / width + 0.5;
        let y = |y: f32| (y - window.y as f32) * scale / height + 0.5;
        let [left, right] = match self.flipped {
            false => [x(bounds.xmin), x(bounds.xmax)],
            true => [1.0 - x(bounds.xmax), 1.0 - x(bounds.xmin)],
        };
        BoundingBox::new(y(bounds.ymin), left, y(bounds.ymax), right)
    }
}

/// For each of `count` pixels along a side, of which the middle one is at `middle` of the source, the places in the
/// source that it is made of, and their weights, which sum to 1.
fn taps(count: usize, scale: f64, middle: f64, source: usize) -> Vec<Vec<(usize, f32)>> {
    let points = match scale > SMOOTHED {
        true => 1,
        false => scale.recip().ceil() as usize,
    };
    let taps = |pixel: usize| {
        let mut taps = Vec::with_capacity(2 * points);
        for point in 0..points {
            let within = (point as f64 + 0.5) / points as f64 - 0.5;
            let at = (pixel as f64 + within - count as f64 / 2.0) / scale + middle;
            let share = at - at.floor();
            for (index, share) in [(at.floor(), 1.0 - share), (at.floor() + 1.0, share)] {
                let weight = (share / points as f64) as f32;
                taps.push((reflected(index as i64, source), weight));
            }
        }
        taps
    };
    (0..count).map(taps).collect()
}

/// A place beyond the edge, reflected back: `2 1 0 1 2`.
fn reflected(index: i64, length: usize) -> usize {
    let period = (2 * (length as i64 - 1)).max(1);
    let index = index.rem_euclid(period);
    index.min(period - index) as usize
}

#[cfg(test)]
mod tests {
    use super::super::random::Purpose;
    use super::*;

    /// A picture whose red is its column and whose green is its row.
    fn ramp(width: usize, height: usize) -> Picture {
        let pixels = (0..width * height).flat_map(|at| [(at % width) as u8, (at / width) as u8, 9]);
        Picture::new(width, height, pixels.collect()).unwrap()
    }

    #[test]
    fn a_window_is_enlarged_and_flipped_and_boxes_go_with_it() {
        let mut camera = Camera {
            size: [40, 20],
            flipped: false,
            path: vec![Window {
                x: 30.0,
                y: 40.0,
                width: 20.0,
            }],
        };
        let picture = ramp(100, 80);
        let seen = camera.shoot(&picture, 0);
        // Pixel (x, y) is (x - 20) / 2 + 30, (y - 10) / 2 + 40 of the source.
        assert_eq!(seen.pixels()[..3], [20, 35, 9]);
        let at =
            |seen: &Picture, x: usize, y: usize| seen.pixels()[(y * 40 + x) * 3..][..2].to_vec();
        assert_eq!(at(&seen, 30, 16), [35, 43]);
        let bounds = BoundingBox::new(35.0, 20.0, 40.0, 30.0);
        assert_eq!(camera.see(&bounds, 0), BoundingBox::new(0.0, 0.0, 0.5, 0.5));
        camera.flipped = true;
        assert_eq!(at(&camera.shoot(&picture, 0), 9, 16), [35, 43]);
        assert_eq!(camera.see(&bounds, 0), BoundingBox::new(0.0, 0.5, 0.5, 1.0));
    }

    #[test]
    fn a_wide_window_is_smoothed_and_reflected_beyond_the_edge() {
        // Columns of black and white in turn: whoever picks single pixels sees no grey.
        let pixels = (0..64 * 48).flat_map(|at| [(at % 2 * 255) as u8; 3]);
        let picture = Picture::new(64, 48, pixels.collect()).unwrap();
        let camera = Camera {
            size: [16, 12],
            flipped: false,
            path: vec![Window {
                x: 40.0,
                y: 24.0,
                width: 64.0,
            }],
        };
        let seen = camera.shoot(&picture, 0);
        assert!(seen.pixels().iter().all(|value| (100..156).contains(value)));
        assert_eq!(
            [-2, -1, 0, 4, 5, 6].map(|index| reflected(index, 5)),
            [2, 1, 0, 4, 3, 2]
        );
        assert_eq!(reflected(-3, 1), 0);
    }

    #[test]
    fn windows_are_within_the_picture_at_the_start() {
        let mut moved = 0;
        for index in 0..200 {
            let mut random = Random::new(1, Purpose::Clip, index);
            let camera = Camera::draw(&mut random, 4, [320, 240], 0.5, 0.5);
            let Window { x, y, width } = camera.path[0];
            assert!((160.0..=320.0).contains(&width), "{width}");
            let slack = 2.0;
            assert!(
                x - width / 2.0 >= -slack && x + width / 2.0 <= 320.0 + slack,
                "{x} {width}"
            );
            assert!(y > 0.0 && y < 240.0);
            moved += usize::from(camera.path[1] != camera.path[0]);
        }
        assert!((70..130).contains(&moved), "{moved}");
    }
}
