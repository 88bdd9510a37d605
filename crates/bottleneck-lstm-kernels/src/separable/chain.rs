//! Up to three convolutions in one go, a band of rows after the other.

use std::ops::Range;

use super::columns::Columns;
use super::depthwise::{Convolve, Depthwise, Rows};
use super::pointwise::Pointwise;
use super::scratch::{Scratch, Strip};
use super::stem::{Row, Stem};
use super::window::{SIDE, TAPS, Window};
use crate::fork::fork;
use crate::instructions::Instructions;
use crate::lanes::{LANES, Octet};
use crate::planes::{PlanesMut, planes, split_positions, stretch};
use crate::product::Input;
use crate::share::Team;

/// Octets that a band may fill, so that they stay in the second-level cache: 192 KiB, or 1 MiB on AVX-512,
/// whose machines have more of it.
fn band_octets(instructions: Instructions) -> usize {
    match instructions {
        Instructions::Avx512 => 32_768,
        Instructions::Avx2 | Instructions::Portable => 6_144,
    }
}

/// Positions below which a band would have the weights read again too often.
const SHORT_BAND: usize = 96;

/// Multiply-accumulates below which a thread costs more than it brings.
const WORTH_A_THREAD: usize = 1_000_000;

/// What makes the map that windows walk over.
#[derive(Debug, Clone)]
pub enum Head {
    /// A dense convolution of planes that are not in octets.
    Stem(Stem),
    /// A pointwise one.
    Pointwise(Pointwise),
}

/// Windows of 3 by 3.
#[derive(Debug, Clone)]
pub enum Spatial {
    /// A convolution of each channel by itself.
    Depthwise(Depthwise),
    /// Of maps of so many octets, to become the input of [`Pointwise::dense`].
    Columns(Window, usize),
}

/// A map that a chain reads.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// `[channels, area]`: what a [`Stem`] reads.
    Planes(&'a [f32]),
    /// `[octets, area]`: what all others read.
    Octets(&'a [Octet]),
}

/// A convolution, or several of which each one reads what the one before it makes. Of all that it consists of,
/// only what comes last leaves the cache.
#[derive(Debug, Clone)]
pub struct Chain {
    map: [usize; 2],
    head: Option<Head>,
    spatial: Option<Spatial>,
    project: Option<Pointwise>,
    /// Rows of a band.
    band: usize,
    /// Threads that it is worth.
    threads: usize,
}

impl Chain {
    /// The convolutions of a map of `[height, width]`; without any, the chain panics.
    ///
    /// # Panics
    ///
    /// If they do not fit each other.
    pub fn new(
        map: [usize; 2],
        head: Option<Head>,
        spatial: Option<Spatial>,
        project: Option<Pointwise>,
        instructions: Instructions,
    ) -> Self {
        let mut chain = Self {
            map,
            head,
            spatial,
            project,
            band: 0,
            threads: 1,
        };
        if let Some(Head::Stem(stem)) = &chain.head {
            assert_eq!(map, stem.window.map, "the stem's map");
        }
        if let Some(spatial) = &chain.spatial {
            assert_eq!(chain.middle(), spatial.window().map, "the windows' map");
        }
        let middle = match (&chain.head, &chain.spatial) {
            (_, Some(spatial)) => Some(spatial.octets()),
            (Some(head), None) => Some(head.octets()),
            (None, None) => None,
        };
        if let (Some(project), Some(octets)) = (&chain.project, middle) {
            assert_eq!(project.depth, octets, "octets that the last one reads");
        }
        chain.band = chain.rows_of_a_band(instructions);
        chain.threads = (chain.macs() / WORTH_A_THREAD).max(1);
        chain
    }

    /// Bands of another height, and any number of threads.
    #[cfg(test)]
    pub(crate) fn with_band(self, band: usize) -> Self {
        let threads = usize::MAX;
        Self {
            band,
            threads,
            ..self
        }
    }

    /// Height and width of the map that windows walk over.
    fn middle(&self) -> [usize; 2] {
        match &self.head {
            Some(Head::Stem(stem)) => stem.window.output(),
            _ => self.map,
        }
    }

    /// Height and width of the result.
    pub fn output(&self) -> [usize; 2] {
        match &self.spatial {
            Some(spatial) => spatial.window().output(),
            None => self.middle(),
        }
    }

    /// Octets of a position of the result.
    pub fn octets(&self) -> usize {
        match (&self.head, &self.spatial, &self.project) {
            (_, _, Some(project)) => project.octets(),
            (_, Some(spatial), None) => spatial.octets(),
            (Some(head), None, None) => head.octets(),
            (None, None, None) => unreachable!("a chain has a convolution"),
        }
    }

    /// Whether it reads [`Source::Planes`].
    pub fn reads_planes(&self) -> bool {
        matches!(self.head, Some(Head::Stem(_)))
    }

    /// Multiply-accumulates of a frame; channels that fill up octets count.
    pub fn macs(&self) -> usize {
        let area = |[height, width]: [usize; 2]| height * width;
        let head = match &self.head {
            Some(Head::Stem(stem)) => area(self.middle()) * stem.macs(),
            Some(Head::Pointwise(layer)) => area(self.map) * layer.macs(),
            None => 0,
        };
        let spatial = match &self.spatial {
            Some(Spatial::Depthwise(layer)) => layer.octets() * LANES * TAPS,
            _ => 0,
        };
        let project = self.project.as_ref().map_or(0, Pointwise::macs);
        head + area(self.output()) * (spatial + project)
    }

    fn rows_of_a_band(&self, instructions: Instructions) -> usize {
        let [height, width] = self.output();
        let middle = match (&self.head, &self.spatial, &self.project) {
            (Some(head), ..) => head.octets(),
            (None, Some(Spatial::Depthwise(layer)), _) => layer.octets(),
            (None, Some(Spatial::Columns(_, octets)), _) => *octets,
            (None, None, Some(project)) => project.depth,
            (None, None, None) => unreachable!("a chain has a convolution"),
        };
        let (stride, octets) = match &self.spatial {
            Some(spatial) => (spatial.window().stride, spatial.octets()),
            None => (1, 0),
        };
        // A row of the output adds so many octets; the first one has neighbours besides.
        let row = stride * self.middle()[1] * middle + width * octets;
        let around = (SIDE - stride) * self.middle()[1] * middle;
        let rows = band_octets(instructions).saturating_sub(around) / row;
        let rows = rows.max(SHORT_BAND.div_ceil(width)).clamp(1, height);
        // Bands of even heights.
        height.div_ceil(height.div_ceil(rows))
    }

    /// Octets of the buffers that a band fills: the map that windows walk over, and what they yield.
    pub(super) fn buffers(&self) -> [usize; 2] {
        let middle = match (&self.head, &self.spatial) {
            (Some(head), Some(_)) => head.octets() * self.kept() * self.middle()[1],
            _ => 0,
        };
        let spatial = match (&self.spatial, &self.project) {
            (Some(spatial), Some(_)) => spatial.octets() * self.band * self.output()[1],
            _ => 0,
        };
        [middle, spatial]
    }

    /// Values of the lines that a stem's row looks at.
    pub(super) fn lines(&self) -> usize {
        match &self.head {
            Some(Head::Stem(stem)) => stem.lines(),
            _ => 0,
        }
    }

    /// Rows that the buffer of the map that windows walk over has room for.
    fn kept(&self) -> usize {
        match &self.spatial {
            Some(spatial) => {
                let rows = (self.band - 1) * spatial.window().stride + SIDE;
                rows.min(self.middle()[0])
            }
            None => 0,
        }
    }

    /// Writes `[octets, area]` to `out`: the result for `source`, on top of `residual` where there is one.
    ///
    /// # Panics
    ///
    /// If a map is of another size than the chain's, `source` of the wrong kind, or `scratch` for other chains.
    pub fn run(
        &self,
        team: Team,
        source: Source<'_>,
        residual: Option<&[Octet]>,
        out: &mut [Octet],
        scratch: &mut Scratch,
    ) {
        let [height, width] = self.output();
        let out = &mut out[..self.octets() * height * width];
        let call = Call {
            chain: self,
            instructions: team.instructions,
            source,
            residual,
        };
        let threads = team.threads.min(self.threads).clamp(1, height);
        let strips = scratch.strips(threads);
        call.over(strips, 0..height, planes(out, height * width));
    }
}

impl Head {
    fn octets(&self) -> usize {
        match self {
            Self::Stem(stem) => stem.octets(),
            Self::Pointwise(pointwise) => pointwise.octets(),
        }
    }
}

impl Spatial {
    fn window(&self) -> Window {
        match self {
            Self::Depthwise(layer) => layer.window,
            Self::Columns(window, _) => *window,
        }
    }

    /// Octets of a position of what the windows yield.
    fn octets(&self) -> usize {
        match self {
            Self::Depthwise(layer) => layer.octets(),
            Self::Columns(_, octets) => octets * TAPS,
        }
    }
}

/// A chain and what it reads.
#[derive(Clone, Copy)]
struct Call<'a> {
    chain: &'a Chain,
    instructions: Instructions,
    source: Source<'a>,
    residual: Option<&'a [Octet]>,
}

impl<'a> Call<'a> {
    /// Some rows, a share for each of `strips`.
    fn over(self, strips: &mut [Strip], rows: Range<usize>, out: PlanesMut<'_, Octet>) {
        if let [strip] = strips {
            return self.strip(strip, rows, out);
        }
        let half = strips.len() / 2;
        let at = rows.start + rows.len() * half / strips.len();
        let (one, other) = strips.split_at_mut(half);
        let width = self.chain.output()[1];
        let [mine, theirs] = split_positions(out, (at - rows.start) * width);
        fork(
            || self.over(one, rows.start..at, mine),
            || self.over(other, at..rows.end, theirs),
        );
    }

    fn strip(self, strip: &mut Strip, rows: Range<usize>, mut out: PlanesMut<'_, Octet>) {
        let width = self.chain.output()[1];
        let mut kept = 0..0;
        for start in rows.clone().step_by(self.chain.band) {
            let band = start..rows.end.min(start + self.chain.band);
            let positions = (start - rows.start) * width..(band.end - rows.start) * width;
            self.band(strip, &mut kept, band, stretch(&mut out, positions));
        }
    }

    /// One band of rows; `kept` are those of the map that windows walk over that are there already.
    fn band(
        self,
        strip: &mut Strip,
        kept: &mut Range<usize>,
        band: Range<usize>,
        mut out: PlanesMut<'_, Octet>,
    ) {
        let chain = self.chain;
        let width = chain.output()[1];
        let Strip {
            middle,
            spatial: yielded,
            lines,
        } = strip;
        let Some(spatial) = &chain.spatial else {
            return match (&chain.head, &chain.project) {
                (Some(head), _) => self.head(head, band, lines, out),
                (None, Some(project)) => {
                    let input = self.map(&band);
                    self.project(project, input, &band, out);
                }
                (None, None) => unreachable!("a chain has a convolution"),
            };
        };
        let reach = spatial.window().reach(&band);
        let x = match &chain.head {
            None => Rows {
                octets: self.octets(),
                plane: chain.map[0] * chain.map[1],
                top: 0,
            },
            Some(head) => {
                let across = chain.middle()[1];
                let plane = chain.kept() * across;
                let middle = &mut middle[..head.octets() * plane];
                let missing = keep(middle, plane, across, kept, &reach);
                if !missing.is_empty() {
                    let positions = (missing.start - reach.start) * across
                        ..(missing.end - reach.start) * across;
                    let mut all = planes(&mut *middle, plane);
                    self.head(head, missing, lines, stretch(&mut all, positions));
                }
                Rows {
                    octets: middle,
                    plane,
                    top: reach.start,
                }
            }
        };
        let Some(project) = &chain.project else {
            return self.spatial(spatial, x, band, out);
        };
        let positions = band.len() * width;
        let yielded = &mut yielded[..spatial.octets() * positions];
        self.spatial(spatial, x, band.clone(), planes(&mut *yielded, positions));
        let input = Input {
            octets: yielded,
            plane: positions,
            first: 0,
            depth: project.depth,
        };
        self.project(project, input, &band, out.view_mut());
    }

    fn head(
        self,
        head: &Head,
        rows: Range<usize>,
        lines: &mut [f32],
        mut out: PlanesMut<'_, Octet>,
    ) {
        match head {
            Head::Pointwise(layer) => {
                let product = layer.product(self.map(&rows), None, out);
                self.instructions.run(product);
            }
            Head::Stem(layer) => {
                let Source::Planes(picture) = self.source else {
                    panic!("a stem reads planes");
                };
                let width = layer.window.output()[1];
                let lines = &mut lines[..layer.lines()];
                for (index, y) in rows.enumerate() {
                    layer.fill(picture, y, lines);
                    self.instructions.run(Row {
                        layer,
                        lines,
                        out: stretch(&mut out, index * width..(index + 1) * width),
                    });
                }
            }
        }
    }

    fn spatial(
        self,
        spatial: &Spatial,
        x: Rows<'_>,
        rows: Range<usize>,
        out: PlanesMut<'_, Octet>,
    ) {
        match spatial {
            Spatial::Depthwise(layer) => self.instructions.run(Convolve {
                layer,
                x,
                rows,
                out,
            }),
            Spatial::Columns(window, _) => self.instructions.run(Columns {
                window: *window,
                x,
                rows,
                out,
            }),
        }
    }

    fn project(
        self,
        project: &Pointwise,
        input: Input<'_>,
        rows: &Range<usize>,
        out: PlanesMut<'_, Octet>,
    ) {
        let [height, width] = self.chain.output();
        let residual = self.residual.map(|octets| Input {
            octets,
            plane: height * width,
            first: rows.start * width,
            depth: project.octets(),
        });
        self.instructions.run(project.product(input, residual, out));
    }

    /// Some rows of the map that the chain reads.
    fn map(self, rows: &Range<usize>) -> Input<'a> {
        let [height, width] = self.chain.map;
        let octets = self.octets();
        Input {
            octets,
            plane: height * width,
            first: rows.start * width,
            depth: octets.len() / (height * width),
        }
    }

    fn octets(self) -> &'a [Octet] {
        match self.source {
            Source::Octets(octets) => octets,
            Source::Planes(_) => panic!("only a stem reads planes"),
        }
    }
}

/// Has planes of `width` begin with the first row of `wanted`. Those that they hold are `kept`, and become
/// `wanted`. Returns the rows that are still missing.
fn keep(
    octets: &mut [Octet],
    plane: usize,
    width: usize,
    kept: &mut Range<usize>,
    wanted: &Range<usize>,
) -> Range<usize> {
    let both = wanted.start.max(kept.start)..wanted.end.min(kept.end).max(wanted.start);
    if both.start != kept.start && !both.is_empty() {
        let from = (both.start - kept.start) * width..(both.end - kept.start) * width;
        for plane in octets.chunks_exact_mut(plane) {
            plane.copy_within(from.clone(), 0);
        }
    }
    *kept = wanted.clone();
    both.end..wanted.end
}
