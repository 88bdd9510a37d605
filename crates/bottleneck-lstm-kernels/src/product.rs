//! Pointwise convolutions: matrix products over octets.
//!
//! A tile of six positions by sixteen output channels keeps its twelve sums in registers while it
//! runs over the input channels; the weights of the sixteen lie side by side in a *panel* that
//! stays in the first-level cache from tile to tile.

use std::ops::Range;

use crate::Activation;
use crate::lanes::{Kernel, LANES, Lanes, Octet};
use crate::math::activate;
use crate::share::Share;

/// Positions of a full tile.
const ROWS: usize = 6;

/// Blocks of a panel that the first-level cache holds beside a tile's input, 16 KiB.
const DEPTH: usize = 32;

/// The weights from eight input channels to sixteen output channels, `[input, output]`.
pub type Block = [[Octet; 2]; LANES];

/// No weights.
pub const EMPTY: Block = [[Octet::ZERO; 2]; LANES];

/// Eight channels of `R` positions.
pub type Line<L, const R: usize> = [<L as Lanes>::V; R];

/// A tile's sums: sixteen channels of `R` positions.
pub type Sums<L, const R: usize> = [Line<L, R>; 2];

/// Planes of octets, each `plane` after the one before, of which positions from `first` on are
/// meant.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    pub octets: &'a [Octet],
    pub plane: usize,
    pub first: usize,
    /// How many planes.
    pub depth: usize,
}

impl Input<'_> {
    /// No planes.
    pub const NONE: Self = Self {
        octets: &[],
        plane: 0,
        first: 0,
        depth: 0,
    };
}

/// Calls `$tile::<L, R>(arguments)` with `R` of `$rows`.
macro_rules! by_rows {
    ($rows:expr, $tile:ident::<$lanes:ty>($($argument:expr),* $(,)?)) => {
        match $rows {
            6 => $tile::<$lanes, 6>($($argument),*),
            5 => $tile::<$lanes, 5>($($argument),*),
            4 => $tile::<$lanes, 4>($($argument),*),
            3 => $tile::<$lanes, 3>($($argument),*),
            2 => $tile::<$lanes, 2>($($argument),*),
            _ => $tile::<$lanes, 1>($($argument),*),
        }
    };
}
pub(crate) use by_rows;

/// Tiles that cover `positions`: where each begins and its rows. The last two share what is left,
/// since a tile of one or two rows would wait for its own sums.
#[inline(always)]
pub fn tiles(positions: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut first = 0;
    std::iter::from_fn(move || {
        let left = positions - first;
        let rows = match left {
            0 => return None,
            7 | 8 => 4,
            _ => left.min(ROWS),
        };
        first += rows;
        Some((first - rows, rows))
    })
}

/// Adds what `blocks` make of `R` positions from `first` on to `sums`; `x` has a plane for each
/// block.
#[inline(always)]
pub fn accumulate<L: Lanes, const R: usize>(
    l: L,
    sums: &mut Sums<L, R>,
    x: &[Octet],
    plane: usize,
    first: usize,
    blocks: &[Block],
) {
    for (k, block) in blocks.iter().enumerate() {
        let x: &[Octet; R] = x[k * plane + first..]
            .first_chunk()
            .expect("a plane for each block");
        for (i, [left, right]) in block.iter().enumerate() {
            let (left, right) = (l.load(&left.0), l.load(&right.0));
            for r in 0..R {
                let x = l.splat(x[r].0[i]);
                sums[0][r] = l.mul_add(x, left, sums[0][r]);
                sums[1][r] = l.mul_add(x, right, sums[1][r]);
            }
        }
    }
}

/// `out = activation(bias + weights * inputs)`, the inputs' channels one after the other.
pub struct Product<'a> {
    pub inputs: [Input<'a>; 2],
    /// `[pairs of output octets, input octets]`
    pub panels: &'a [Block],
    /// `[pairs of output octets]`
    pub bias: Option<&'a [[Octet; 2]]>,
    pub activation: Activation,
    /// Output channels. What fills up their last octet becomes 0, whatever the inputs.
    pub channels: usize,
    /// Positions from `first` on of planes of `plane` octets.
    pub out: &'a mut [Octet],
    pub plane: usize,
    pub first: usize,
    pub positions: usize,
}

impl Product<'_> {
    fn depth(&self) -> usize {
        self.inputs[0].depth + self.inputs[1].depth
    }
}

impl Share for Product<'_> {
    fn parts(&self) -> usize {
        self.panels.len() / self.depth()
    }

    fn split(self, at: usize) -> (Self, Self) {
        let depth = self.depth();
        let (panels, other_panels) = self.panels.split_at(at * depth);
        let bias = self.bias.map(|bias| bias.split_at(at));
        let (out, other_out) = self.out.split_at_mut(2 * at * self.plane);
        let one = Product {
            panels,
            bias: bias.map(|(bias, _)| bias),
            channels: self.channels.min(at * 2 * LANES),
            out,
            ..self
        };
        let other = Product {
            panels: other_panels,
            bias: bias.map(|(_, bias)| bias),
            channels: self.channels.saturating_sub(at * 2 * LANES),
            out: other_out,
            ..self
        };
        (one, other)
    }
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let depth = self.depth();
        let passes = depth.div_ceil(DEPTH);
        let out = self.out.chunks_mut(2 * self.plane);
        for (index, (panel, out)) in self.panels.chunks_exact(depth).zip(out).enumerate() {
            let channels = self.channels - index * 2 * LANES;
            for pass in 0..passes {
                let stretch = depth * pass / passes..depth * (pass + 1) / passes;
                let [one, other] = self.inputs;
                let pass = Pass {
                    segments: [
                        one.segment(panel, 0, &stretch),
                        other.segment(panel, one.depth, &stretch),
                    ],
                    bias: self.bias.map(|bias| &bias[index]),
                    starts: pass == 0,
                    activation: (pass + 1 == passes).then_some(self.activation),
                    partial: (channels < 2 * LANES).then_some(channels),
                    plane: self.plane,
                };
                for (tile, rows) in tiles(self.positions) {
                    by_rows!(rows, run_tile::<L>(l, &pass, out, self.first, tile));
                }
            }
        }
    }
}

/// One run over the tiles: a stretch of a panel's blocks.
struct Pass<'a> {
    segments: [Segment<'a>; 2],
    bias: Option<&'a [Octet; 2]>,
    /// Whether it is the panel's first, which has no sums to go on from.
    starts: bool,
    /// On the panel's last.
    activation: Option<Activation>,
    /// The panel's output channels, if they are not sixteen.
    partial: Option<usize>,
    /// Of the output.
    plane: usize,
}

/// Blocks of one input.
struct Segment<'a> {
    octets: &'a [Octet],
    plane: usize,
    first: usize,
    blocks: &'a [Block],
}

impl<'a> Input<'a> {
    /// What of `stretch` belongs to this input, whose blocks begin at `offset` of the panel.
    fn segment(self, panel: &'a [Block], offset: usize, stretch: &Range<usize>) -> Segment<'a> {
        let clamp = |block: usize| block.clamp(offset, offset + self.depth);
        let (begin, end) = (clamp(stretch.start), clamp(stretch.end));
        Segment {
            octets: &self.octets[(begin - offset) * self.plane..],
            plane: self.plane,
            first: self.first,
            blocks: &panel[begin..end],
        }
    }
}

#[inline(always)]
fn run_tile<L: Lanes, const R: usize>(
    l: L,
    pass: &Pass<'_>,
    out: &mut [Octet],
    first: usize,
    tile: usize,
) {
    // The second plane is missing where the last panel has no more than eight channels.
    let (left, right) = out.split_at_mut(pass.plane.min(out.len()));
    let at = first + tile;
    let mut sums = match (pass.starts, pass.bias) {
        (false, _) if right.is_empty() => [load(l, left, at), [l.splat(0.0); R]],
        (false, _) => [load(l, left, at), load(l, right, at)],
        (true, Some(bias)) => [[l.load(&bias[0].0); R], [l.load(&bias[1].0); R]],
        (true, None) => [[l.splat(0.0); R]; 2],
    };
    for segment in &pass.segments {
        let (x, plane) = (segment.octets, segment.plane);
        accumulate::<L, R>(l, &mut sums, x, plane, segment.first + tile, segment.blocks);
    }
    if let Some(activation) = pass.activation {
        // Not a loop, which is not unrolled where it holds so much: with an index that is not
        // constant, the sums would have to lie in memory.
        let [left, right] = sums;
        sums = [
            activate(l, activation, left),
            activate(l, activation, right),
        ];
        // A weight of 0 times infinity is NaN, which must not reach the next product.
        if let Some(channels) = pass.partial {
            sums = first_channels::<L, R>(l, channels, sums);
        }
    }
    store(l, left, at, sums[0]);
    if !right.is_empty() {
        store(l, right, at, sums[1]);
    }
}

/// The first `channels` of sixteen, and 0 for the others.
#[inline(always)]
pub fn first_channels<L: Lanes, const R: usize>(
    l: L,
    channels: usize,
    mut sums: Sums<L, R>,
) -> Sums<L, R> {
    let [left, right] = &mut sums;
    for sum in left {
        *sum = l.first(channels, *sum);
    }
    for sum in right {
        *sum = l.first(channels.saturating_sub(LANES), *sum);
    }
    sums
}

/// What a plane holds from `first` on.
#[inline(always)]
pub fn load<L: Lanes, const R: usize>(l: L, plane: &[Octet], first: usize) -> Line<L, R> {
    let octets: &[Octet; R] = plane[first..].first_chunk().expect("a tile's line");
    let mut line = [l.splat(0.0); R];
    for r in 0..R {
        line[r] = l.load(&octets[r].0);
    }
    line
}

/// The reverse of [`load`].
#[inline(always)]
pub fn store<L: Lanes, const R: usize>(l: L, plane: &mut [Octet], first: usize, line: Line<L, R>) {
    let octets: &mut [Octet; R] = plane[first..].first_chunk_mut().expect("a tile's line");
    for r in 0..R {
        octets[r] = Octet(l.store(line[r]));
    }
}

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
        for (k, block) in self.blocks.iter_mut().enumerate() {
            let from = k * LANES;
            for half in 0..2 {
                let mut rows = [l.splat(0.0); LANES];
                for (row, values) in rows.iter_mut().zip(&self.rows[half * LANES..]) {
                    let values = values.get(from..).unwrap_or(&[]);
                    *row = match values.first_chunk() {
                        Some(eight) => l.load(eight),
                        None => {
                            let mut part = [0.0; LANES];
                            part[..values.len()].copy_from_slice(values);
                            l.load(&part)
                        }
                    };
                }
                for (line, column) in block.iter_mut().zip(l.transpose(rows)) {
                    line[half] = Octet(l.store(column));
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
        for (octet, part) in to.iter_mut().zip(line.chunks(LANES)) {
            octet.0[..part.len()].copy_from_slice(part);
        }
    }
}
