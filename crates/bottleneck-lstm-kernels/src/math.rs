//! The activations, eight values at a time.

use crate::Activation;
use crate::lanes::Lanes;

/// `exp(x)` to 2 units in the last place, for `x` from -87 to 87; beyond, the value at that end.
/// NaN stays NaN.
#[inline(always)]
pub fn exp<L: Lanes>(l: L, x: L::V) -> L::V {
    // x = n ln 2 + r; adding 1.5 * 2^23 rounds to an integer. ln 2 comes in two parts, the first
    // short enough that its multiple is exact.
    const SHIFT: f32 = 12_582_912.0;
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let x = l.at_most(l.at_least(x, l.splat(-87.0)), l.splat(87.0));
    let shifted = l.mul_add(x, l.splat(std::f32::consts::LOG2_E), l.splat(SHIFT));
    let n = l.sub(shifted, l.splat(SHIFT));
    let r = l.mul_add(n, l.splat(-LN_2[0]), x);
    let r = l.mul_add(n, l.splat(-LN_2[1]), r);
    // Minimax on [-ln 2 / 2, ln 2 / 2], as Cephes' expf has it.
    let mut p = l.splat(1.987_569_1e-4);
    for coefficient in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        0.166_666_65,
        0.5,
    ] {
        p = l.mul_add(p, r, l.splat(coefficient));
    }
    let p = l.mul_add(p, l.mul(r, r), l.add(r, l.splat(1.0)));
    l.mul(p, l.power_of_two(shifted))
}

/// `1 / (1 + exp(-x))`. NaN stays NaN, and minus infinity becomes 0, not merely small: times
/// infinity that is NaN, as in PyTorch.
#[inline(always)]
pub fn sigmoid<L: Lanes>(l: L, x: L::V) -> L::V {
    // The least `x` whose sigmoid is not 0 in `f32`.
    const LEAST: f32 = -103.97;
    let one = l.splat(1.0);
    let y = l.div(one, l.add(one, exp(l, l.sub(l.splat(0.0), x))));
    l.unless_less(x, l.splat(LEAST), y)
}

#[inline(always)]
fn tanh<L: Lanes>(l: L, x: L::V) -> L::V {
    // Near 0 the exponential would cancel: there a polynomial, as Cephes' tanhf has it.
    let edge = l.splat(0.625);
    let one = l.splat(1.0);
    let z = l.mul(x, x);
    let mut p = l.splat(-5.704_988_7e-3);
    for coefficient in [2.063_908_8e-2, -5.373_971_5e-2, 0.133_314_42, -0.333_332_8] {
        p = l.mul_add(p, z, l.splat(coefficient));
    }
    let near = l.mul_add(l.mul(p, z), x, x);
    let e = exp(l, l.add(x, x));
    let far = l.sub(one, l.div(l.splat(2.0), l.add(e, one)));
    let size = l.abs(x);
    l.add(
        l.where_less(size, edge, near),
        l.unless_less(size, edge, far),
    )
}

/// `activation(x)`. NaN stays NaN.
#[inline(always)]
pub fn activate<L: Lanes>(l: L, activation: Activation, x: L::V) -> L::V {
    match activation {
        Activation::Identity => x,
        Activation::Relu => l.at_least(x, l.splat(0.0)),
        Activation::Relu6 => l.at_most(l.at_least(x, l.splat(0.0)), l.splat(6.0)),
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
