//! Stacks: what fits, and that one is its layers.

#[path = "common/tensors.rs"]
mod tensors;

use bottleneck_lstm::{
    BottleneckLstmConfig, BottleneckLstmStackConfig, BottleneckLstmState, ConfigError,
    LearnedState, Peephole, ShapeError,
};
use burn::module::{Module, Param};
use burn::tensor::{Bool, Tensor};

use tensors::{B, difference, random};

#[test]
fn stacks_must_fit() {
    assert_eq!(
        BottleneckLstmStackConfig::new(vec![]).validate(),
        Err(ConfigError::Zero { field: "layers" })
    );
    let first = BottleneckLstmConfig::new(3, 4).with_output_bottleneck(true);
    let layers = vec![first.clone(), BottleneckLstmConfig::new(4, 6)];
    assert_eq!(
        BottleneckLstmStackConfig::new(layers).validate(),
        Err(ConfigError::Stack {
            layer: 1,
            expected: 4,
            found: 8
        })
    );
    let config =
        BottleneckLstmStackConfig::new(vec![first.clone(), BottleneckLstmConfig::new(8, 6)]);
    assert_eq!(config.validate(), Ok(()));
    let stack = config.init::<B>(&Default::default());
    assert_eq!(config.num_params(), stack.num_params());
    let macs = first.macs([5, 4]) + BottleneckLstmConfig::new(8, 6).macs([5, 4]);
    assert_eq!(config.macs([5, 4]), macs);
}

#[test]
fn a_stack_pins_one_size() {
    let layer = |channels, size| {
        let cell = BottleneckLstmConfig::new(channels, 4);
        cell.with_peephole(Peephole::PerPosition(size))
    };
    let free = BottleneckLstmConfig::new(4, 4);
    let stack = |last| {
        BottleneckLstmStackConfig::new(vec![layer(3, [5, 4]), free.clone(), layer(4, last)])
            .validate()
    };
    assert_eq!(stack([5, 4]), Ok(()));
    let error = stack([4, 5]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "layer 2 of the stack pins the spatial size [4, 5], but layer 0 pins [5, 4]"
    );
}

#[test]
fn a_stack_is_bounded_as_a_whole() {
    let layer = BottleneckLstmConfig::new(6000, 6000);
    assert_eq!(layer.validate(), Ok(()));
    let error = BottleneckLstmStackConfig::new(vec![layer; 2]).validate();
    assert!(matches!(error, Err(ConfigError::TooLarge { .. })));
}

#[test]
fn a_stack_is_its_layers_one_on_the_other() {
    let config = BottleneckLstmStackConfig::new(vec![
        BottleneckLstmConfig::new(3, 4).with_output_bottleneck(true),
        BottleneckLstmConfig::tensorflow(8, 6).with_groups(3),
    ]);
    let stack = config.init::<B>(&Default::default());
    let xs = random([2, 5, 3, 4, 3]);
    let (outputs, states) = stack.forward(xs.clone(), None);
    let (between, _) = stack.layers[0].forward(xs.clone(), None);
    let (expected, last) = stack.layers[1].forward(between, None);
    assert_eq!(outputs.to_data(), expected.to_data());
    assert_eq!(states[1].cell.to_data(), last.cell.to_data());

    let mut carried = None;
    for (t, x) in xs.clone().iter_dim(1).enumerate() {
        let (output, next) = stack.step(x.squeeze_dim(1), carried);
        let whole = outputs.clone().narrow(1, t, 1).squeeze_dim(1);
        assert!(difference(output, whole) <= 5e-6);
        carried = Some(next);
    }
    let never = Tensor::<B, 2, Bool>::from_data([[false; 5]; 2], &Default::default());
    let (same, _) = stack.forward_reset(xs.clone(), None, never);
    assert!(difference(same, outputs) <= 5e-6);

    let short = stack.init_state(2, [4, 3])[..1].to_vec();
    let error = stack.try_forward(xs, Some(short)).unwrap_err();
    assert_eq!(
        error,
        ShapeError::Count {
            name: "states",
            expected: 2,
            found: 1
        }
    );
}

#[test]
fn a_reset_reaches_every_layer() {
    let device = Default::default();
    let learned = BottleneckLstmConfig::new(4, 6).with_learned_state(LearnedState::PerChannel);
    let layers = vec![BottleneckLstmConfig::new(3, 4), learned];
    let mut stack = BottleneckLstmStackConfig::new(layers).init::<B>(&device);
    stack.layers[1].initial_hidden = Some(Param::from_tensor(random([6, 1, 1])));
    let xs = random([2, 4, 3, 5, 4]);
    let start: Vec<_> = [4, 6]
        .map(|channels| {
            let map = || random([2, channels, 5, 4]);
            BottleneckLstmState::new(map(), map())
        })
        .into();
    let mask = [[false, false, true, false], [false; 4]];
    let reset = Tensor::<B, 2, Bool>::from_data(mask, &device);
    let (outputs, states) = stack.forward_reset(xs.clone(), Some(start.clone()), reset);

    let row = |tensor: Tensor<B, 5>, index| tensor.narrow(0, index, 1);
    let (fresh, last) = stack.forward(xs.clone().narrow(1, 2, 2), None);
    let (kept, _) = stack.forward(xs.clone(), Some(start));
    let after = row(outputs.clone(), 0).narrow(1, 2, 2);
    assert!(difference(after, row(fresh, 0)) <= 5e-6);
    assert!(difference(row(outputs, 1), row(kept, 1)) <= 5e-6);
    for (state, last) in states.into_iter().zip(last) {
        let first = |tensor: Tensor<B, 4>| tensor.narrow(0, 0, 1);
        assert!(difference(first(state.cell), first(last.cell)) <= 5e-6);
    }

    let reset = |shape| Tensor::<B, 2>::zeros(shape, &device).bool();
    let error = stack
        .try_forward_reset(xs, None, reset([2, 3]))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "reset: expected 4 time, found 3 (shape [2, 3])"
    );
    let empty = Tensor::zeros([0, 4, 3, 5, 4], &device);
    let error = stack
        .try_forward_reset(empty, None, reset([0, 4]))
        .unwrap_err();
    assert!(matches!(
        error,
        ShapeError::Empty {
            tensor: "input",
            ..
        }
    ));
}
