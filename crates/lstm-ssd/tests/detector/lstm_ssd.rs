//! The paper's detector with its memories.

use bottleneck_lstm::Reference;
use bottleneck_lstm_ndarray::CpuRunner;
use burn::module::Module;
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor, Tolerance};
use burn_flex::Flex;
use lstm_ssd::network::{LstmSsdConfig, MAPS, NetworkError, Normalization};

fn config(memories: usize) -> LstmSsdConfig {
    LstmSsdConfig::new(3)
        .with_alpha(0.25)
        .with_input([96, 64])
        .with_memories(memories)
        .with_normalization(Normalization::Bias)
}

fn frame() -> Tensor<Flex, 4> {
    Tensor::random(
        [1, 3, 96, 64],
        Distribution::Uniform(-1.0, 1.0),
        &Default::default(),
    )
}

#[test]
fn every_number_of_memories_has_its_priors_and_its_cost() {
    let device = Default::default();
    for memories in 0..=MAPS {
        let config = config(memories);
        let network = config.init::<Flex>(&device);
        let (predictions, state) = network.step(frame(), None);
        let priors = config.priors().priors().len();
        assert_eq!(predictions.boxes.dims(), [1, priors, 4]);
        assert_eq!(predictions.logits.dims(), [1, priors, 3]);
        assert_eq!(state.memories.len(), memories);
        // Biases of what comes before the heads are not counted.
        let layers = config.layers();
        let biases = layers[..layers.len() - 2 * MAPS]
            .iter()
            .map(|layer| layer.channels[1]);
        let expected = config.cost().params as usize + biases.sum::<usize>();
        assert_eq!(network.num_params(), expected, "{memories} memories");
    }
}

#[test]
fn the_papers_own_size_has_a_memory_of_256_channels_on_ten_by_ten() {
    let config = LstmSsdConfig::new(31);
    let memory = config.memory(0).unwrap();
    assert_eq!((memory.input_channels, memory.hidden_channels), (1024, 256));
    let maps = config.priors().maps;
    assert_eq!(maps, [[10, 10], [5, 5], [3, 3], [2, 2], [1, 1]]);
    assert_eq!(config.priors().priors().len(), 6 * (100 + 25 + 9 + 4 + 1));
}

#[test]
fn a_memory_remembers_and_a_new_video_does_not() {
    Flex::seed(&Default::default(), 3);
    let network = config(2).init::<Flex>(&Default::default());
    let (first, second) = (frame(), frame());
    let (alone, _) = network.step(second.clone(), None);
    let (_, state) = network.step(first, None);
    let (after, _) = network.step(second.clone(), Some(state));
    let (again, _) = network.step(second, None);
    let data = |tensor: &Tensor<Flex, 3>| tensor.to_data();
    assert_eq!(data(&alone.logits), data(&again.logits));
    let change = (after.logits - alone.logits).abs().max().into_scalar();
    assert!(change > 1e-6, "a frame before has no influence: {change}");
}

#[test]
fn the_fused_runner_gives_the_same() {
    let network = config(MAPS).init::<Flex>(&Default::default());
    let (mut plain, mut fused) = (None, None);
    for _ in 0..3 {
        let frame = frame();
        let (a, state) = network.step_with(&Reference, frame.clone(), plain);
        plain = Some(state);
        let (b, state) = network.step_with(&CpuRunner::new(), frame, fused);
        fused = Some(state);
        let tolerance = Tolerance::<f32>::absolute(1e-4);
        for (a, b) in [(a.boxes, b.boxes), (a.logits, b.logits)] {
            a.to_data().assert_approx_eq(&b.to_data(), tolerance);
        }
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let device = Default::default();
    let error = config(6).try_init::<Flex>(&device).err().unwrap();
    let expected = "memories must be at most 5, one behind each map, found 6";
    assert_eq!(error.to_string(), expected);

    let (_, state) = config(1).init::<Flex>(&device).step(frame(), None);
    let network = config(2).init::<Flex>(&device);
    let step = |frame, state| {
        network
            .try_step_with(&Reference, frame, state)
            .err()
            .unwrap()
    };
    let error = step(frame(), Some(state));
    let expected = NetworkError::Memories {
        expected: 2,
        found: 1,
    };
    assert_eq!(error, expected);
    let error = step(Tensor::zeros([1, 3, 64, 96], &device), None);
    assert!(error.to_string().contains("expected 96 height"), "{error}");
}
