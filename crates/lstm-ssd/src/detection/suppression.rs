//! Non-maximum suppression: one detection for one object.

use super::BoundingBox;

/// The detections that stay, surest first, as indices: each one that overlaps none of those that
/// stay before it by more than `threshold`, and at most `limit`. Of equal scores the first comes
/// first.
///
/// # Panics
///
/// If there are not as many boxes as scores.
pub fn suppress(boxes: &[BoundingBox], scores: &[f32], threshold: f32, limit: usize) -> Vec<usize> {
    assert_eq!(boxes.len(), scores.len(), "a score for every box");
    let mut order: Vec<usize> = (0..boxes.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    let mut kept: Vec<usize> = Vec::new();
    for index in order {
        if kept.len() == limit {
            break;
        }
        if kept
            .iter()
            .all(|other| boxes[index].iou(&boxes[*other]) <= threshold)
        {
            kept.push(index);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Overlaps: 0 with 1 by 4/5, 1 with 2 by 4/5, 0 with 2 by 2/3; 3 is apart.
    const BOXES: [[f32; 4]; 4] = [
        [0.0, 0.0, 4.0, 4.0],
        [0.0, 0.0, 4.0, 5.0],
        [0.0, 0.0, 4.0, 6.0],
        [9.0, 9.0, 10.0, 10.0],
    ];

    fn kept(scores: [f32; 4], threshold: f32, limit: usize) -> Vec<usize> {
        let boxes = BOXES.map(|[a, b, c, d]| BoundingBox::new(a, b, c, d));
        suppress(&boxes, &scores, threshold, limit)
    }

    #[test]
    fn what_overlaps_a_surer_one_goes() {
        assert_eq!(kept([0.9, 0.8, 0.7, 0.1], 0.5, 9), [0, 3]);
        assert_eq!(kept([0.7, 0.8, 0.9, 0.1], 0.5, 9), [2, 3]);
    }

    #[test]
    fn what_was_suppressed_suppresses_nothing() {
        // 1 goes because of 0; 2 overlaps 1 by 4/5 but 0 by no more than 2/3.
        assert_eq!(kept([0.9, 0.8, 0.7, 0.95], 0.7, 9), [3, 0, 2]);
    }

    #[test]
    fn the_limit_is_kept_and_ties_go_to_the_first() {
        assert_eq!(kept([0.5, 0.5, 0.5, 0.5], 0.5, 9), [0, 3]);
        assert_eq!(kept([0.5, 0.5, 0.5, 0.5], 0.99, 2), [0, 1]);
    }
}
