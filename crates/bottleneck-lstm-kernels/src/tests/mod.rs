//! Every kernel against a plain loop in `f64`, on every instruction set that the machine has, at
//! sizes that do not suit a vector register.

mod depthwise;
mod fork;
mod forward;
mod gates;
mod lanes;
mod math;
mod octets;
mod outer;
mod product;
mod separable;
mod share;

use crate::instructions::Instructions;
use crate::lanes::{LANES, Octet};
use crate::octets::octets;
use crate::share::Team;

/// Numbers from -1 to 1 that stay the same from run to run, by SplitMix64 (Steele, Lea & Flood,
/// 2014).
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn value(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    }

    fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.value()).collect()
    }

    /// Octets without a lane that is 0.
    fn octets(&mut self, count: usize) -> Vec<Octet> {
        (0..count)
            .map(|_| Octet([(); LANES].map(|()| self.value())))
            .collect()
    }
}

/// A sum in `f64`, and that of the sizes of its terms, by which rounding errors are judged.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    value: f64,
    size: f64,
    terms: usize,
}

impl Sum {
    fn add(&mut self, a: f32, b: f32) {
        let product = f64::from(a) * f64::from(b);
        self.value += product;
        self.size += product.abs();
        self.terms += 1;
    }

    /// Panics unless `found` is this sum but for what rounding may do to it: half a unit in the
    /// last place for each product and each addition.
    #[track_caller]
    fn check(&self, found: f32) {
        let bound = self.size * (self.terms + 1) as f64 * f64::from(f32::EPSILON);
        let error = (f64::from(found) - self.value).abs();
        assert!(
            error <= bound,
            "found {found}, expected {}, at most {bound} off",
            self.value
        );
    }
}

/// Every instruction set, with one to five threads.
fn teams() -> impl Iterator<Item = Team> {
    Instructions::available().flat_map(|instructions| {
        (1..=5).map(move |threads| Team {
            instructions,
            threads,
        })
    })
}

/// `[channels, area]` as octets, by plain indexing.
fn to_octets(values: &[f32], area: usize) -> Vec<Octet> {
    let channels = values.len() / area;
    let mut planes = vec![Octet::ZERO; octets(channels) * area];
    for channel in 0..channels {
        for at in 0..area {
            planes[channel / LANES * area + at].0[channel % LANES] = values[channel * area + at];
        }
    }
    planes
}

/// One value of planes of octets.
fn at(planes: &[Octet], plane: usize, channel: usize, position: usize) -> f32 {
    planes[channel / LANES * plane + position].0[channel % LANES]
}

/// The bits of all values.
fn bits(octets: &[Octet]) -> Vec<[u32; LANES]> {
    octets
        .iter()
        .map(|octet| octet.0.map(f32::to_bits))
        .collect()
}
