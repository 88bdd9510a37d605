//! Noise, and the dark, in which a sensor's own noise shows.

use crate::Picture;

use super::random::Draws;

/// The standard deviation of a sensor's noise.
const SENSOR: f32 = 2.0;

/// Adds noise of this standard deviation.
pub(super) fn noise(picture: &mut Picture, deviation: f32, draws: &Draws) {
    for (index, value) in picture.pixels_mut().iter_mut().enumerate() {
        *value = rounded(f32::from(*value) + deviation * draws.gauss(index as u64));
    }
}

/// Takes light away, before the sensor adds its noise.
pub(super) fn dark(picture: &mut Picture, gain: f32, draws: &Draws) {
    for (index, value) in picture.pixels_mut().iter_mut().enumerate() {
        *value = rounded(f32::from(*value) * gain + SENSOR * draws.gauss(index as u64));
    }
}

/// To the nearest of 8 bits, halves up.
pub(super) fn rounded(value: f32) -> u8 {
    // Casts of floating-point numbers saturate.
    (value + 0.5).floor() as u8
}
