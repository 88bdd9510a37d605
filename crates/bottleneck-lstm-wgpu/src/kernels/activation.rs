//! The activations.

use bottleneck_lstm::Activation;
use cubecl::prelude::*;

/// `1 / (1 + exp(-x))`
#[cube]
pub fn sigmoid<F: Float, N: Size>(x: Vector<F, N>) -> Vector<F, N> {
    let one = Vector::<F, N>::new(F::new(1.0));
    one / (one + Vector::exp(-x))
}

/// `activation(x)`
#[cube]
pub fn activate<F: Float, N: Size>(
    x: Vector<F, N>,
    #[comptime] activation: Activation,
) -> Vector<F, N> {
    let zero = Vector::<F, N>::new(F::new(0.0));
    let six = Vector::<F, N>::new(F::new(6.0));
    match comptime!(activation) {
        Activation::Identity => x,
        Activation::Relu => max(x, zero),
        Activation::Relu6 => min(max(x, zero), six),
        Activation::Tanh => Vector::tanh(x),
    }
}

/// `gradient` times the derivative of `activation` where it takes the value `y`.
#[cube]
pub fn differentiate<F: Float, N: Size>(
    y: Vector<F, N>,
    gradient: Vector<F, N>,
    #[comptime] activation: Activation,
) -> Vector<F, N> {
    let zero = Vector::<F, N>::new(F::new(0.0));
    match comptime!(activation) {
        Activation::Identity => gradient,
        Activation::Relu => select_many(y.greater_than(zero), gradient, zero),
        Activation::Relu6 => {
            let six = Vector::<F, N>::new(F::new(6.0));
            let below = select_many(y.less_than(six), gradient, zero);
            select_many(y.greater_than(zero), below, zero)
        }
        Activation::Tanh => gradient * (Vector::<F, N>::new(F::new(1.0)) - y * y),
    }
}
