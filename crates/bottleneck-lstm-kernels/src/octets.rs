//! Between channels first, as Burn has it, and octets, as the kernels want it.

use crate::lanes::{Kernel, LANES, Lanes, Octet, Vectors, load, store};
use crate::planes::{PlanesMut, each, octet};
use crate::product::Input;

/// Values of a cache line.
const LINE: usize = 16;

/// Octets that hold `channels`.
pub fn octets(channels: usize) -> usize {
    channels.div_ceil(LANES)
}

/// Up to eight channels' planes, each `plane` values after the one before, into octets: position
/// `first + i` of each goes to `to[i]`. Channels that `from` lacks become 0.
///
/// The same positions of `ahead` are asked for, as far as it has them: what is wanted after this.
#[inline(always)]
pub fn gather<L: Lanes>(
    l: L,
    from: &[f32],
    ahead: &[f32],
    plane: usize,
    first: usize,
    to: &mut [Octet],
) {
    let one = l.one();
    let count = to.len();
    let lines = lines(from.len(), plane);
    if count < LANES {
        for (i, octet) in to.iter_mut().enumerate() {
            *octet = Octet::ZERO;
            for line in 0..lines {
                octet.0[line] = from[line * plane + first + i];
            }
        }
        return;
    }
    for start in starts(count) {
        if start % LINE == 0 {
            for line in 0..LANES {
                if let Some(value) = ahead.get(line * plane + first + start) {
                    l.prefetch(value);
                }
            }
        }
        let mut rows = [one.splat(0.0); LANES];
        for (line, row) in rows.iter_mut().enumerate().take(lines) {
            *row = one.load(&eight(&from[line * plane + first + start..]));
        }
        store::<_, LANES>(one, &mut to[start..], l.transpose(rows));
    }
}

/// The reverse of [`gather`]: `from[i]` goes to position `i` of up to eight channels' planes. Channels
/// that `to` lacks go nowhere.
#[inline(always)]
pub fn scatter<L: Lanes>(l: L, from: &[Octet], mut to: PlanesMut<'_, f32>) {
    let one = l.one();
    let count = from.len();
    let mut lines: [&mut [f32]; LANES] = Default::default();
    for (line, plane) in lines.iter_mut().zip(each(&mut to)) {
        *line = plane;
    }
    if count < LANES {
        for (i, octet) in from.iter().enumerate() {
            for (line, value) in lines.iter_mut().zip(octet.0) {
                if let Some(to) = line.get_mut(i) {
                    *to = value;
                }
            }
        }
        return;
    }
    for start in starts(count) {
        let rows = l.transpose(load::<_, LANES>(one, &from[start..]));
        for (line, row) in lines.iter_mut().zip(rows) {
            if !line.is_empty() {
                line[start..][..LANES].copy_from_slice(&one.store(row).0);
            }
        }
    }
}

/// Planes of `plane` values in `len`, at most eight.
fn lines(len: usize, plane: usize) -> usize {
    (len / plane).min(LANES)
}

/// Where squares of eight positions begin that cover `count` of them, which is at least eight: the
/// last one may overlap the one before.
#[inline(always)]
fn starts(count: usize) -> impl Iterator<Item = usize> {
    let whole = count / LANES * LANES;
    let rest = (whole < count).then(|| count - LANES);
    (0..whole).step_by(LANES).chain(rest)
}

/// The first eight values.
#[inline(always)]
pub fn eight(values: &[f32]) -> Octet {
    Octet(*values.first_chunk().expect("eight values are left"))
}

/// Turns a map, channels first, into octets; each group's channels fill octets of their own.
pub struct Gather<'a> {
    pub groups: usize,
    pub area: usize,
    /// `[groups, channels, area]`
    pub from: &'a [f32],
    /// `[groups, octets, area]`
    pub to: &'a mut [Octet],
}

impl Kernel for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let (from, to) = (self.from.len() / self.groups, self.to.len() / self.groups);
        let groups = self
            .from
            .chunks_exact(from)
            .zip(self.to.chunks_exact_mut(to));
        for (from, to) in groups {
            let planes = from.chunks(LANES * self.area);
            for (from, to) in planes.zip(to.chunks_exact_mut(self.area)) {
                gather(l, from, &[], self.area, 0, to);
            }
        }
    }
}

/// The reverse of [`Gather`], for one group and some of its positions.
pub struct Scatter<'a> {
    pub from: Input<'a>,
    /// `[channels, positions]`
    pub to: PlanesMut<'a, f32>,
}

impl Kernel for Scatter<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        let Input {
            octets,
            plane,
            first,
            depth,
        } = self.from;
        let positions = self.to.ncols();
        for index in 0..depth {
            let from = &octets[index * plane + first..][..positions];
            scatter(l, from, octet(&mut self.to, index));
        }
    }
}
