//! The activations, of several vectors at a time.
//!
//! Each is a long chain of operations that wait for one another, so every step is taken by all
//! vectors before the next.

use crate::Activation;
use crate::lanes::Lanes;

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
fn logistic<L: Lanes, const N: usize>(l: L, a: f32, x: [L::V; N]) -> [L::V; N] {
    // -x = n ln 2 - r; adding 1.5 * 2^23 rounds to an integer. ln 2 comes in two parts, the first
    // short enough that its multiple is exact.
    const SHIFT: f32 = 12_582_912.0;
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    // exp(-r) = 1 - r + r^2 (..), minimax on [-ln 2 / 2, ln 2 / 2]: off by 1.05e-7 of it.
    const P: [f32; 4] = [0.499_992_3, -0.166_671_14, 0.041_890_16, -0.008_312_52];
    let one = l.splat(1.0);
    // At the lower end 2^n is infinity, and the result 0.
    let x = each!(N, |x| l
        .at_most(l.at_least(x, l.splat(-89.0)), l.splat(87.0)));
    let shifted = each!(N, |x| l.mul_add(
        x,
        l.splat(-std::f32::consts::LOG2_E),
        l.splat(SHIFT)
    ));
    let n = each!(N, |shifted| l.sub(shifted, l.splat(SHIFT)));
    let r = each!(N, |n, x| l.mul_add(n, l.splat(LN_2[0]), x));
    let r = each!(N, |n, r| l.mul_add(n, l.splat(LN_2[1]), r));
    let square = each!(N, |r| l.mul(r, r));
    let low = each!(N, |r| l.mul_add(r, l.splat(P[1]), l.splat(P[0])));
    let high = each!(N, |r| l.mul_add(r, l.splat(P[3]), l.splat(P[2])));
    let p = each!(N, |square, high, low| l.mul_add(square, high, low));
    let p = each!(N, |square, p, r| l.mul_add(square, p, l.sub(one, r)));
    each!(N, |p, shifted| l
        .div(l.splat(a), l.mul_add(p, l.power_of_two(shifted), one)))
}

/// `1 / (1 + exp(-x))`. NaN stays NaN.
#[inline(always)]
pub fn sigmoid<L: Lanes, const N: usize>(l: L, x: [L::V; N]) -> [L::V; N] {
    logistic(l, 1.0, x)
}

#[inline(always)]
fn tanh<L: Lanes, const N: usize>(l: L, x: [L::V; N]) -> [L::V; N] {
    // Near 0 the logistic function would cancel: there a polynomial, as Cephes' tanhf has it.
    let edge = l.splat(0.625);
    let z = each!(N, |x| l.mul(x, x));
    let mut p = [l.splat(-5.704_988_7e-3); N];
    for coefficient in [2.063_908_8e-2, -5.373_971_5e-2, 0.133_314_42, -0.333_332_8] {
        p = each!(N, |p, z| l.mul_add(p, z, l.splat(coefficient)));
    }
    let near = each!(N, |p, z, x| l.mul_add(l.mul(p, z), x, x));
    let twice = logistic(l, 2.0, each!(N, |x| l.add(x, x)));
    let far = each!(N, |twice| l.sub(twice, l.splat(1.0)));
    let size = each!(N, |x| l.abs(x));
    each!(N, |size, near, far| l.add(
        l.where_less(size, edge, near),
        l.unless_less(size, edge, far),
    ))
}

/// `activation(x)`. NaN stays NaN.
#[inline(always)]
pub fn activate<L: Lanes, const N: usize>(l: L, activation: Activation, x: [L::V; N]) -> [L::V; N] {
    let (zero, six) = (l.splat(0.0), l.splat(6.0));
    match activation {
        Activation::Identity => x,
        Activation::Relu => each!(N, |x| l.at_least(x, zero)),
        Activation::Relu6 => each!(N, |x| l.at_most(l.at_least(x, zero), six)),
        Activation::Tanh => tanh(l, x),
    }
}

/// `gradient` times the derivative of `activation` where it takes the value `y`.
#[inline(always)]
pub fn differentiate<L: Lanes>(l: L, activation: Activation, y: L::V, gradient: L::V) -> L::V {
    let zero = l.splat(0.0);
    match activation {
        Activation::Identity => gradient,
        Activation::Relu => l.where_less(zero, y, gradient),
        Activation::Relu6 => l.where_less(zero, y, l.where_less(y, l.splat(6.0), gradient)),
        Activation::Tanh => l.mul(gradient, l.sub(l.splat(1.0), l.mul(y, y))),
    }
}
