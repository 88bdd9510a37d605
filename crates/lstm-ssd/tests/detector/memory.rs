//! The memory that an existing detector is given.

use bottleneck_lstm::Reference;
use bottleneck_lstm_ndarray::CpuRunner;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor, Tolerance};
use burn_flex::Flex;
use lstm_ssd::network::{FrameMemoryConfig, Memory, MemoryConfig, MobileNetV2SsdConfig};

fn maps(batch: usize, time: usize, channels: usize) -> Tensor<Flex, 5> {
    let normal = Distribution::Normal(0.0, 2.0);
    Tensor::random([batch, time, channels, 5, 7], normal, &Default::default())
}

/// As if it had been trained: no parameter is zero.
pub fn trained(config: &MemoryConfig) -> Memory<Flex> {
    struct Trained;
    impl<B: Backend> ModuleMapper<B> for Trained {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            let (id, tensor, mapper) = param.consume();
            let noise = tensor.random_like(Distribution::Uniform(0.05, 0.2));
            Param::from_mapped_value(id, tensor + noise, mapper)
        }
    }
    config
        .try_init(&Default::default())
        .unwrap()
        .map(&mut Trained)
}

#[test]
fn until_it_is_trained_a_detector_is_what_it_was() {
    let device = Default::default();
    let network = MobileNetV2SsdConfig::new(3)
        .with_input([64, 48])
        .init::<Flex>(&device);
    let memory = MemoryConfig::new().try_init::<Flex>(&device).unwrap();
    let mut state = None;
    for _ in 0..3 {
        let uniform = Distribution::Uniform(-1.0, 1.0);
        let frame = Tensor::random([1, 3, 64, 48], uniform, &device);
        let trunk = network.try_trunk(frame.clone()).unwrap();
        let (after, next) = memory.step(trunk.clone(), state);
        state = Some(next);
        assert_eq!(after.to_data(), trunk.to_data());
        let found = network.heads().forward(&network.features_of_trunk(after));
        let expected = network.forward(frame);
        assert_eq!(found.boxes.to_data(), expected.boxes.to_data());
        assert_eq!(found.logits.to_data(), expected.logits.to_data());
    }
}

#[test]
fn an_average_of_maps_is_one() {
    let config = MemoryConfig::new().with_channels(3).with_hidden(2);
    let memory = config.try_average::<Flex>(0.75, &Default::default());
    let xs = maps(2, 5, 3);
    let (found, _) = memory
        .unwrap()
        .try_forward_with(&Reference, xs.clone(), None)
        .unwrap();
    let mut expected = xs.clone().narrow(1, 0, 1);
    for t in 0..5 {
        expected = expected * 0.75 + xs.clone().narrow(1, t, 1) * 0.25;
        let found = found.clone().narrow(1, t, 1).into_data();
        found.assert_approx_eq::<f32>(&expected.to_data(), Tolerance::rel_abs(1e-5, 1e-5));
    }
}

#[test]
fn a_sequence_is_its_steps_and_rows_are_independent() {
    let config = MemoryConfig::new().with_channels(5).with_hidden(4);
    let memory = trained(&config);
    let xs = maps(2, 4, 5);
    let (all, last) = memory
        .try_forward_with(&Reference, xs.clone(), None)
        .unwrap();
    for row in 0..2 {
        let mut state = None;
        for t in 0..4 {
            let x = xs.clone().slice([row..row + 1, t..t + 1]).squeeze_dim(1);
            let (y, next) = memory.step(x.clone(), state);
            state = Some(next);
            let expected = all
                .clone()
                .slice([row..row + 1, t..t + 1])
                .squeeze_dim::<4>(1);
            y.to_data()
                .assert_approx_eq::<f32>(&expected.to_data(), Tolerance::absolute(1e-5));
            let change = (y - x).abs().max().into_scalar();
            assert!(change > 1e-3, "a trained memory changes the map: {change}");
        }
        let hidden = last.cell.hidden.clone().narrow(0, row, 1);
        let state = state.unwrap().cell.hidden;
        state
            .to_data()
            .assert_approx_eq::<f32>(&hidden.to_data(), Tolerance::absolute(1e-5));
    }
}

#[test]
fn the_fused_runner_gives_the_same() {
    let memory = trained(&MemoryConfig::new().with_channels(9).with_hidden(6));
    let xs = maps(1, 3, 9);
    let (expected, _) = memory
        .try_forward_with(&Reference, xs.clone(), None)
        .unwrap();
    let (found, _) = memory
        .try_forward_with(&CpuRunner::new(), xs, None)
        .unwrap();
    found
        .to_data()
        .assert_approx_eq::<f32>(&expected.to_data(), Tolerance::absolute(1e-5));
}

#[test]
fn its_cost_is_at_most_a_tenth_of_the_detectors() {
    let config = MemoryConfig::new();
    let memory = config.try_init::<Flex>(&Default::default()).unwrap();
    let cost = config.cost([19, 19]);
    // All but the scale, which is no parameter to train.
    assert_eq!(cost.params as usize + 96, memory.num_params());
    let frame = FrameMemoryConfig::new().cost([300, 300]);
    let macs = cost.macs + frame.macs;
    let detector = MobileNetV2SsdConfig::new(24).cost().macs;
    assert!(10 * macs <= detector, "{macs} of {detector}");
}

#[test]
fn a_map_of_other_channels_is_refused() {
    let memory = MemoryConfig::new()
        .try_init::<Flex>(&Default::default())
        .unwrap();
    let error = memory
        .try_forward_with(&Reference, maps(1, 1, 5), None)
        .unwrap_err();
    assert!(
        error.to_string().contains("expected 96 channels, found 5"),
        "{error}"
    );
    let error = MemoryConfig::new().with_hidden(0).validate().unwrap_err();
    assert!(error.to_string().contains("hidden_channels"), "{error}");
}
