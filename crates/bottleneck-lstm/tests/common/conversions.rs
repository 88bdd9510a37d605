//! Conversions between variants, on any backend and element type.

use bottleneck_lstm::{
    Activation, BottleneckLstm, BottleneckLstmConfig, BottleneckLstmState, ConversionError,
    Depthwise, LearnedState, Peephole,
};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor};

const SPATIAL: [usize; 2] = [5, 4];

/// Draws every parameter, so that none is at its start of zero, and so small that rounding errors
/// do not grow from step to step.
struct Draw;

impl<B: Backend> ModuleMapper<B> for Draw {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        param.map(|tensor| {
            let fan = tensor.dims()[1..].iter().product::<usize>();
            let deviation = 0.5 / (fan as f64).sqrt();
            tensor.random_like(Distribution::Normal(0.0, deviation))
        })
    }
}

fn drawn<B: Backend>(config: BottleneckLstmConfig) -> BottleneckLstm<B> {
    config.init::<B>(&Default::default()).map(&mut Draw)
}

/// The largest difference of two cells over a sequence from a drawn state, over the largest
/// magnitude.
fn difference<B: Backend>(left: &BottleneckLstm<B>, right: &BottleneckLstm<B>) -> f64 {
    let (device, normal) = (Default::default(), Distribution::Normal(0.0, 1.0));
    let [height, width] = SPATIAL;
    let xs = Tensor::random(
        [2, 5, left.config().input_channels, height, width],
        normal,
        &device,
    );
    let start = || {
        Tensor::random(
            [2, left.config().hidden_channels, height, width],
            normal,
            &device,
        )
    };
    let state = BottleneckLstmState::new(start(), start());
    let (left, _) = left.forward(xs.clone(), Some(state.clone()));
    let (right, _) = right.forward(xs, Some(state));
    let largest = |tensor: Tensor<B, 5>| tensor.abs().max().into_data().iter::<f64>().next();
    largest(left.clone() - right).unwrap() / largest(left).unwrap()
}

pub fn peepholes_widen<B: Backend>(tolerance: f64) {
    let none = drawn::<B>(BottleneckLstmConfig::tensorflow(3, 4).with_groups(2));
    let zero = none
        .clone()
        .try_with_peephole(Peephole::PerChannel)
        .unwrap();
    assert_eq!(zero.config().peephole, Some(Peephole::PerChannel));
    assert_eq!(zero.num_params(), zero.config().num_params());
    assert!(difference(&none, &zero) <= tolerance);

    let channel = drawn::<B>(BottleneckLstmConfig::new(3, 4).with_peephole(Peephole::PerChannel));
    let wanted = Peephole::PerPosition(SPATIAL);
    let position = channel.clone().try_with_peephole(wanted).unwrap();
    assert_eq!(position.num_params(), position.config().num_params());
    assert!(difference(&channel, &position) <= tolerance);
    // Peepholes matter, so the comparisons above can fail.
    let mut bare = channel.clone();
    bare.peephole_output = zero.peephole_output.clone();
    assert!(difference(&channel, &bare) > 1e-3);
}

pub fn paper_becomes_tensorflow<B: Backend>(tolerance: f64) {
    let paper = drawn::<B>(BottleneckLstmConfig::paper(3, 4));
    let tensorflow = paper.clone().try_into_tensorflow().unwrap();
    let config = tensorflow.config();
    assert!(config.gate_bias);
    assert_eq!(
        (config.activation, config.forget_bias),
        (Activation::Relu, 0.0)
    );
    assert_eq!(tensorflow.num_params(), config.num_params());
    assert!(difference(&paper, &tensorflow) <= tolerance);
}

pub fn default_becomes_tensorflow<B: Backend>(tolerance: f64) {
    for kernel in [1, 3, 5] {
        let config = BottleneckLstmConfig::new(3, 4).with_kernel_size(kernel);
        let default = drawn::<B>(config);
        let tensorflow = default.clone().try_into_tensorflow().unwrap();
        let config = tensorflow.config();
        assert_eq!(config.depthwise, Depthwise::InputAndHidden);
        assert_eq!(config.bottleneck_activation, Activation::Identity);
        assert_eq!(tensorflow.num_params(), config.num_params());
        assert!(
            difference(&default, &tensorflow) <= tolerance,
            "kernel {kernel}"
        );
    }
}

pub fn anything_else_is_an_error<B: Backend>() {
    let error = |cell: BottleneckLstmConfig, wanted| {
        cell.init::<B>(&Default::default())
            .try_with_peephole(wanted)
            .unwrap_err()
    };
    let position = BottleneckLstmConfig::new(3, 4).with_peephole(Peephole::PerPosition(SPATIAL));
    for wanted in [Peephole::PerChannel, Peephole::PerPosition([4, 5])] {
        let found = error(position.clone(), wanted);
        let expected = Some(wanted);
        assert_eq!(
            found,
            ConversionError::Peephole {
                expected,
                found: position.peephole
            }
        );
    }
    let learned =
        BottleneckLstmConfig::new(3, 4).with_learned_state(LearnedState::PerPosition(SPATIAL));
    let found = error(learned, Peephole::PerPosition([4, 5]));
    assert!(matches!(found, ConversionError::Config(_)));
    let cell = position.init::<B>(&Default::default());
    assert!(matches!(
        cell.try_into_tensorflow(),
        Err(ConversionError::Peephole { .. })
    ));
}
