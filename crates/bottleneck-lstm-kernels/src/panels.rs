//! Matrices into panels, the layout of a product's weights.

use crate::lanes::{Kernel, LANES, Lanes, Octet, Vectors};
use crate::product::Block;

/// Fills the blocks over some input channels from rows of a matrix, one for each of up to sixteen
/// output channels; a row that is empty stands for no channel.
pub struct Pack<'a> {
    pub rows: [&'a [f32]; 2 * LANES],
    pub blocks: &'a mut [Block],
}

impl Kernel for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let one = l.one();
        for (k, block) in self.blocks.iter_mut().enumerate() {
            let from = k * LANES;
            for half in 0..2 {
                let mut rows = [one.splat(0.0); LANES];
                for (row, values) in rows.iter_mut().zip(&self.rows[half * LANES..]) {
                    let values = values.get(from..).unwrap_or(&[]);
                    *row = match values.first_chunk() {
                        Some(eight) => one.load(&Octet(*eight)),
                        None => {
                            let mut part = Octet::ZERO;
                            part.0[..values.len()].copy_from_slice(values);
                            one.load(&part)
                        }
                    };
                }
                for (line, column) in block.iter_mut().zip(l.transpose(rows)) {
                    line.0[half] = one.store(column);
                }
            }
        }
    }
}

/// Fills the blocks of a panel whose *input* channels are `rows` of a matrix, `stride` apart, and
/// whose output channels are up to sixteen columns of it, the first of them at `values[0]`.
pub fn pack_transposed(
    values: &[f32],
    rows: usize,
    stride: usize,
    columns: usize,
    blocks: &mut [Block],
) {
    for row in 0..rows {
        let line = &values[row * stride..][..columns];
        let to = &mut blocks[row / LANES][row % LANES];
        for (octet, part) in to.0.iter_mut().zip(line.chunks(LANES)) {
            octet.0[..part.len()].copy_from_slice(part);
        }
    }
}
