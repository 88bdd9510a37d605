//! What chains work in.

use std::sync::Arc;

use super::chain::Chain;
use crate::memory::{Buffer, Memory};
use crate::share::Team;

/// Memory that chains work in, one after the other.
#[derive(Debug)]
pub struct Scratch {
    strips: Vec<Strip>,
}

/// What a thread works in.
#[derive(Debug)]
pub(super) struct Strip {
    /// Rows of the map that windows walk over.
    pub middle: Buffer,
    /// What they yield.
    pub spatial: Buffer,
    /// Lines of a picture.
    pub lines: Vec<f32>,
}

impl Scratch {
    /// For any of `chains`, run by `team`.
    pub fn new<'a>(
        chains: impl IntoIterator<Item = &'a Chain>,
        team: Team,
        memory: &Arc<Memory>,
    ) -> Self {
        let mut sizes = [0; 3];
        for chain in chains {
            let [middle, spatial] = chain.buffers();
            for (size, own) in sizes.iter_mut().zip([middle, spatial, chain.lines()]) {
                *size = own.max(*size);
            }
        }
        let [middle, spatial, lines] = sizes;
        let strip = |_| Strip {
            middle: memory.take(middle),
            spatial: memory.take(spatial),
            lines: vec![0.0; lines],
        };
        Self {
            strips: (0..team.threads.max(1)).map(strip).collect(),
        }
    }

    /// As many, or as there are.
    pub(super) fn strips(&mut self, count: usize) -> &mut [Strip] {
        let count = count.min(self.strips.len());
        &mut self.strips[..count]
    }
}
