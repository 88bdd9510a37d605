//! Pointwise convolutions: matrix products over octets.
//!
//! A tile of positions by output channels keeps its sums in registers while it runs over the input
//! channels: twelve of six positions by sixteen channels, or 24 of twelve positions by 32 channels
//! where there are as many registers and each holds sixteen. The weights of sixteen channels lie
//! side by side in a *panel* that stays in the first-level cache from tile to tile.

use std::hint::black_box;
use std::ops::Range;

use crate::Activation;
use crate::ahead::Ahead;
use crate::lanes::{Kernel, LANES, Lanes, Octet, Two, Vectors, load, store};
use crate::math::{activate_all, clamp};
use crate::planes::{PlanesMut, each, split_planes};
use crate::share::Share;

/// Blocks of a panel that the first-level cache holds beside a tile's input, 16 KiB.
pub const DEPTH: usize = 32;

/// The weights from an input channel to sixteen output channels: a cache line.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub struct Pair(pub [Octet; 2]);

/// The weights from eight input channels to sixteen output channels.
pub type Block = [Pair; LANES];

/// No weights.
pub const EMPTY: Block = [Pair([Octet::ZERO; 2]); LANES];

/// A tile's sums: `P` times sixteen channels of `R` positions.
pub type Sums<L, const R: usize, const P: usize> = [[Two<L>; R]; P];

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

/// Calls `$tile::<L, R, P>(arguments)` with `R` of `$rows`.
macro_rules! by_rows {
    ($rows:expr, $tile:ident::<$lanes:ty, $panels:tt>($($argument:expr),* $(,)?)) => {
        if <$lanes>::WIDE && $rows == 12 {
            $tile::<$lanes, 12, $panels>($($argument),*)
        } else {
            match $rows {
                6 => $tile::<$lanes, 6, $panels>($($argument),*),
                5 => $tile::<$lanes, 5, $panels>($($argument),*),
                4 => $tile::<$lanes, 4, $panels>($($argument),*),
                3 => $tile::<$lanes, 3, $panels>($($argument),*),
                2 => $tile::<$lanes, 2, $panels>($($argument),*),
                _ => $tile::<$lanes, 1, $panels>($($argument),*),
            }
        }
    };
}
pub(crate) use by_rows;

/// Rows of a full tile.
pub const fn full<L: Lanes>() -> usize {
    if L::WIDE { 12 } else { 6 }
}

/// Tiles that cover `positions`: where each begins and its rows. What is left in the end is shared
/// out, since a tile of one or two rows would wait for its own sums.
#[inline(always)]
pub fn tiles<L: Lanes>(positions: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut first = 0;
    std::iter::from_fn(move || {
        let left = positions - first;
        let rows = match left {
            0 => return None,
            7 | 8 => 4,
            9..=11 if L::WIDE => left.div_ceil(2),
            13..=15 if L::WIDE => 5,
            _ => left.min(full::<L>()),
        };
        first += rows;
        Some((first - rows, rows))
    })
}

/// A block for each value, without a loop: the compiler would leave one of so long a body a loop.
macro_rules! unroll {
    ($i:ident in [$($value:literal)*] $body:block) => {
        $({
            let $i = $value;
            $body
        })*
    };
}

/// Rows of a full tile whose input each panel spreads over its lanes for itself, which an AVX-512 multiply-add
/// does on the way from memory, rather than have it spread once for all by an instruction more. All rows would
/// be more than can be loaded.
///
/// The multiply-adds want two of the six places that a core has for instructions in a cycle; where two threads share
/// the core, each has but three.
const APART: usize = 8;

/// Adds what the blocks of `P` panels make of `R` positions from `first` on to `sums`; `x` has a
/// plane for each block. On the way it asks for what is wanted `ahead`.
#[inline(always)]
pub fn accumulate<L: Lanes, const R: usize, const P: usize, const N: usize>(
    l: L,
    sums: &mut Sums<L, R, P>,
    (x, plane): (&[Octet], usize),
    first: usize,
    mut panels: [&[Block]; P],
    ahead: &mut Ahead<'_, N>,
) {
    let depth = panels[0].len();
    for panel in &mut panels {
        *panel = &panel[..depth];
    }
    let mut at = first;
    for k in 0..depth {
        if k % STRETCH == 0 {
            ahead.prefetch(l);
        }
        let x: &[Octet; R] = x[at..].first_chunk().expect("a plane for each block");
        at += plane;
        let blocks = panels.map(|panel| &panel[k]);
        if R == full::<L>() {
            let xs = match L::WIDE && P > 1 {
                // To the compiler several inputs; one would have its values spread once.
                true => black_box([x; P]),
                false => [x; P],
            };
            unroll!(i in [0 1 2 3 4 5 6 7] { add_channel::<L, R, P>(l, sums, xs, blocks, i) });
        } else {
            for i in 0..LANES {
                add_channel::<L, R, P>(l, sums, [x; P], blocks, i);
            }
        }
    }
}

/// What one input channel adds: channel `i` of the octets of `xs`, which are the same to each panel.
#[inline(always)]
fn add_channel<L: Lanes, const R: usize, const P: usize>(
    l: L,
    sums: &mut Sums<L, R, P>,
    xs: [&[Octet; R]; P],
    blocks: [&Block; P],
    i: usize,
) {
    let two = l.two();
    let mut weights = [two.splat(0.0); P];
    for p in 0..P {
        weights[p] = two.load(&blocks[p][i].0);
    }
    for r in 0..R {
        for p in 0..P {
            let x = xs[if r < APART { p } else { 0 }];
            sums[p][r] = two.mul_add(two.splat(x[r].0[i]), weights[p], sums[p][r]);
        }
    }
}

/// Blocks of a panel that are multiplied between two requests for others.
const STRETCH: usize = 4;

/// The weights of a product, or of a part of it.
#[derive(Debug, Clone, Copy)]
pub struct Panels<'a> {
    /// `[pairs of output octets, depth]`
    pub blocks: &'a [Block],
    /// Blocks of a panel.
    pub depth: usize,
    /// The first block that is meant: as many as there are planes of the input.
    pub first: usize,
}

impl<'a> Panels<'a> {
    /// All of panels of `depth` blocks.
    pub fn all(blocks: &'a [Block], depth: usize) -> Self {
        let first = 0;
        Self {
            blocks,
            depth,
            first,
        }
    }
}

/// What the sums of a product start from.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    Zero,
    /// `[pairs of output octets]`
    Bias(&'a [[Octet; 2]]),
    /// A bias on top of planes, of a map that a block adds to its result.
    Residual(&'a [[Octet; 2]], Input<'a>),
    /// Planes of sums.
    Sums(Input<'a>),
    /// What the output holds.
    Output,
}

impl Start<'_> {
    fn split(self, at: usize) -> (Self, Self) {
        match self {
            Self::Bias(bias) => {
                let (bias, other) = bias.split_at(at);
                (Self::Bias(bias), Self::Bias(other))
            }
            Self::Residual(bias, map) => {
                let (bias, other) = bias.split_at(at);
                let octets = &map.octets[2 * at * map.plane..];
                let rest = Input { octets, ..map };
                (Self::Residual(bias, map), Self::Residual(other, rest))
            }
            Self::Sums(sums) => {
                let octets = &sums.octets[2 * at * sums.plane..];
                (self, Self::Sums(Input { octets, ..sums }))
            }
            Self::Zero | Self::Output => (self, self),
        }
    }
}

/// `out = activation(start + weights * input)`
pub struct Product<'a> {
    pub input: Input<'a>,
    pub panels: Panels<'a>,
    pub start: Start<'a>,
    pub activation: Activation,
    /// Output channels. What fills up their last octet becomes 0, whatever the inputs.
    pub channels: usize,
    /// `[output octets, positions]`
    pub out: PlanesMut<'a, Octet>,
}

impl Share for Product<'_> {
    fn parts(&self) -> usize {
        self.panels.blocks.len() / self.panels.depth
    }

    fn split(self, at: usize) -> (Self, Self) {
        let (blocks, other_blocks) = self.panels.blocks.split_at(at * self.panels.depth);
        let (start, other_start) = self.start.split(at);
        let [out, other_out] = split_planes(self.out, 2 * at);
        let one = Product {
            panels: Panels {
                blocks,
                ..self.panels
            },
            start,
            channels: self.channels.min(at * 2 * LANES),
            out,
            ..self
        };
        let other = Product {
            panels: Panels {
                blocks: other_blocks,
                ..self.panels
            },
            start: other_start,
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
    fn run<L: Lanes>(mut self, l: L) {
        let panels = self.parts();
        let mut panel = 0;
        while panel < panels {
            if L::WIDE && panel + 2 <= panels {
                self.run_panels::<L, 2>(l, panel);
                panel += 2;
            } else {
                self.run_panels::<L, 1>(l, panel);
                panel += 1;
            }
        }
    }
}

impl Product<'_> {
    /// The output channels of `P` panels, from `index` on.
    #[inline(always)]
    fn run_panels<L: Lanes, const P: usize>(&mut self, l: L, index: usize) {
        let (input, positions) = (self.input, self.out.ncols());
        let Panels { depth, first, .. } = self.panels;
        let blocks = &self.panels.blocks[index * depth..];
        let mut out: [[&mut [Octet]; 2]; P] = std::array::from_fn(|_| Default::default());
        for (out, plane) in out
            .as_flattened_mut()
            .iter_mut()
            .zip(each(&mut self.out).skip(2 * index))
        {
            *out = plane;
        }
        let passes = input.depth.div_ceil(DEPTH);
        let stretch = |pass: usize| input.depth * pass / passes..input.depth * (pass + 1) / passes;
        for pass in 0..passes {
            let ahead = match pass + 1 < passes {
                true => panels::<P>(blocks, depth, first, stretch(pass + 1)),
                false => panels::<P>(
                    blocks.get(P * depth..).unwrap_or_default(),
                    depth,
                    first,
                    stretch(0),
                ),
            };
            let planes = stretch(pass);
            let run = Pass {
                octets: &input.octets[planes.start * input.plane..],
                plane: input.plane,
                first: input.first,
                panels: panels::<P>(blocks, depth, first, planes),
                start: if pass > 0 { Start::Output } else { self.start },
                bounds: match pass + 1 == passes {
                    true => self.activation.bounds(),
                    false => None,
                },
                index,
            };
            let stretches = run.panels[0].len().div_ceil(STRETCH);
            let mut ahead = Ahead::new(ahead, positions.div_ceil(full::<L>()) * stretches);
            for (tile, rows) in tiles::<L>(positions) {
                by_rows!(rows, run_tile::<L, P>(l, &run, &mut ahead, &mut out, tile));
            }
        }
        let channels = self.channels - index * 2 * LANES;
        for (octet, values) in out.into_iter().flatten().enumerate() {
            if self.activation == Activation::Tanh {
                activate_all(l, self.activation, values);
            }
            // A weight of 0 times infinity is NaN, which must not reach the next product.
            let channels = channels.saturating_sub(octet * LANES);
            if channels < LANES {
                let one = l.one();
                for value in values {
                    *value = one.store(one.first(channels, one.load(value)));
                }
            }
        }
    }
}

/// The blocks that belong to `planes` of the input in each of the first `P` panels, or none of a panel
/// that is not there.
#[inline(always)]
fn panels<const P: usize>(
    blocks: &[Block],
    depth: usize,
    first: usize,
    planes: Range<usize>,
) -> [&[Block]; P] {
    std::array::from_fn(|p| {
        let from = p * depth + first;
        blocks
            .get(from + planes.start..from + planes.end)
            .unwrap_or_default()
    })
}

/// One run over the tiles: a stretch of the blocks of `P` panels.
struct Pass<'a, const P: usize> {
    octets: &'a [Octet],
    plane: usize,
    first: usize,
    panels: [&'a [Block]; P],
    start: Start<'a>,
    /// Of the sums, once they are whole.
    bounds: Option<[f32; 2]>,
    /// The first of the panels.
    index: usize,
}

#[inline(always)]
#[allow(
    clippy::manual_memcpy,
    clippy::manual_slice_fill,
    clippy::needless_range_loop,
    reason = "sums that are counted through stay in registers"
)]
fn run_tile<L: Lanes, const R: usize, const P: usize>(
    l: L,
    pass: &Pass<'_, P>,
    ahead: &mut Ahead<'_, P>,
    out: &mut [[&mut [Octet]; 2]; P],
    tile: usize,
) {
    let two = l.two();
    let mut sums = [[two.splat(0.0); R]; P];
    match pass.start {
        Start::Zero => {}
        Start::Bias(bias) => {
            for p in 0..P {
                let bias = two.load(&bias[pass.index + p]);
                for r in 0..R {
                    sums[p][r] = bias;
                }
            }
        }
        Start::Residual(bias, from) => {
            for p in 0..P {
                let index = pass.index + p;
                let planes = panel_planes(from.octets, from.plane, index);
                let bias = two.load(&bias[index]);
                let line: [Two<L>; R] = load_halves(l, planes, from.first + tile);
                for r in 0..R {
                    sums[p][r] = two.add(line[r], bias);
                }
            }
        }
        Start::Sums(from) => {
            for p in 0..P {
                let planes = panel_planes(from.octets, from.plane, pass.index + p);
                let line: [Two<L>; R] = load_halves(l, planes, from.first + tile);
                for r in 0..R {
                    sums[p][r] = line[r];
                }
            }
        }
        Start::Output => {
            for p in 0..P {
                let line: [Two<L>; R] = load_halves(l, [&*out[p][0], &*out[p][1]], tile);
                for r in 0..R {
                    sums[p][r] = line[r];
                }
            }
        }
    }
    let (first, x) = (pass.first + tile, (pass.octets, pass.plane));
    accumulate(l, &mut sums, x, first, pass.panels, ahead);
    if let Some(bounds) = pass.bounds {
        for p in 0..P {
            for r in 0..R {
                sums[p][r] = clamp(two, bounds, sums[p][r]);
            }
        }
    }
    for p in 0..P {
        let [left, right] = &mut out[p];
        store_halves(l, [left, right], tile, sums[p]);
    }
}

/// The two planes of a panel, of which the second may be missing.
#[inline(always)]
fn panel_planes(octets: &[Octet], plane: usize, panel: usize) -> [&[Octet]; 2] {
    let octets = &octets[2 * panel * plane..];
    let (left, right) = octets.split_at(plane.min(octets.len()));
    [left, right]
}

/// The octets from `at` on of two planes, of which the second may be missing.
#[inline(always)]
pub fn load_halves<L: Lanes, const R: usize>(
    l: L,
    [left, right]: [&[Octet]; 2],
    at: usize,
) -> [Two<L>; R] {
    let (one, two) = (l.one(), l.two());
    let left = load::<_, R>(one, &left[at..]);
    let mut halves = [left, left];
    if !right.is_empty() {
        halves[1] = load(one, &right[at..]);
    }
    let mut line = [two.splat(0.0); R];
    for r in 0..R {
        line[r] = l.join([halves[0][r], halves[1][r]]);
    }
    line
}

/// Stores the octets of `line` from `at` on of two planes, of which the second may be missing.
#[inline(always)]
pub fn store_halves<L: Lanes, const R: usize>(
    l: L,
    [left, right]: [&mut [Octet]; 2],
    at: usize,
    line: [Two<L>; R],
) {
    let one = l.one();
    let mut halves = [[one.splat(0.0); R]; 2];
    for r in 0..R {
        [halves[0][r], halves[1][r]] = l.halves(line[r]);
    }
    store(one, &mut left[at..], halves[0]);
    if !right.is_empty() {
        store(one, &mut right[at..], halves[1]);
    }
}
