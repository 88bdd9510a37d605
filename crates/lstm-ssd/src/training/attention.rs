//! Where in a map something is to be seen.

use crate::detection::BoundingBox;

/// Paints boxes, fractions of a picture with how much each counts, on a map of `[height, width]`: each cell that a box
/// touches, and one more around it, counts as much as the box that counts most.
pub(super) fn paint(boxes: &[(BoundingBox, f32)], [height, width]: [usize; 2]) -> Vec<f32> {
    let mut map = vec![0.0_f32; height * width];
    let cells = |low: f32, high: f32, count: usize| {
        // Casts of floating-point numbers saturate.
        let first = ((low * count as f32).floor() as i64)
            .saturating_sub(1)
            .max(0) as usize;
        let end = ((high * count as f32).ceil() as i64)
            .saturating_add(1)
            .max(0) as usize;
        first.min(count)..end.clamp(first.min(count), count)
    };
    for (bounds, worth) in boxes {
        for row in cells(bounds.ymin, bounds.ymax, height) {
            for column in cells(bounds.xmin, bounds.xmax, width) {
                let cell = &mut map[row * width + column];
                *cell = cell.max(*worth);
            }
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_wider_by_a_cell_and_the_one_that_counts_most_is_on_top() {
        let boxes = [
            (BoundingBox::new(0.3, 0.45, 0.35, 0.55), 0.5),
            (BoundingBox::new(-3.0, 0.7, 0.05, 9.0), 0.25),
            (BoundingBox::new(2.0, 2.0, 3.0, 3.0), 1.0),
        ];
        let map = paint(&boxes, [4, 5]);
        let expected = [
            [0.0, 0.5, 0.5, 0.5, 0.25],
            [0.0, 0.5, 0.5, 0.5, 0.25],
            [0.0, 0.5, 0.5, 0.5, 0.0],
            [0.0; 5],
        ];
        assert_eq!(map, expected.concat());
    }
}
