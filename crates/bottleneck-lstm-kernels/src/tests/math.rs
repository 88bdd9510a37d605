//! Activations against those of the standard library in `f64`.

use crate::Activation;
use crate::instructions::Instructions;
use crate::lanes::{Kernel, LANES, Lanes, Octet, Vectors};
use crate::math::{activate, differentiate, sigmoid, sigmoid_all};

#[derive(Clone, Copy)]
enum Function {
    Sigmoid,
    Activation(Activation),
}

struct Apply(Function, [f32; LANES]);

impl Kernel for Apply {
    type Output = [f32; LANES];

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Self::Output {
        // Two octets at a time, one of which holds what must not reach the other.
        let v = l.two();
        let x = [v.load(&[Octet(self.1), Octet([f32::NAN; LANES])])];
        let [y] = match self.0 {
            Function::Sigmoid => sigmoid(v, x),
            Function::Activation(activation) => activate(v, activation, x),
        };
        v.store(y)[0].0
    }
}

fn apply(instructions: Instructions, function: Function, x: f32) -> f32 {
    instructions.run(Apply(function, [x; LANES]))[0]
}

const TANH: Function = Function::Activation(Activation::Tanh);

/// Numbers of both signs and all sizes up to `largest`, dense, the smallest denormal among them.
fn sweep(largest: f32) -> Vec<f32> {
    let mut values = vec![0.0, f32::from_bits(1), f32::MIN_POSITIVE];
    // Every 40,009th number: a prime, so that all patterns of the low bits come up.
    let bits = (0..=largest.to_bits()).step_by(40_009);
    values.extend(bits.map(f32::from_bits));
    values.extend((0..20_000).map(|i| i as f32 / 20_000.0 * largest));
    let negative = values.iter().map(|value| -value).collect::<Vec<_>>();
    values.extend(negative);
    values
}

/// The largest error over `values`, as a multiple of the distance of `f32` at the right result.
fn error(
    instructions: Instructions,
    function: Function,
    exact: fn(f64) -> f64,
    values: &[f32],
) -> f64 {
    let mut worst = 0_f64;
    for &x in values {
        let expected = exact(f64::from(x));
        let ulp = (expected.abs() * f64::from(f32::EPSILON)).max(f64::from(f32::MIN_POSITIVE));
        let found = f64::from(apply(instructions, function, x));
        assert!(found.is_finite(), "{instructions:?}: {found} at {x}");
        worst = worst.max((found - expected).abs() / ulp);
    }
    worst
}

fn exact_sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn sigmoids_and_tangents_are_right_to_a_few_units_in_the_last_place() {
    for instructions in Instructions::available() {
        // The left end is the exponential alone.
        let worst = error(instructions, Function::Sigmoid, exact_sigmoid, &sweep(87.0));
        assert!(worst <= 3.0, "sigmoid on {instructions:?}: {worst}");
        let worst = error(instructions, TANH, f64::tanh, &sweep(20.0));
        assert!(worst <= 4.0, "tanh on {instructions:?}: {worst}");
    }
}

#[test]
fn nothing_finite_becomes_nan_and_ranges_are_kept() {
    for instructions in Instructions::available() {
        for x in sweep(f32::MAX) {
            let sigmoid = apply(instructions, Function::Sigmoid, x);
            assert!((0.0..=1.0).contains(&sigmoid), "sigmoid({x}) = {sigmoid}");
            let tanh = apply(instructions, TANH, x);
            assert!((-1.0..=1.0).contains(&tanh), "tanh({x}) = {tanh}");
        }
    }
}

#[test]
fn ends_are_reached() {
    for instructions in Instructions::available() {
        let sigmoid = |x| apply(instructions, Function::Sigmoid, x);
        let tanh = |x| apply(instructions, TANH, x);
        assert_eq!(sigmoid(f32::INFINITY), 1.0);
        assert_eq!(sigmoid(1e4), 1.0);
        assert_eq!(sigmoid(f32::NEG_INFINITY), 0.0);
        assert_eq!(sigmoid(-1e4), 0.0);
        assert_eq!(sigmoid(0.0), 0.5);
        assert!(sigmoid(-87.0) > 0.0);
        assert_eq!(tanh(f32::INFINITY), 1.0);
        assert_eq!(tanh(f32::NEG_INFINITY), -1.0);
        assert_eq!(tanh(1e4), 1.0);
        assert_eq!(tanh(-1e4), -1.0);
        assert_eq!(tanh(0.0), 0.0);
    }
}

#[test]
fn nan_stays_nan() {
    let activations = [
        Activation::Identity,
        Activation::Relu,
        Activation::Relu6,
        Activation::Tanh,
    ];
    for instructions in Instructions::available() {
        assert!(apply(instructions, Function::Sigmoid, f32::NAN).is_nan());
        for activation in activations {
            let function = Function::Activation(activation);
            assert!(apply(instructions, function, f32::NAN).is_nan());
        }
    }
}

struct Differentiate(Activation, f32);

impl Kernel for Differentiate {
    type Output = [f32; LANES];

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Self::Output {
        let v = l.one();
        v.store(differentiate(v, self.0, v.splat(self.1), v.splat(3.0)))
            .0
    }
}

#[test]
fn derivatives_are_zero_at_a_kink() {
    for instructions in Instructions::available() {
        let cases = [
            (Activation::Identity, -1.0, 3.0),
            (Activation::Identity, 0.0, 3.0),
            (Activation::Relu, 0.0, 0.0),
            (Activation::Relu, 1e-30, 3.0),
            (Activation::Relu, 9.0, 3.0),
            (Activation::Relu6, 0.0, 0.0),
            (Activation::Relu6, 5.0, 3.0),
            (Activation::Relu6, 6.0, 0.0),
            (Activation::Tanh, 0.0, 3.0),
            (Activation::Tanh, 0.5, 2.25),
            (Activation::Tanh, -1.0, 0.0),
        ];
        for (activation, y, expected) in cases {
            let found = instructions.run(Differentiate(activation, y));
            assert_eq!(
                found, [expected; LANES],
                "{instructions:?}: {activation:?} at {y}"
            );
        }
    }
}

#[test]
fn piecewise_activations_are_exact() {
    for instructions in Instructions::available() {
        for x in sweep(100.0) {
            let on = |activation| apply(instructions, Function::Activation(activation), x);
            assert_eq!(on(Activation::Identity), x);
            assert_eq!(on(Activation::Relu), x.max(0.0));
            assert_eq!(on(Activation::Relu6), x.clamp(0.0, 6.0));
        }
    }
}

#[test]
fn all_values_get_the_sigmoid_that_each_would_get() {
    let values: Vec<f32> = (0..100).map(|i| (i - 50) as f32 / 4.0).collect();
    for instructions in Instructions::available() {
        for count in [0, 1, 8, 31, 32, 33, 64, 100] {
            let mut found = values[..count].to_vec();
            sigmoid_all(instructions, &mut found);
            let expected = values[..count].iter();
            let expected = expected.map(|x| apply(instructions, Function::Sigmoid, *x));
            assert_eq!(found, expected.collect::<Vec<_>>(), "{instructions:?}");
        }
    }
}
