//! The part of a memory that stands in front of the detector.

use bottleneck_lstm::Reference;
use bottleneck_lstm_ndarray::{CpuRunner, Instructions};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor, TensorData, Tolerance};
use burn_flex::Flex;
use lstm_ssd::Detector;
use lstm_ssd::network::{
    FrameMemory, FrameMemoryConfig, Memory, MemoryConfig, NetworkError, Normalization, SsdRunner,
};

use super::detector::{video as pictures, weights};
use super::memory_runner::bits;
use super::runner::network;

const SIZE: [usize; 2] = [12, 20];

/// As if it had been trained: no parameter is zero.
fn trained(config: &FrameMemoryConfig) -> FrameMemory<Flex> {
    struct Trained;
    impl<B: Backend> ModuleMapper<B> for Trained {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            let (id, tensor, mapper) = param.consume();
            let noise = tensor.random_like(Distribution::Uniform(0.05, 0.4));
            Param::from_mapped_value(id, tensor + noise, mapper)
        }
    }
    let fresh = config.try_init(&Default::default()).unwrap();
    fresh.map(&mut Trained)
}

/// Frames of `[height, width]`, the first half of which is dark.
fn video(batch: usize, time: usize, [height, width]: [usize; 2]) -> Vec<Tensor<Flex, 4>> {
    let frame = |t: usize| {
        let light = if t < time / 2 { -0.9 } else { 1.0 };
        let uniform = Distribution::Uniform(-1.0, light);
        Tensor::random([batch, 3, height, width], uniform, &Default::default())
    };
    (0..time).map(frame).collect()
}

#[test]
fn until_it_is_trained_frames_are_what_they_were() {
    let memory = FrameMemoryConfig::new().try_init::<Flex>(&Default::default());
    let (memory, mut state) = (memory.unwrap(), None);
    for frame in video(2, 4, SIZE) {
        let (found, next) = memory.try_step(frame.clone(), state).unwrap();
        state = Some(next);
        assert_eq!(found.to_data(), frame.to_data());
    }
}

#[test]
fn patches_are_the_frame_in_another_order() {
    let memory = trained(&FrameMemoryConfig::new().with_patch(2));
    let values: Vec<f32> = (0..3 * 4 * 6).map(|value| value as f32).collect();
    let frame = TensorData::new(values, [1, 3, 4, 6]);
    let frame = Tensor::<Flex, 4>::from_data(frame, &Default::default());
    let patches = memory.to_patches(frame.clone()).unwrap();
    assert_eq!(patches.dims(), [1, 12, 2, 3]);
    // The first colour's upper right pixel of every patch.
    let plane = patches.clone().slice([0..1, 1..2]).into_data();
    plane.assert_eq(
        &TensorData::new(vec![1.0_f32, 3.0, 5.0, 13.0, 15.0, 17.0], [1, 1, 2, 3]),
        true,
    );
    assert_eq!(memory.to_frames(patches).to_data(), frame.to_data());
}

#[test]
fn an_average_of_pictures_is_one() {
    let memory = FrameMemoryConfig::new().with_hidden(2);
    let memory = memory.try_average::<Flex>(0.75, &Default::default());
    let (memory, mut state, mut expected) = (memory.unwrap(), None, None);
    for frame in video(2, 5, SIZE) {
        let average = match expected {
            Some(before) => before * 0.75 + frame.clone() * 0.25,
            None => frame.clone(),
        };
        let (found, next) = memory.try_step(frame, state).unwrap();
        state = Some(next);
        found
            .into_data()
            .assert_approx_eq::<f32>(&average.to_data(), Tolerance::absolute(1e-5));
        expected = Some(average);
    }
}

#[test]
fn a_sequence_is_its_frames_and_videos_do_not_mix() {
    let memory = trained(&FrameMemoryConfig::new().with_hidden(6));
    let frames = video(2, 5, SIZE);
    let mut state = None;
    let mut expected = Vec::new();
    for frame in &frames {
        let (frame, next) = memory.try_step(frame.clone(), state).unwrap();
        state = Some(next);
        expected.push(frame);
    }
    let patches = |frames: &[Tensor<Flex, 4>], video: usize| {
        let patches = frames.iter().map(|frame| {
            let frame = frame.clone().narrow(0, video, 1);
            memory.to_patches(frame).unwrap().unsqueeze_dim(1)
        });
        Tensor::<Flex, 5>::cat(patches.collect(), 1)
    };
    for video in 0..2 {
        let whole = patches(&frames, video);
        let (first, state) = memory
            .try_forward_with(&Reference, whole.clone().narrow(1, 0, 2), None)
            .unwrap();
        let (rest, _) = memory
            .try_forward_with(&Reference, whole.narrow(1, 2, 3), Some(state))
            .unwrap();
        let found = Tensor::cat(vec![first, rest], 1).into_data();
        found.assert_approx_eq::<f32>(
            &patches(&expected, video).into_data(),
            Tolerance::absolute(1e-5),
        );
    }
}

#[test]
fn a_dark_frame_becomes_lighter_and_a_light_one_stays() {
    struct Light;
    impl<B: Backend> ModuleMapper<B> for Light {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            // All that is zero at the start: the amounts, and the means' share of the gate.
            param.map(
                |tensor| match tensor.clone().abs().max().into_scalar().to_string() {
                    zero if zero.parse::<f32>() == Ok(0.0) && tensor.dims() == [1; D] => {
                        tensor.ones_like()
                    }
                    _ => tensor,
                },
            )
        }
    }
    let memory = FrameMemoryConfig::new().try_init::<Flex>(&Default::default());
    let memory = memory.unwrap().map(&mut Light);
    for (light, expected) in [(0.025_f32, 0.125), (0.15, 0.15), (0.6, 0.6)] {
        let frame = Tensor::<Flex, 4>::full([1, 3, 8, 8], 2.0 * light - 1.0, &Default::default());
        let (found, _) = memory.try_step(frame, None).unwrap();
        let expected = TensorData::new(vec![2.0 * expected - 1.0; 3 * 64], [1, 3, 8, 8]);
        found
            .into_data()
            .assert_approx_eq::<f32>(&expected, Tolerance::absolute(2e-3));
    }
}

#[test]
fn the_runner_computes_what_burn_does() {
    let input = [64, 76];
    let network = network::<Flex>(Normalization::Bias, input);
    let memory = MemoryConfig::new().try_init::<Flex>(&Default::default());
    let memory = memory.unwrap();
    let frame = trained(&FrameMemoryConfig::new());
    let frames = video(1, 8, input);
    for instructions in Instructions::available() {
        let cpu = CpuRunner::new().with_instructions(instructions);
        let whole = memory.clone().with_frame(frame.clone());
        let mut runner = SsdRunner::with_memory(&network, &whole, &cpu).unwrap();
        let mut alone = SsdRunner::new(&network, &cpu).unwrap();
        let (mut state, mut changed) = (None, 0.0_f32);
        let mut first = Vec::new();
        for (t, shown) in frames.iter().enumerate() {
            let (repaired, next) = frame.try_step(shown.clone(), state).unwrap();
            state = Some(next);
            changed = changed.max((repaired.clone() - shown.clone()).abs().max().into_scalar());
            let expected = alone.forward(repaired).unwrap();
            let found = runner.forward(shown.clone()).unwrap();
            for (found, expected) in [
                (found.boxes, expected.boxes),
                (found.logits, expected.logits),
            ] {
                let apart: f32 = (found - expected.clone()).abs().max().into_scalar();
                let most: f32 = expected.abs().max().into_scalar();
                assert!(apart <= 1e-4 * most, "{instructions:?}, frame {t}: {apart}");
            }
            if t == 0 {
                let values: Vec<f32> = shown.to_data().to_vec().unwrap();
                runner.reset();
                first = bits(runner.run(&values).unwrap());
            }
        }
        assert!(changed > 0.1, "{changed}");
        // After a reset, as fresh.
        runner.reset();
        let values: Vec<f32> = frames[0].to_data().to_vec().unwrap();
        assert_eq!(bits(runner.run(&values).unwrap()), first);
        let error = runner.run(&values[1..]).unwrap_err().to_string();
        assert!(error.contains(&values.len().to_string()), "{error}");
    }
}

#[test]
fn a_detector_goes_on_from_what_it_remembered_of_frames_too() {
    let memory = MemoryConfig::new().try_init::<Flex>(&Default::default());
    let memory = memory.unwrap();
    let with = memory
        .clone()
        .with_frame(trained(&FrameMemoryConfig::new()));
    let (weights, video) = (weights(), pictures(1, 4));
    for fused in [false, true] {
        let detector = |memory: &Memory<Flex>| {
            let detector = Detector::from_checkpoint(&weights, &Default::default()).unwrap();
            let detector = match fused {
                true => detector.with_runner(&CpuRunner::new()).unwrap(),
                false => detector,
            };
            detector.with_memory(memory.clone()).unwrap()
        };
        let mut one = detector(&with);
        one.detect(&video[0]);
        one.detect(&video[1]);
        let then = one.remembered();
        one.detect(&video[3]);
        let expected = one.logits().to_vec();
        let mut other = detector(&with);
        other.go_on_from(&then).unwrap();
        other.detect(&video[3]);
        assert!(other.logits() == expected);
        other.reset();
        other.detect(&video[3]);
        assert!(other.logits() != expected);
        assert!(detector(&memory).go_on_from(&then).is_err());
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let device = Default::default();
    let memory = FrameMemoryConfig::new().try_init::<Flex>(&device).unwrap();
    let frame = |dims: [usize; 4]| Tensor::<Flex, 4>::zeros(dims, &device);
    let error = memory.try_step(frame([1, 3, 8, 10]), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "patches of 4 pixels divide no frame of 8 x 10"
    );
    let error = memory.try_step(frame([1, 4, 8, 8]), None).unwrap_err();
    assert!(matches!(error, NetworkError::Shape(_)), "{error}");
    let (_, state) = memory.try_step(frame([1, 3, 8, 8]), None).unwrap();
    let error = memory.try_step(frame([1, 3, 8, 12]), Some(state));
    assert!(matches!(error.unwrap_err(), NetworkError::Shape(_)));
    let none = FrameMemoryConfig::new().with_patch(0);
    assert!(none.try_init::<Flex>(&device).is_err());
}

#[test]
fn its_cost_is_that_of_the_module() {
    let config = FrameMemoryConfig::new();
    let memory = config.try_init::<Flex>(&Default::default()).unwrap();
    assert_eq!(config.cost([300, 300]).params, memory.num_params() as u64);
}
