//! What a detector sees, as a map over the picture.

use lstm_ssd::detection::PriorsConfig;
use video_demo_app::Heat;

/// The maps that are shown: those of things up to half as high as the picture. Cells of the others are so large that
/// they say nothing of where.
const MAPS: usize = 2;

/// How sure the detector is that a class is there, over the picture: for each cell of the finest map the largest score
/// of any prior in it, or in the cell of the next map that it lies in. `logits` are those of the priors, `[priors,
/// classes]`.
pub(super) fn heat(priors: &PriorsConfig, logits: &[f32], class: usize) -> Heat {
    let [height, width] = priors.maps.first().copied().unwrap_or_default();
    let mut values = vec![0.0; height * width];
    let cells = priors.maps.iter().zip(priors.per_cell());
    let count: usize = cells
        .map(|([rows, columns], each)| rows * columns * each)
        .sum();
    let classes = logits.len() / count.max(1);
    let mut left = logits;
    for ([rows, columns], each) in priors
        .maps
        .iter()
        .copied()
        .zip(priors.per_cell())
        .take(MAPS)
    {
        let (map, rest) = left.split_at((rows * columns * each * classes).min(left.len()));
        left = rest;
        let scores: Vec<f32> = map
            .chunks_exact((each * classes).max(1))
            .map(|cell| surest(cell.chunks_exact(classes.max(1)), class))
            .collect();
        for (index, value) in values.iter_mut().enumerate() {
            let (row, column) = (index / width, index % width);
            // The cell that the middle of this one lies in.
            let row = (2 * row + 1) * rows / (2 * height);
            let column = (2 * column + 1) * columns / (2 * width);
            let score = scores.get(row * columns + column).copied();
            *value = f32::max(*value, score.unwrap_or(0.0));
        }
    }
    Heat {
        size: [width, height],
        values,
        limit: Some(1.0),
    }
}

/// The largest score of a class; what is no number counts as nothing.
fn surest<'a>(priors: impl Iterator<Item = &'a [f32]>, class: usize) -> f32 {
    let logits = priors.filter_map(|prior| prior.get(class).copied());
    let scores = logits.map(|logit| 1.0 / (1.0 + (-logit).exp()));
    scores.fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surest_prior_of_either_map_counts() {
        // Two maps of 2 by 2 cells with 3 priors and of one cell with 6; and a third one, which is not shown.
        let priors = PriorsConfig::new(vec![[2, 2], [1, 1], [1, 1]]);
        let mut logits = vec![-20.0_f32; (4 * 3 + 6 + 6) * 2];
        // The second prior of the third cell, class 1.
        logits[(2 * 3 + 1) * 2 + 1] = 0.0;
        // Another class is not looked for.
        logits[0] = 9.0;
        // The third map.
        logits[(4 * 3 + 6) * 2 + 1] = 9.0;
        let rounded = |heat: &Heat| -> Vec<f32> {
            heat.values
                .iter()
                .map(|value| (value * 100.0).round())
                .collect()
        };
        let found = heat(&priors, &logits, 1);
        assert_eq!(found.size, [2, 2]);
        assert_eq!(rounded(&found), [0.0, 0.0, 50.0, 0.0]);
        // A prior of the coarser map is everywhere.
        logits[4 * 3 * 2 + 1] = (3.0_f32).ln();
        assert_eq!(rounded(&heat(&priors, &logits, 1)), [75.0; 4]);
        assert_eq!(rounded(&heat(&priors, &[], 1)), [0.0; 4]);
    }
}
