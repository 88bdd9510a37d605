//! Weights, asked for before they are wanted.

use crate::lanes::Lanes;
use crate::product::{Block, Pair};

/// Weights that the tiles after these want: from the third-level cache or from memory they come too
/// late if nobody asks before.
///
/// They are asked for a few at a time. A core waits for no more than some dozen lines, and for all that would
/// come after them in the order of the program.
pub struct Ahead<'a, const P: usize> {
    panels: [&'a [Pair]; P],
    /// As many of each panel at a time.
    lines: usize,
}

impl Ahead<'_, 0> {
    /// Nothing.
    #[inline(always)]
    pub fn nothing() -> Self {
        Self {
            panels: [],
            lines: 0,
        }
    }
}

impl<'a, const P: usize> Ahead<'a, P> {
    /// As many of each panel, to be asked for in so many steps.
    #[inline(always)]
    pub fn new(panels: [&'a [Block]; P], steps: usize) -> Self {
        let panels = panels.map(<[Block]>::as_flattened);
        let longest = panels.iter().map(|panel| panel.len()).max();
        Self {
            panels,
            lines: longest.unwrap_or_default().div_ceil(steps.max(1)),
        }
    }

    /// Asks for the next ones.
    #[inline(always)]
    pub fn prefetch<L: Lanes>(&mut self, l: L) {
        for panel in &mut self.panels {
            let (lines, rest) = panel.split_at(self.lines.min(panel.len()));
            for line in lines {
                l.prefetch(line);
            }
            *panel = rest;
        }
    }
}
