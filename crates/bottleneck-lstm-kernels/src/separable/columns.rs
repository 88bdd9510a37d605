//! Windows of 3 by 3 as columns, so that a dense convolution becomes a pointwise one.

use std::ops::Range;

use super::depthwise::Rows;
use super::window::{SIDE, TAPS, Window};
use crate::lanes::{Kernel, Lanes, Octet};
use crate::planes::{PlanesMut, each};

/// Spreads the windows of some rows: a plane of the output for each tap of each plane of the input.
pub struct Columns<'a> {
    pub window: Window,
    pub x: Rows<'a>,
    /// Of the output.
    pub rows: Range<usize>,
    /// `[octets, 9, positions of the rows]`
    pub out: PlanesMut<'a, Octet>,
}

impl Kernel for Columns<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, _l: L) {
        let (down, across) = (self.window.rows(), self.window.columns());
        for (index, out) in each(&mut self.out).enumerate() {
            let plane = &self.x.octets[index / TAPS * self.x.plane..];
            let (row, column) = (index % TAPS / SIDE, index % SIDE);
            for (y, out) in self.rows.clone().zip(out.chunks_exact_mut(across.count())) {
                if !down.taps(y).contains(&row) {
                    out.fill(Octet::ZERO);
                    continue;
                }
                let from = y * down.stride + row - down.before - self.x.top;
                let line = &plane[from * across.size..][..across.size];
                for (at, out) in out.iter_mut().enumerate() {
                    let place = (at * across.stride + column).checked_sub(across.before);
                    *out = place
                        .and_then(|place| line.get(place))
                        .copied()
                        .unwrap_or_default();
                }
            }
        }
    }
}
