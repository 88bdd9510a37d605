//! The detector with a memory through the CPU runner: against the modules in Burn's own operations.

use bottleneck_lstm_ndarray::{CpuRunner, Instructions};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, ElementConversion, Tensor};
use burn_flex::Flex;
use burn_ndarray::NdArray;
use lstm_ssd::network::{
    FrameMemoryConfig, Memory, MemoryConfig, MobileNetV2Ssd, MobileNetV2SsdConfig, Normalization,
    Numbers, Predictions, SsdRunner,
};

use super::mobilenet_v2::{config, tensors};
use super::runner::{frames, network};

const INPUT: [usize; 2] = [96, 75];

/// A part in front of the detector, and one behind block 12.
pub fn both_parts() -> MemoryConfig {
    MemoryConfig::new().with_frame(Some(FrameMemoryConfig::new()))
}

/// As if it had been trained: no parameter is zero, and gates are neither open nor closed.
pub fn trained<B: Backend>(config: &MemoryConfig) -> Memory<B> {
    struct Trained;
    impl<B: Backend> ModuleMapper<B> for Trained {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            let (id, tensor, mapper) = param.consume();
            let noise = tensor.random_like(Distribution::Normal(0.0, 0.1));
            Param::from_mapped_value(id, tensor + noise, mapper)
        }
    }
    let device = Default::default();
    let scale = Distribution::Uniform(0.3, 3.0);
    let memory = config.try_init(&device).unwrap().map(&mut Trained);
    memory.with_scale(Tensor::random([config.channels], scale, &device))
}

/// The bits of what is said of a frame.
pub fn bits(numbers: Numbers<'_>) -> Vec<u32> {
    let values = numbers.boxes.iter().chain(numbers.logits);
    values.map(|value| value.to_bits()).collect()
}

fn largest<B: Backend>(tensor: Tensor<B, 3>) -> f32 {
    tensor.abs().max().into_scalar().elem()
}

/// How far apart predictions are, in units of the largest.
fn apart<B: Backend>(found: &Predictions<B>, expected: &Predictions<B>) -> f32 {
    let pairs = [
        (&found.boxes, &expected.boxes),
        (&found.logits, &expected.logits),
    ];
    let apart = pairs.map(|(found, expected)| {
        largest(found.clone() - expected.clone()) / largest(expected.clone())
    });
    apart[0].max(apart[1])
}

fn it_computes_what_burn_does<B: Backend>(config: &MemoryConfig, input: [usize; 2], time: usize) {
    let network = network::<B>(Normalization::Bias, input);
    let memory = trained::<B>(config);
    let video: Vec<_> = (0..time).map(|_| frames::<B>(1, input)).collect();
    let (mut state, mut expected) = (None, Vec::new());
    for frame in &video {
        let trunk = network.try_trunk(frame.clone()).unwrap();
        let (map, next) = memory.step(trunk, state);
        state = Some(next);
        expected.push(network.heads().forward(&network.features_of_trunk(map)));
    }
    for instructions in Instructions::available() {
        let cpu = CpuRunner::new().with_instructions(instructions);
        let mut runner = SsdRunner::with_memory(&network, &memory, &cpu).unwrap();
        let mut alone = SsdRunner::new(&network, &cpu).unwrap();
        for (t, (frame, expected)) in video.iter().zip(&expected).enumerate() {
            let found = runner.forward(frame.clone()).unwrap();
            let wrong = apart(&found, expected);
            assert!(wrong <= 1e-4, "{instructions:?}, frame {t}: {wrong}");
            let changed = apart(&found, &alone.forward(frame.clone()).unwrap());
            // By far more than the bound above, else that would say nothing of the memory.
            assert!(changed > 1e-3, "{instructions:?}, frame {t}: {changed}");
        }
    }
}

#[test]
fn it_computes_what_burn_does_on_flex() {
    it_computes_what_burn_does::<Flex>(&MemoryConfig::new(), INPUT, 12);
}

#[test]
fn it_computes_what_burn_does_on_ndarray() {
    // Channels that do not fill octets.
    it_computes_what_burn_does::<NdArray>(&MemoryConfig::new().with_hidden(14), [33, 32], 3);
}

/// That a fresh memory, whose scale is not one, changes no bit.
fn a_fresh_memory_changes_no_bit(network: &MobileNetV2Ssd<Flex>, video: &[Vec<f32>]) {
    let device = Default::default();
    let scale = Tensor::random([96], Distribution::Uniform(0.3, 3.0), &device);
    let memory = MemoryConfig::new().try_init::<Flex>(&device).unwrap();
    let memory = memory.with_scale(scale);
    for instructions in Instructions::available() {
        let cpu = CpuRunner::new().with_instructions(instructions);
        let mut runner = SsdRunner::with_memory(network, &memory, &cpu).unwrap();
        let mut alone = SsdRunner::new(network, &cpu).unwrap();
        for frame in video {
            let expected = bits(alone.run(frame).unwrap());
            assert_eq!(
                bits(runner.run(frame).unwrap()),
                expected,
                "{instructions:?}"
            );
        }
    }
}

fn video(frames_in_it: usize, input: [usize; 2]) -> Vec<Vec<f32>> {
    let frame = |_| frames::<Flex>(1, input).into_data().to_vec().unwrap();
    (0..frames_in_it).map(frame).collect()
}

#[test]
fn until_it_is_trained_no_bit_changes() {
    let network = network::<Flex>(Normalization::Batch, INPUT);
    a_fresh_memory_changes_no_bit(&network, &video(4, INPUT));
}

#[test]
fn until_it_is_trained_no_bit_changes_with_the_published_weights() {
    let Some(weights) = tensors("ssd_mobilenet_v2.safetensors") else {
        return;
    };
    let network = MobileNetV2Ssd::from_checkpoint(&config(), &weights, &Default::default());
    a_fresh_memory_changes_no_bit(&network.unwrap(), &video(2, [300, 300]));
}

#[test]
fn threads_change_no_bit() {
    let network = network::<Flex>(Normalization::Bias, INPUT);
    let memory = trained::<Flex>(&MemoryConfig::new());
    let video = video(5, INPUT);
    let mut by_one = None;
    for threads in 1..=4 {
        let cpu = CpuRunner::new().with_threads(threads);
        let mut runner = SsdRunner::with_memory(&network, &memory, &cpu).unwrap();
        let bits: Vec<_> = video
            .iter()
            .map(|frame| bits(runner.run(frame).unwrap()))
            .collect();
        assert_eq!(*by_one.get_or_insert_with(|| bits.clone()), bits);
    }
}

#[test]
fn after_a_reset_a_video_is_what_it_is_by_itself() {
    // Of whole patches.
    let input = [96, 76];
    let network = network::<Flex>(Normalization::Bias, input);
    let memory = trained::<Flex>(&both_parts());
    let runner = || SsdRunner::with_memory(&network, &memory, &CpuRunner::new()).unwrap();
    let [one, other] = [video(3, input), video(3, input)];
    let watch = |runner: &mut SsdRunner, video: &[Vec<f32>]| -> Vec<_> {
        let frames = video.iter();
        frames
            .map(|frame| bits(runner.run(frame).unwrap()))
            .collect()
    };
    let expected = watch(&mut runner(), &other);
    let mut used = runner();
    watch(&mut used, &one);
    assert_ne!(watch(&mut used, &other), expected, "it remembers");
    used.reset();
    assert_eq!(watch(&mut used, &other), expected);
}

#[test]
fn steps_are_timed_with_the_memory_among_them() {
    let network = network::<Flex>(Normalization::Bias, INPUT);
    let memory = MemoryConfig::new().try_init(&Default::default()).unwrap();
    let mut alone = SsdRunner::new(&network, &CpuRunner::new()).unwrap();
    let mut runner = SsdRunner::with_memory(&network, &memory, &CpuRunner::new()).unwrap();
    let frame = &video(1, INPUT)[0];
    let steps = runner.profile(frame).unwrap();
    let at = steps.iter().position(|step| step.name == "memory");
    let cost = memory.config().cost([6, 5]);
    assert_eq!(steps[at.unwrap()].macs as u64, cost.macs);
    let rest = |steps: Vec<bottleneck_lstm_ndarray::network::StepTime>| {
        let own = ["memory", "input"];
        let rest = steps.into_iter().map(|step| step.name);
        rest.filter(|name| !own.contains(&&**name))
            .collect::<Vec<_>>()
    };
    assert_eq!(rest(steps), rest(alone.profile(frame).unwrap()));
}

#[test]
fn a_memory_for_another_map_is_refused() {
    let network = MobileNetV2SsdConfig::new(3)
        .with_input(INPUT)
        .init::<Flex>(&Default::default());
    let memory = MemoryConfig::new().with_channels(5);
    let memory = memory.try_init(&Default::default()).unwrap();
    let error = SsdRunner::with_memory(&network, &memory, &CpuRunner::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the map: expected 5 channels, found 96 (shape [1, 96, 6, 5])"
    );
}
