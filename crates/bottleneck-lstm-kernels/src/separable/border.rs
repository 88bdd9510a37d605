//! Where maps come from and go to, and the sum of two of them.

use crate::instructions::Instructions;
use crate::lanes::{Kernel, LANES, Lanes, Octet, Vectors};
use crate::octets::{Gather, Scatter};
use crate::planes::planes;
use crate::product::Input;

/// Turns planes, `[channels, area]`, into octets, `[octets, area]`.
pub fn gather(instructions: Instructions, area: usize, from: &[f32], to: &mut [Octet]) {
    instructions.run(Gather {
        groups: 1,
        area,
        from,
        to,
    });
}

/// The reverse of [`gather`].
pub fn scatter(instructions: Instructions, area: usize, from: &[Octet], to: &mut [f32]) {
    instructions.run(Scatter {
        from: Input {
            octets: from,
            plane: area,
            first: 0,
            depth: from.len() / area,
        },
        to: planes(to, area),
    });
}

/// Turns octets, `[octets, area]`, into positions, `[area, channels]`.
pub fn channels_last(area: usize, channels: usize, from: &[Octet], to: &mut [f32]) {
    for (index, octets) in from.chunks_exact(area).enumerate() {
        let first = index * LANES;
        let last = channels.min(first + LANES);
        for (position, octet) in to.chunks_exact_mut(channels).zip(octets) {
            position[first..last].copy_from_slice(&octet.0[..last - first]);
        }
    }
}

/// Adds two maps.
pub fn add(instructions: Instructions, one: &[Octet], other: &[Octet], out: &mut [Octet]) {
    instructions.run(Add { one, other, out });
}

struct Add<'a> {
    one: &'a [Octet],
    other: &'a [Octet],
    out: &'a mut [Octet],
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let one = l.one();
        for (out, (a, b)) in self.out.iter_mut().zip(self.one.iter().zip(self.other)) {
            *out = one.store(one.add(one.load(a), one.load(b)));
        }
    }
}
