//! From a network's map to digits at places.

use crate::digits::CLASSES;
use crate::video::{CELL, MAP};

/// What a network believes about one frame: for each cell of the map, the probability of
/// background and of each digit, `[1 + CLASSES, MAP, MAP]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Belief {
    probabilities: Vec<f32>,
}

impl Belief {
    /// Numbers in a belief.
    pub const LEN: usize = (1 + CLASSES) * MAP * MAP;

    /// The belief of these probabilities, `[1 + CLASSES, MAP, MAP]`.
    ///
    /// # Panics
    ///
    /// If there are not [`LEN`](Self::LEN).
    pub fn new(probabilities: Vec<f32>) -> Self {
        assert_eq!(
            probabilities.len(),
            Self::LEN,
            "a belief is [1 + CLASSES, MAP, MAP]"
        );
        Self { probabilities }
    }

    /// The likeliest digit in a cell and its probability.
    pub fn best(&self, [row, column]: [usize; 2]) -> (u8, f32) {
        let classes = self.probabilities.chunks_exact(MAP * MAP).skip(1);
        classes
            .map(|map| map[row * MAP + column])
            .zip(0..)
            .fold(
                (0, 0.0),
                |best, (p, class)| if p > best.1 { (class, p) } else { best },
            )
    }

    /// The digits that it sees: cells that are at least as sure as `threshold` and surer than their
    /// eight neighbours.
    pub fn detections(&self, threshold: f32) -> Vec<Detection> {
        let best: Vec<(u8, f32)> = (0..MAP * MAP)
            .map(|at| self.best([at / MAP, at % MAP]))
            .collect();
        let peak = |at: usize| {
            let (row, column) = (at / MAP, at % MAP);
            let rows = row.saturating_sub(1)..=(row + 1).min(MAP - 1);
            let columns = column.saturating_sub(1)..=(column + 1).min(MAP - 1);
            let mut neighbours =
                rows.flat_map(|row| columns.clone().map(move |column| row * MAP + column));
            // Of two neighbours that are equally sure, the first is the peak.
            neighbours.all(|other| match best[at].1.total_cmp(&best[other].1) {
                std::cmp::Ordering::Greater => true,
                std::cmp::Ordering::Equal => at <= other,
                std::cmp::Ordering::Less => false,
            })
        };
        (0..MAP * MAP)
            .filter(|at| best[*at].1 >= threshold && peak(*at))
            .map(|at| Detection {
                class: best[at].0,
                cell: [at / MAP, at % MAP],
                score: best[at].1,
            })
            .collect()
    }
}

/// A digit that a network sees in a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// The digit, from 0 to 9.
    pub class: u8,
    /// The `[row, column]` of the map's cell that its centre lies in.
    pub cell: [usize; 2],
    /// How sure the network is, from 0 to 1.
    pub score: f32,
}

impl Detection {
    /// The `[row, column]` of the cell's centre, in pixels.
    pub fn center(&self) -> [f32; 2] {
        self.cell
            .map(|cell| (cell * CELL) as f32 + CELL as f32 / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn belief(cells: &[(u8, [usize; 2], f32)]) -> Belief {
        let mut probabilities = vec![0.0; Belief::LEN];
        for (class, [row, column], p) in cells {
            probabilities[(1 + usize::from(*class)) * MAP * MAP + row * MAP + column] = *p;
        }
        Belief::new(probabilities)
    }

    #[test]
    fn peaks_above_the_threshold_are_detections() {
        let belief = belief(&[
            (3, [2, 2], 0.8),
            (3, [2, 3], 0.6), // beside a surer cell
            (8, [2, 2], 0.1), // less likely than the 3
            (7, [6, 6], 0.5),
            (1, [0, 7], 0.3), // below the threshold
        ]);
        let expected = [
            Detection {
                class: 3,
                cell: [2, 2],
                score: 0.8,
            },
            Detection {
                class: 7,
                cell: [6, 6],
                score: 0.5,
            },
        ];
        assert_eq!(belief.detections(0.4), expected);
        assert_eq!(belief.detections(0.2).len(), 3);
        assert_eq!(belief.detections(0.9), []);
    }

    #[test]
    fn equal_neighbours_are_one_detection() {
        let belief = belief(&[(3, [2, 2], 0.5), (3, [2, 3], 0.5), (3, [3, 1], 0.5)]);
        let cells: Vec<_> = belief
            .detections(0.5)
            .iter()
            .map(|peak| peak.cell)
            .collect();
        assert_eq!(cells, [[2, 2]]);
        assert_eq!(
            belief.detections(0.0)[0].cell,
            [0, 0],
            "no belief at all has peaks at zero"
        );
    }
}
