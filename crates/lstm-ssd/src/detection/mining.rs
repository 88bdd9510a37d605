//! Hard negatives: of all the background, what a network gets most wrong.

/// The priors of background to learn from, in rising order: those with the largest `losses`, at
/// most `ratio` times as many as priors that stand for an object, and at least `least` where there
/// is so much background (Liu et al., *SSD*, 2016, section 2.2, with 3:1; Liu & Zhu, 2018, section
/// 4, with 10:1).
///
/// `losses` has each prior's loss if it were background, `matches` the object that it stands for.
/// Of equal losses the first is taken.
///
/// # Panics
///
/// If `losses` and `matches` differ in length.
pub fn hard_negatives(
    losses: &[f32],
    matches: &[Option<usize>],
    ratio: f64,
    least: usize,
) -> Vec<usize> {
    assert_eq!(losses.len(), matches.len(), "a loss for every prior");
    let positives = matches.iter().flatten().count();
    let mut negatives: Vec<usize> = (0..matches.len())
        .filter(|prior| matches[*prior].is_none())
        .collect();
    let count = ((positives as f64 * ratio) as usize).max(least);
    negatives.sort_by(|a, b| losses[*b].total_cmp(&losses[*a]).then(a.cmp(b)));
    negatives.truncate(count);
    negatives.sort_unstable();
    negatives
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOSSES: [f32; 8] = [0.1, 9.0, 0.7, 0.2, 0.7, 0.9, 0.0, 0.3];
    const MATCHES: [Option<usize>; 8] = [None, Some(0), None, None, None, None, None, None];

    #[test]
    fn three_to_one_takes_the_three_largest() {
        // The largest loss of all belongs to a positive.
        assert_eq!(hard_negatives(&LOSSES, &MATCHES, 3.0, 0), [2, 4, 5]);
    }

    #[test]
    fn ten_to_one_takes_all_there_are() {
        assert_eq!(
            hard_negatives(&LOSSES, &MATCHES, 10.0, 0),
            [0, 2, 3, 4, 5, 6, 7]
        );
    }

    #[test]
    fn of_equal_losses_the_first_is_taken() {
        assert_eq!(hard_negatives(&LOSSES, &MATCHES, 2.0, 0), [2, 5]);
    }

    #[test]
    fn a_frame_without_objects_has_the_least_number() {
        assert_eq!(hard_negatives(&LOSSES, &[None; 8], 3.0, 0), [0; 0]);
        assert_eq!(hard_negatives(&LOSSES, &[None; 8], 3.0, 2), [1, 5]);
    }
}
