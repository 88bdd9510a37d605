//! The activations, of several vectors at a time.
//!
//! Each is a long chain of operations that wait for one another, so every step is taken by all
//! vectors before the next.

use crate::Activation;
use crate::instructions::Instructions;
use crate::lanes::{Kernel, LANES, Lanes, Octet, Vectors, load, store};
use crate::octets::eight;

/// `$value` of every vector, where each `$x` stands for its part of the array of that name.
macro_rules! each {
    ($n:ident, |$($x:ident),*| $value:expr) => {{
        let mut out = [$(each!(@first $x),)*][0];
        for i in 0..$n {
            $(let $x = $x[i];)*
            out[i] = $value;
        }
        out
    }};
    (@first $x:ident) => { $x };
}

/// `a / (1 + exp(-x))` to 2 units in the last place. NaN stays NaN, and minus infinity
/// becomes 0, not merely small: times infinity that is NaN, as in PyTorch.
#[inline(always)]
fn logistic<A: Vectors, const N: usize>(v: A, a: f32, x: [A::V; N]) -> [A::V; N] {
    // -x = n ln 2 - r; adding 1.5 * 2^23 rounds to an integer. ln 2 comes in two parts, the first
    // short enough that its multiple is exact.
    const SHIFT: f32 = 12_582_912.0;
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    // exp(-r) = 1 - r + r^2 (..), minimax on [-ln 2 / 2, ln 2 / 2]: off by 1.05e-7 of it.
    const P: [f32; 4] = [0.499_992_3, -0.166_671_14, 0.041_890_16, -0.008_312_52];
    // Below, the result is less than twice the smallest normal number, and becomes 0.
    const LOWEST: f32 = 87.0;
    let one = v.splat(1.0);
    let start = x;
    let x = each!(N, |x| v
        .at_most(v.at_least(x, v.splat(-LOWEST)), v.splat(LOWEST)));
    let shifted = each!(N, |x| v.mul_add(
        x,
        v.splat(-std::f32::consts::LOG2_E),
        v.splat(SHIFT)
    ));
    let n = each!(N, |shifted| v.sub(shifted, v.splat(SHIFT)));
    let r = each!(N, |n, x| v.mul_add(n, v.splat(LN_2[0]), x));
    let r = each!(N, |n, r| v.mul_add(n, v.splat(LN_2[1]), r));
    let square = each!(N, |r| v.mul(r, r));
    let low = each!(N, |r| v.mul_add(r, v.splat(P[1]), v.splat(P[0])));
    let high = each!(N, |r| v.mul_add(r, v.splat(P[3]), v.splat(P[2])));
    let p = each!(N, |square, high, low| v.mul_add(square, high, low));
    let p = each!(N, |square, p, r| v.mul_add(square, p, v.sub(one, r)));
    let y = each!(N, |p, shifted| v
        .quotient(v.splat(a), v.mul_add(p, v.power_of_two(shifted), one)));
    each!(N, |start, y| v.unless_less(start, v.splat(-LOWEST), y))
}

/// `1 / (1 + exp(-x))`. NaN stays NaN.
#[inline(always)]
pub fn sigmoid<A: Vectors, const N: usize>(v: A, x: [A::V; N]) -> [A::V; N] {
    logistic(v, 1.0, x)
}

#[inline(always)]
fn tanh<A: Vectors, const N: usize>(v: A, x: [A::V; N]) -> [A::V; N] {
    // Near 0 the logistic function would cancel: there a polynomial, as Cephes' tanhf has it.
    let edge = v.splat(0.625);
    let z = each!(N, |x| v.mul(x, x));
    let mut p = [v.splat(-5.704_988_7e-3); N];
    for coefficient in [2.063_908_8e-2, -5.373_971_5e-2, 0.133_314_42, -0.333_332_8] {
        p = each!(N, |p, z| v.mul_add(p, z, v.splat(coefficient)));
    }
    let near = each!(N, |p, z, x| v.mul_add(v.mul(p, z), x, x));
    let twice = logistic(v, 2.0, each!(N, |x| v.add(x, x)));
    let far = each!(N, |twice| v.sub(twice, v.splat(1.0)));
    let size = each!(N, |x| v.abs(x));
    each!(N, |size, near, far| v.add(
        v.where_less(size, edge, near),
        v.unless_less(size, edge, far),
    ))
}

impl Activation {
    /// Those that it keeps its argument within, if that is all it does.
    pub(crate) fn bounds(self) -> Option<[f32; 2]> {
        match self {
            Self::Relu => Some([0.0, f32::INFINITY]),
            Self::Relu6 => Some([0.0, 6.0]),
            Self::Identity | Self::Tanh => None,
        }
    }
}

/// `x`, at least the one and at most the other of the bounds. NaN stays NaN.
#[inline(always)]
pub fn clamp<A: Vectors>(v: A, [low, high]: [f32; 2], x: A::V) -> A::V {
    v.at_most(v.at_least(x, v.splat(low)), v.splat(high))
}

/// `activation(x)`. NaN stays NaN.
#[inline(always)]
pub fn activate<A: Vectors, const N: usize>(
    v: A,
    activation: Activation,
    x: [A::V; N],
) -> [A::V; N] {
    let (zero, six) = (v.splat(0.0), v.splat(6.0));
    match activation {
        Activation::Identity => x,
        Activation::Relu => each!(N, |x| v.at_least(x, zero)),
        Activation::Relu6 => each!(N, |x| v.at_most(v.at_least(x, zero), six)),
        Activation::Tanh => tanh(v, x),
    }
}

/// `gradient` times the derivative of `activation` where it takes the value `y`.
#[inline(always)]
pub fn differentiate<A: Vectors>(v: A, activation: Activation, y: A::V, gradient: A::V) -> A::V {
    let zero = v.splat(0.0);
    match activation {
        Activation::Identity => gradient,
        Activation::Relu => v.where_less(zero, y, gradient),
        Activation::Relu6 => v.where_less(zero, y, v.where_less(y, v.splat(6.0), gradient)),
        Activation::Tanh => v.mul(gradient, v.sub(v.splat(1.0), v.mul(y, y))),
    }
}

/// `activation` of all `octets`.
#[inline(always)]
pub fn activate_all<L: Lanes>(l: L, activation: Activation, octets: &mut [Octet]) {
    let (one, two) = (l.one(), l.two());
    let mut fours = octets.chunks_exact_mut(4);
    for four in &mut fours {
        let values: [_; 2] = load(two, four);
        store(two, four, activate(two, activation, values));
    }
    for octet in fours.into_remainder().chunks_exact_mut(1) {
        let values: [_; 1] = load(one, octet);
        store(one, octet, activate(one, activation, values));
    }
}

/// Puts `1 / (1 + exp(-x))` in the place of every `x`, to 2 units in the last place. NaN stays NaN.
pub fn sigmoid_all(instructions: Instructions, values: &mut [f32]) {
    instructions.run(SigmoidAll(values));
}

struct SigmoidAll<'a>(&'a mut [f32]);

/// Values that it takes at a time.
const AT_A_TIME: usize = 4 * LANES;

impl Kernel for SigmoidAll<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let (whole, rest) = self.0.as_chunks_mut();
        for values in whole {
            sigmoid_of(l, values);
        }
        let mut last = [0.0; AT_A_TIME];
        last[..rest.len()].copy_from_slice(rest);
        sigmoid_of(l, &mut last);
        rest.copy_from_slice(&last[..rest.len()]);
    }
}

#[inline(always)]
fn sigmoid_of<L: Lanes>(l: L, values: &mut [f32; AT_A_TIME]) {
    let two = l.two();
    let mut octets = [Octet::ZERO; AT_A_TIME / LANES];
    for (octet, values) in octets.iter_mut().zip(values.chunks_exact(LANES)) {
        *octet = eight(values);
    }
    let x: [_; 2] = load(two, &octets);
    store(two, &mut octets, sigmoid(two, x));
    for (octet, values) in octets.iter().zip(values.chunks_exact_mut(LANES)) {
        values.copy_from_slice(&octet.0);
    }
}
