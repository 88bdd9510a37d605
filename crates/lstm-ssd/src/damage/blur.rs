//! Motion blur: a camera that shakes.

use crate::Picture;

use super::random::Draws;

/// Blurs along rows or columns, by a random length from 1 to `2 * mean - 1` pixels.
pub(super) fn shake(picture: &mut Picture, mean: u64, draws: &Draws) {
    let length = 1 + draws.bits(0) % (2 * mean - 1);
    let (width, height) = (picture.width(), picture.height());
    // A line's pixels are `step` values apart, and lines begin `next` values apart.
    let row = 3 * width;
    let (lines, pixels, next, step) = match draws.bits(1).is_multiple_of(2) {
        true => (height, width, row, 3),
        false => (width, height, 3, row),
    };
    let mut line = vec![0; pixels];
    for first in (0..lines).flat_map(|line| (0..3).map(move |channel| line * next + channel)) {
        let values = picture.pixels_mut();
        for (index, value) in line.iter_mut().enumerate() {
            *value = values[first + index * step];
        }
        average(&line, length as usize, |index, value| {
            values[first + index * step] = value;
        });
    }
}

/// Hands `put` the mean of the `length` values around each one. Before and after the line, its ends go on.
fn average(line: &[u8], length: usize, mut put: impl FnMut(usize, u8)) {
    let (before, after) = (length / 2, length - length / 2);
    let last = line.len() - 1;
    let value = |index: usize| u32::from(line[index.min(last)]);
    let mut sum = before as u32 * value(0) + (0..after).map(value).sum::<u32>();
    let length = length as u32;
    for index in 0..line.len() {
        put(index, ((sum + length / 2) / length) as u8);
        sum += value(index + after);
        sum -= value(index.saturating_sub(before));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn averages(line: &[u8], length: usize) -> Vec<u8> {
        let mut result = vec![0; line.len()];
        average(line, length, |index, value| result[index] = value);
        result
    }

    #[test]
    fn means_by_hand() {
        let line = [10, 20, 60, 90];
        assert_eq!(averages(&line, 1), line);
        // The one before and itself, halves rounded up.
        assert_eq!(averages(&line, 2), [10, 15, 40, 75]);
        assert_eq!(averages(&line, 3), [13, 30, 57, 80]);
        // Longer than the line: 10 four times, then all, then 90.
        assert_eq!(averages(&line, 8), [28, 38, 48, 58]);
        assert_eq!(averages(&[255], 9), [255]);
    }
}
