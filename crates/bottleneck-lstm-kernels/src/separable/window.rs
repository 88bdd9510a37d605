//! Windows of 3 by 3 that walk over a map.

use std::ops::Range;

/// The side of a window.
pub const SIDE: usize = 3;

/// Positions of a window.
pub const TAPS: usize = SIDE * SIDE;

/// A window of 3 by 3 that walks over a map, with TensorFlow's padding 'same': a map of `n` rows becomes
/// one of `ceil(n / stride)`, and of an odd number of padded rows the larger half is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Height and width of the map.
    pub map: [usize; 2],
    /// The step from one position to the next, 1 or 2.
    pub stride: usize,
}

impl Window {
    /// Height and width of what the windows yield.
    pub fn output(&self) -> [usize; 2] {
        self.map.map(|size| size.div_ceil(self.stride))
    }

    /// The rows of the map that some rows of the output look at.
    pub(crate) fn reach(&self, rows: &Range<usize>) -> Range<usize> {
        let axis = self.rows();
        let start = (rows.start * self.stride).saturating_sub(axis.before);
        let end = rows.end.saturating_sub(1) * self.stride + SIDE - axis.before;
        start..end.min(axis.size)
    }

    pub(crate) fn rows(&self) -> Axis {
        Axis::new(self.map[0], self.stride)
    }

    pub(crate) fn columns(&self) -> Axis {
        Axis::new(self.map[1], self.stride)
    }
}

/// Windows along one axis.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    pub size: usize,
    pub stride: usize,
    /// The padding before the first place: 0 or 1.
    pub before: usize,
}

impl Axis {
    fn new(size: usize, stride: usize) -> Self {
        let last = (size.div_ceil(stride) - 1) * stride;
        Self {
            size,
            stride,
            before: (last + SIDE).saturating_sub(size) / 2,
        }
    }

    /// Windows.
    pub fn count(&self) -> usize {
        self.size.div_ceil(self.stride)
    }

    /// Those of a window's places that lie within the map.
    #[inline(always)]
    pub fn taps(&self, at: usize) -> Range<usize> {
        let begin = at * self.stride;
        self.before.saturating_sub(begin)..SIDE.min(self.size + self.before - begin)
    }

    /// The windows that lie within the map as a whole.
    #[inline(always)]
    pub fn inner(&self) -> Range<usize> {
        let start = self.before.div_ceil(self.stride).min(self.count());
        let end = match (self.size + self.before).checked_sub(SIDE) {
            Some(last) => last / self.stride + 1,
            None => 0,
        };
        start..end.clamp(start, self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By TensorFlow's formula, <https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2>.
    #[test]
    fn padding_is_tensorflows() {
        for (size, stride, before) in [
            (300, 2, 0),
            (75, 2, 1),
            (38, 2, 0),
            (19, 2, 1),
            (19, 1, 1),
            (10, 1, 1),
            (3, 2, 1),
            (2, 2, 0),
            (1, 2, 1),
            (1, 1, 1),
            (2, 1, 1),
        ] {
            assert_eq!(Axis::new(size, stride).before, before, "{size} {stride}");
        }
    }

    #[test]
    fn inner_windows_have_all_places_and_others_have_not() {
        for stride in [1, 2] {
            for size in 1..20 {
                let axis = Axis::new(size, stride);
                for at in 0..axis.count() {
                    let whole = axis.taps(at).len() == SIDE;
                    assert_eq!(axis.inner().contains(&at), whole, "{size} {stride} {at}");
                    assert!(!axis.taps(at).is_empty());
                }
            }
        }
    }
}
