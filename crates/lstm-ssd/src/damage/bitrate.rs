//! A low bit rate: what the transform of a codec loses, without a codec.

use crate::Picture;

use super::noise::rounded;

/// The side of a block of the transform, and that of the pixels which share four of luma and one of chroma.
const BLOCK: usize = 8;
const MACRO_BLOCK: usize = 16;

type Block = [[f32; BLOCK]; BLOCK];

/// `cos(n pi / 16) / 2` for n from 0 to 7, but for the first one, which the transform has as `sqrt(1 / 8)`. It asks
/// for none at 8.
const COSINES: [f32; 8] = [
    0.353_553_38,
    0.490_392_63,
    0.461_939_75,
    0.415_734_8,
    0.353_553_38,
    0.277_785_12,
    0.191_341_71,
    0.097_545_16,
];

/// The orthonormal DCT-II: row `u` holds frequency `u`.
const DCT: Block = {
    let mut dct = [[0.0; BLOCK]; BLOCK];
    let mut u = 0;
    while u < BLOCK {
        let mut x = 0;
        while x < BLOCK {
            // cos has the period 32, is even, and changes its sign over half of the period.
            let n = (2 * x + 1) * u % 32;
            let n = if n > 16 { 32 - n } else { n };
            dct[u][x] = if n > 8 { -COSINES[16 - n] } else { COSINES[n] };
            x += 1;
        }
        u += 1;
    }
    dct
};

/// Brightness or a colour, whole blocks.
struct Plane {
    width: usize,
    values: Vec<f32>,
}

/// Keeps of each frequency a multiple of a step that grows from `step` with the frequency.
pub(super) fn quantise(picture: &mut Picture, step: f32) {
    let width = picture.width();
    let [mut luma, mut blue, mut red] = planes(picture);
    luma.code(step, 128.0);
    blue.code(step, 0.0);
    red.code(step, 0.0);
    for (index, pixel) in picture.pixels_mut().chunks_exact_mut(3).enumerate() {
        let (row, column) = (index / width, index % width);
        let y = luma.values[row * luma.width + column];
        let [cb, cr] = [&blue, &red].map(|c| c.values[row / 2 * c.width + column / 2]);
        let (r, b) = (y + cr / 0.713, y + cb / 0.564);
        let g = (y - 0.299 * r - 0.114 * b) / 0.587;
        pixel.copy_from_slice(&[r, g, b].map(rounded));
    }
}

/// Brightness, and at half the size how much bluer and redder each pixel is.
fn planes(picture: &Picture) -> [Plane; 3] {
    let whole = |side: usize| side.next_multiple_of(MACRO_BLOCK);
    let (width, height) = (whole(picture.width()), whole(picture.height()));
    let plane = |width: usize, height: usize| Plane {
        width,
        values: vec![0.0; width * height],
    };
    let mut luma = plane(width, height);
    let [mut blue, mut red] = [0; 2].map(|_| plane(width / 2, height / 2));
    for row in (0..height).step_by(2) {
        for column in (0..width).step_by(2) {
            let colours = [[0, 0], [0, 1], [1, 0], [1, 1]].map(|[below, right]| {
                let (row, column) = (row + below, column + right);
                let [r, g, b] = edge_pixel(picture, row, column).map(f32::from);
                let y = 0.299 * r + 0.587 * g + 0.114 * b;
                luma.values[row * width + column] = y;
                [(b - y) * 0.564, (r - y) * 0.713]
            });
            let mean = |colour: usize| {
                let [a, b, c, d] = colours.map(|of| of[colour]);
                ((a + b) + (c + d)) / 4.0
            };
            let small = row / 2 * (width / 2) + column / 2;
            (blue.values[small], red.values[small]) = (mean(0), mean(1));
        }
    }
    [luma, blue, red]
}

/// A pixel, or beyond the picture the nearest one at its edge.
fn edge_pixel(picture: &Picture, row: usize, column: usize) -> [u8; 3] {
    let (row, column) = (
        row.min(picture.height() - 1),
        column.min(picture.width() - 1),
    );
    let first = (row * picture.width() + column) * 3;
    let pixels = picture.pixels();
    [pixels[first], pixels[first + 1], pixels[first + 2]]
}

impl Plane {
    /// Quantises every block of `values - middle`.
    fn code(&mut self, step: f32, middle: f32) {
        let strip = self.width * BLOCK;
        for strip in self.values.chunks_exact_mut(strip) {
            for left in (0..self.width).step_by(BLOCK) {
                let place = |y: usize, x: usize| y * self.width + left + x;
                let block = square(|y, x| strip[place(y, x)] - middle);
                let coarse = inverse(&coarse(&forward(&block), step));
                for y in 0..BLOCK {
                    for x in 0..BLOCK {
                        strip[place(y, x)] = coarse[y][x] + middle;
                    }
                }
            }
        }
    }
}

fn square(value: impl Fn(usize, usize) -> f32) -> Block {
    core::array::from_fn(|row| core::array::from_fn(|column| value(row, column)))
}

/// The sum of eight products, one after the other: another order would round differently.
fn sum(product: impl Fn(usize) -> f32) -> f32 {
    (1..BLOCK).fold(product(0), |sum, index| sum + product(index))
}

fn forward(block: &Block) -> Block {
    let columns = square(|u, x| sum(|y| DCT[u][y] * block[y][x]));
    square(|u, v| sum(|x| columns[u][x] * DCT[v][x]))
}

fn inverse(block: &Block) -> Block {
    let columns = square(|y, v| sum(|u| DCT[u][y] * block[u][v]));
    square(|y, x| sum(|v| columns[y][v] * DCT[v][x]))
}

/// Rounds to multiples of the step, towards zero below two thirds of one, as coders do to save bits.
fn coarse(block: &Block, step: f32) -> Block {
    square(|u, v| {
        let step = step * (1.0 + 0.25 * (u + v) as f32);
        let multiple = block[u][v] / step;
        (multiple + (1.0_f32 / 3.0).copysign(multiple)).trunc() * step
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_back_of_its_frequencies() {
        let block = square(|y, x| ((y * 37 + x * 91) % 256) as f32 - 128.0);
        let frequencies = forward(&block);
        let mean = block.iter().flatten().sum::<f32>() / 8.0;
        assert!((frequencies[0][0] - mean).abs() < 1e-3);
        let again = inverse(&frequencies);
        for (found, expected) in again.iter().flatten().zip(block.iter().flatten()) {
            assert!((found - expected).abs() < 1e-3, "{found} for {expected}");
        }
    }

    #[test]
    fn a_grey_picture_becomes_a_multiple_of_the_step() {
        // 30 above the middle: 240 of the lowest frequency, nearer to 2 steps of 100 than to 3.
        let mut picture = Picture::new(5, 3, vec![158; 5 * 3 * 3]).unwrap();
        quantise(&mut picture, 100.0);
        assert_eq!(picture.pixels(), [128 + 200 / 8; 5 * 3 * 3]);
    }
}
