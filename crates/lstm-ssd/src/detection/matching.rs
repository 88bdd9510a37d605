//! Which prior stands for which object, in training.

use super::{BoundingBox, CenterBox};

/// For each prior the object that it stands for, an index into `objects`, if it stands for one
/// (Liu et al., *SSD*, 2016, section 2.2).
///
/// First every object gets a prior of its own: of all pairs that are still free the one that
/// overlaps most, until no object is left, or none that overlaps any free prior. Then each free
/// prior stands for the object that it overlaps most, if by at least `threshold`; 0.5 is usual.
pub fn match_priors(
    priors: &[CenterBox],
    objects: &[BoundingBox],
    threshold: f32,
) -> Vec<Option<usize>> {
    let corners: Vec<BoundingBox> = priors.iter().map(CenterBox::corners).collect();
    let mut matches = vec![None; priors.len()];

    let mut pairs = Vec::new();
    for (object, bounds) in objects.iter().enumerate() {
        let overlaps = corners.iter().map(|prior| prior.iou(bounds)).enumerate();
        pairs.extend(
            overlaps
                .filter(|(_, iou)| *iou > 0.0)
                .map(|(prior, iou)| (iou, object, prior)),
        );
    }
    // Of equal overlaps the first object's first prior.
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut served = vec![false; objects.len()];
    for (_, object, prior) in &pairs {
        if !served[*object] && matches[*prior].is_none() {
            served[*object] = true;
            matches[*prior] = Some(*object);
        }
    }
    for (iou, object, prior) in pairs {
        if iou >= threshold && matches[prior].is_none() {
            matches[prior] = Some(object);
        }
    }
    matches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priors(boxes: &[[f32; 4]]) -> Vec<CenterBox> {
        boxes.iter().map(|edges| object(*edges).center()).collect()
    }

    fn object([ymin, xmin, ymax, xmax]: [f32; 4]) -> BoundingBox {
        BoundingBox::new(ymin, xmin, ymax, xmax)
    }

    #[test]
    fn priors_that_overlap_enough_stand_for_the_object_they_overlap_most() {
        let priors = priors(&[
            [0.0, 0.0, 4.0, 4.0],
            [0.0, 0.0, 4.0, 3.0],
            [0.0, 0.0, 2.0, 2.0],
            [6.0, 6.0, 8.0, 8.0],
        ]);
        // Overlaps with the first object: 1, 3/4, 1/4, 0; with the second: 0, 0, 0, 1/2.
        let objects = [object([0.0, 0.0, 4.0, 4.0]), object([6.0, 6.0, 8.0, 7.0])];
        let expected = [Some(0), Some(0), None, Some(1)];
        assert_eq!(match_priors(&priors, &objects, 0.5), expected);
        let expected = [Some(0), None, None, Some(1)];
        assert_eq!(match_priors(&priors, &objects, 0.8), expected);
        assert_eq!(match_priors(&priors, &[], 0.5), [None; 4]);
    }

    #[test]
    fn every_object_gets_a_prior_even_where_another_has_the_best_one() {
        let priors = priors(&[[0.0, 0.0, 4.0, 4.0], [0.0, 3.0, 4.0, 8.0]]);
        // Both overlap the first prior most: by 1 and 4/5. The second object overlaps the second
        // prior by 5/32, which is below the threshold.
        let objects = [object([0.0, 0.0, 4.0, 4.0]), object([0.0, 0.0, 4.0, 5.0])];
        let expected = [Some(0), Some(1)];
        assert_eq!(match_priors(&priors, &objects, 0.5), expected);
    }

    #[test]
    fn an_object_that_overlaps_no_prior_gets_none() {
        let priors = priors(&[[0.0, 0.0, 1.0, 1.0]]);
        assert_eq!(
            match_priors(&priors, &[object([5.0, 5.0, 6.0, 6.0])], 0.5),
            [None]
        );
    }
}
