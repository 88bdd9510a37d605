//! Where a video cuts to another scene, and a memory has to forget.

use std::collections::VecDeque;

use crate::Picture;

/// Cells of a thumbnail.
const COLUMNS: usize = 16;
const ROWS: usize = 12;

/// The share of a cell that may be black before it says nothing of the scene.
const BLACK: f32 = 0.05;

/// The standard deviation below which a thumbnail says nothing, in grey levels.
const FLAT: f32 = 6.0;

/// The correlation from which two thumbnails are of one scene, and that below which they are of two.
const SAME: f32 = 0.8;
const OTHER: f32 = 0.2;

/// The least ratios with which a low correlation means anything: of two standard deviations, and of the changes from one
/// column to the next and from one row to the next.
const ALIKE: [f32; 3] = [0.6, 0.2, 0.2];

/// Finds cuts, and takes no damage for one. Rather it misses a cut, such as one between scenes that are lit alike.
///
/// It looks at thumbnails of luminance, four frames in a row: a cut is between the second and the third if two and two
/// correlate, and none of the first two with one of the last two. So it is told a frame late, when the new scene has
/// lasted for two frames. What keeps it from firing on damage:
///
/// - Noise differs from frame to frame. Where it is so strong that a thumbnail no longer correlates with the clean
///   one, two noisy ones do not correlate either.
/// - Blur, coarse quantisation and darkness are low in correlation with what they were made of only where they take most
///   of its contrast, and blur along rows leaves no change from column to column, blur along columns none from row to
///   row. So two thumbnails of unlike contrast, or unlike changes, say nothing.
/// - Cells with black in them are left out, and a frame with few others, or flat, says nothing.
/// - Where frames were lost or frozen the scene has moved on meanwhile. A frame that says nothing, or repeats the one
///   before, is no part of four in a row.
///
/// ```
/// use lstm_ssd::Picture;
/// use lstm_ssd::cuts::Cuts;
///
/// let mut cuts = Cuts::default();
/// // A bright square, then another one elsewhere; a bit brighter in every frame.
/// let scene = |time: usize| Picture::new(64, 48, (0..64 * 48).flat_map(|at| {
///     let [left, top] = if time < 5 { [4, 4] } else { [40, 20] };
///     let inside = (left..left + 20).contains(&(at % 64)) && (top..top + 20).contains(&(at / 64));
///     [(if inside { 200 } else { 40 } + time) as u8; 3]
/// }).collect()).unwrap();
/// let found: Vec<bool> = (0..10).map(|time| cuts.is_after(&scene(time))).collect();
/// assert_eq!(found.iter().position(|found| *found), Some(6));
/// assert_eq!(found.iter().filter(|found| **found).count(), 1);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cuts {
    /// Of at most three frames, the last one last; without a gap.
    before: VecDeque<Thumbnail>,
}

impl Cuts {
    /// Whether a cut was just before the last picture but this, which is the next frame of the video.
    pub fn is_after(&mut self, picture: &Picture) -> bool {
        let now = Thumbnail::of(picture);
        if now.contrast()[0] < FLAT || self.before.back().is_some_and(|last| *last == now) {
            self.before.clear();
            return false;
        }
        let cut = match self.before.make_contiguous() {
            [a, b, c] => {
                let old = [&*a, &*b];
                let new = [&*c, &now];
                let across = old.iter().flat_map(|old| new.map(|new| (*old, new)));
                a.is_same(b) && c.is_same(&now) && { across }.all(|(old, new)| old.is_other(new))
            }
            _ => false,
        };
        if self.before.len() == 3 {
            self.before.pop_front();
        }
        self.before.push_back(now);
        cut
    }

    /// Forgets all, before another video.
    pub fn reset(&mut self) {
        self.before.clear();
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Thumbnail {
    /// Mean luminance of each cell, row by row; none where there is black.
    cells: [Option<f32>; COLUMNS * ROWS],
}

impl Thumbnail {
    fn of(picture: &Picture) -> Self {
        let (width, height) = (picture.width(), picture.height());
        let mut sums = [[0_u64; 3]; COLUMNS * ROWS];
        for (y, row) in picture.pixels().chunks_exact(3 * width).enumerate() {
            let first = y * ROWS / height * COLUMNS;
            for (x, pixel) in row.chunks_exact(3).enumerate() {
                let [sum, count, black] = &mut sums[first + x * COLUMNS / width];
                // As in BT.601.
                let light = 77 * u64::from(pixel[0]) + 150 * u64::from(pixel[1]);
                let light = light + 29 * u64::from(pixel[2]);
                *sum += light;
                *count += 1;
                *black += u64::from(light == 0);
            }
        }
        let mean = |[sum, count, black]: [u64; 3]| {
            let seen = count > 0 && black as f32 <= BLACK * count as f32;
            seen.then(|| sum as f32 / (256 * count) as f32)
        };
        Self {
            cells: sums.map(mean),
        }
    }

    /// The standard deviation, and the root mean square of the changes from one column to the next and from one row to
    /// the next; zero if there is too little to see.
    fn contrast(&self) -> [f32; 3] {
        let Some(pair) = self.compare(self) else {
            return [0.0; 3];
        };
        let change = |apart: usize, last: usize| {
            let (mut sum, mut count) = (0.0_f32, 0.0_f32);
            for at in (0..COLUMNS * ROWS).filter(|at| at % COLUMNS < last) {
                if let (Some(one), Some(Some(next))) = (self.cells[at], self.cells.get(at + apart))
                {
                    sum += (next - one).powi(2);
                    count += 1.0;
                }
            }
            (sum / count.max(1.0)).sqrt()
        };
        [
            pair.deviations[0],
            change(1, COLUMNS - 1),
            change(COLUMNS, COLUMNS),
        ]
    }

    fn is_same(&self, other: &Self) -> bool {
        let pair = self.compare(other);
        pair.is_some_and(|pair| pair.correlation() >= SAME)
    }

    /// False also where nothing can be said.
    fn is_other(&self, other: &Self) -> bool {
        let contrasts = self.contrast().into_iter().zip(other.contrast());
        let mut contrasts = contrasts.zip(ALIKE);
        contrasts.all(|((a, b), least)| a.min(b) >= least * a.max(b))
            && self
                .compare(other)
                .is_some_and(|pair| pair.correlation() < OTHER)
    }

    /// None if less than half of the cells are seen in both.
    fn compare(&self, other: &Self) -> Option<Pair> {
        let both = || {
            let cells = self.cells.iter().zip(&other.cells);
            cells.filter_map(|(a, b)| Some([(*a)?, (*b)?]))
        };
        let count = both().count();
        if 2 * count < COLUMNS * ROWS {
            return None;
        }
        let mean = |of: &dyn Fn([f32; 2]) -> f32| both().map(of).sum::<f32>() / count as f32;
        let means = [mean(&|[a, _]| a), mean(&|[_, b]| b)];
        let product = |i: usize, j: usize| {
            mean(&|pair: [f32; 2]| (pair[i] - means[i]) * (pair[j] - means[j]))
        };
        Some(Pair {
            deviations: [product(0, 0).sqrt(), product(1, 1).sqrt()],
            covariance: product(0, 1),
        })
    }
}

/// Two thumbnails, where both are seen.
struct Pair {
    deviations: [f32; 2],
    covariance: f32,
}

impl Pair {
    fn correlation(&self) -> f32 {
        let [a, b] = self.deviations;
        self.covariance / (a * b).max(f32::MIN_POSITIVE)
    }
}
