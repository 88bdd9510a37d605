//! Occlusion: something in front of the camera.

use crate::Picture;

use super::random::Draws;

/// The side of a cell, in pixels.
const CELL: usize = 64;

/// Paints each cell black with this probability.
pub(super) fn occlude(picture: &mut Picture, fraction: f32, draws: &Draws) {
    let (width, height) = (picture.width(), picture.height());
    let across = width.div_ceil(CELL);
    for cell in 0..across * height.div_ceil(CELL) {
        if draws.uniform(cell as u64) >= fraction {
            continue;
        }
        let (top, left) = (cell / across * CELL, cell % across * CELL);
        let right = (left + CELL).min(width);
        for row in top..(top + CELL).min(height) {
            picture.pixels_mut()[(row * width + left) * 3..(row * width + right) * 3].fill(0);
        }
    }
}
