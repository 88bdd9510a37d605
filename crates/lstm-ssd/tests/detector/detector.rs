//! The detector with a memory, from pictures to detections.

use std::cell::Cell;

use bottleneck_lstm::weights::Checkpoint;
use bottleneck_lstm_ndarray::CpuRunner;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn_flex::Flex;
use lstm_ssd::detection::Detection;
use lstm_ssd::network::{Memory, MemoryConfig, MobileNetV2SsdConfig, Normalization};
use lstm_ssd::{Detector, Picture};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::memory_runner::{both_parts, trained};
use super::runner::{frames, network};

/// Numbers from -1 to 1, always the same.
struct Noise(Cell<u64>);

impl Noise {
    fn next(&self) -> f32 {
        let next = self.0.get().wrapping_mul(6_364_136_223_846_793_005) + 1;
        self.0.set(next);
        (next >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// Weights with which the detector sees things everywhere, and other things in every picture.
pub fn weights() -> Checkpoint {
    let noise = Noise(Cell::new(1));
    let mut tensors = Vec::new();
    for layer in MobileNetV2SsdConfig::new(24).layers() {
        let shape = layer.weight_shape();
        let size = (6.0 / shape[1..].iter().product::<usize>() as f32).sqrt();
        let values = |count: usize, size: f32| -> Vec<u8> {
            let values = (0..count).map(|_| size * noise.next());
            values.flat_map(f32::to_le_bytes).collect()
        };
        let weight = values(shape.iter().product(), size);
        let outputs = layer.channels[1];
        tensors.push((format!("{}.weight", layer.name), shape.to_vec(), weight));
        let bias = values(outputs, 0.1);
        tensors.push((format!("{}.bias", layer.name), vec![outputs], bias));
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        (name, view.unwrap())
    });
    Checkpoint::from_bytes(safetensors::serialize(views, None).unwrap()).unwrap()
}

pub fn video(seed: u64, frames: usize) -> Vec<Picture> {
    let noise = Noise(Cell::new(seed));
    let picture = |_| {
        let pixels = (0..40 * 30 * 3).map(|_| (128.0 + 127.0 * noise.next()) as u8);
        Picture::new(40, 30, pixels.collect()).unwrap()
    };
    (0..frames).map(picture).collect()
}

fn detector<B: Backend>(weights: &Checkpoint, memory: &Memory<B>) -> Detector<B> {
    let detector = Detector::from_checkpoint(weights, &Default::default()).unwrap();
    detector.with_memory(memory.clone()).unwrap()
}

fn watch<B: Backend>(detector: &mut Detector<B>, video: &[Picture]) -> Vec<Vec<Detection>> {
    let frames = video.iter().map(|picture| detector.detect(picture));
    frames.collect()
}

/// That a second video after a reset is what it is to a fresh detector, bit for bit; returns what is seen in it.
fn videos_know_nothing_of_each_other(
    fresh: impl Fn() -> Detector<Flex>,
    videos: [&[Picture]; 2],
) -> Vec<Vec<Detection>> {
    let expected = watch(&mut fresh(), videos[1]);
    assert!(expected.iter().all(|frame| !frame.is_empty()));
    let mut used = fresh();
    watch(&mut used, videos[0]);
    assert_ne!(watch(&mut used, videos[1]), expected, "it remembers");
    used.reset();
    assert_eq!(watch(&mut used, videos[1]), expected);
    expected
}

#[test]
fn after_a_reset_a_video_is_what_a_fresh_detector_sees() {
    let weights = weights();
    let memory = trained::<Flex>(&both_parts());
    let [one, other] = [video(2, 1), video(3, 2)];
    let videos = [&one[..], &other];
    let plain = videos_know_nothing_of_each_other(|| detector(&weights, &memory), videos);

    let with_runner = || {
        let detector = detector(&weights, &memory);
        detector.with_runner(&CpuRunner::new()).unwrap()
    };
    let fused = videos_know_nothing_of_each_other(with_runner, videos);
    for (plain, fused) in plain.iter().zip(&fused) {
        assert_eq!(plain[0].class, fused[0].class);
        assert!((plain[0].score - fused[0].score).abs() <= 1e-3);
        assert!(plain[0].bounds.iou(&fused[0].bounds) > 0.99);
    }

    // The other way round, and in the place of another memory.
    let other_way = Detector::<Flex>::from_checkpoint(&weights, &Default::default()).unwrap();
    let untrained = MemoryConfig::new().try_init(&Default::default()).unwrap();
    let other_way = other_way.with_memory(untrained).unwrap();
    let mut other_way = other_way
        .with_runner(&CpuRunner::new())
        .unwrap()
        .with_memory(memory.clone())
        .unwrap();
    assert_eq!(watch(&mut other_way, &other), fused);
}

#[test]
fn a_detector_goes_on_from_what_it_remembered() {
    let weights = weights();
    let memory = trained::<Flex>(&both_parts());
    let [one, other] = [video(2, 2), video(3, 2)];
    let burns = || detector(&weights, &memory);
    let fused = || burns().with_runner(&CpuRunner::new()).unwrap();
    for fresh in [&burns as &dyn Fn() -> Detector<Flex>, &fused] {
        let mut first = fresh();
        watch(&mut first, &one);
        let remembered = first.remembered();
        let expected = watch(&mut first, &other);
        first.reset();
        assert_ne!(watch(&mut first, &other), expected, "it remembers");
        first.go_on_from(&remembered).unwrap();
        assert_eq!(watch(&mut first, &other), expected);
        let mut another = fresh();
        another.go_on_from(&remembered).unwrap();
        assert_eq!(watch(&mut another, &other), expected);
        // The start of a video is remembered, too.
        another.go_on_from(&fresh().remembered()).unwrap();
        assert_eq!(watch(&mut another, &one), watch(&mut fresh(), &one));
    }

    let [mut burns, mut fused] = [burns(), fused()];
    watch(&mut burns, &one);
    watch(&mut fused, &one);
    let mut none = Detector::<Flex>::from_checkpoint(&weights, &Default::default()).unwrap();
    let error = none.go_on_from(&burns.remembered()).unwrap_err();
    let expected = "what is remembered is that of another detector";
    assert_eq!(error.to_string(), expected);
    assert!(burns.go_on_from(&fused.remembered()).is_err());
    assert!(fused.go_on_from(&none.remembered()).is_err());
}

#[test]
fn without_training_a_memory_changes_no_detection() {
    let weights = weights();
    let untrained = MemoryConfig::new().try_init(&Default::default()).unwrap();
    let video = video(4, 2);
    let alone = || Detector::<Flex>::from_checkpoint(&weights, &Default::default()).unwrap();
    let expected = watch(&mut alone(), &video);
    assert_eq!(watch(&mut detector(&weights, &untrained), &video), expected);
    let runner = || alone().with_runner(&CpuRunner::new()).unwrap();
    let with_memory = runner().with_memory(untrained);
    let expected = watch(&mut runner(), &video);
    assert_eq!(watch(&mut with_memory.unwrap(), &video), expected);
}

#[test]
fn a_memory_for_another_map_is_refused() {
    let memory = MemoryConfig::new().with_channels(5);
    let memory = memory.try_init(&Default::default()).unwrap();
    let detector = Detector::<Flex>::from_checkpoint(&weights(), &Default::default()).unwrap();
    let error = detector.with_memory(memory).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the map: expected 5 channels, found 96 (shape [1, 96, 19, 19])"
    );
}

#[test]
fn videos_in_a_batch_are_what_they_are_one_by_one() {
    let input = [64, 48];
    let network = network::<Flex>(Normalization::Bias, input);
    let memory = trained::<Flex>(&both_parts());
    let front = memory.frame().unwrap();
    let run = |video: Vec<Tensor<Flex, 4>>| -> Vec<_> {
        let (mut seen, mut state) = (None, None);
        let mut step = |frames: Tensor<Flex, 4>| {
            let (frames, next) = front.try_step(frames, seen.take()).unwrap();
            seen = Some(next);
            let trunk = network.try_trunk(frames).unwrap();
            let (map, next) = memory.step(trunk, state.take());
            state = Some(next);
            let found = network.heads().forward(&network.features_of_trunk(map));
            [found.boxes, found.logits]
        };
        video.into_iter().map(&mut step).collect()
    };
    let both: Vec<_> = (0..3).map(|_| frames::<Flex>(2, input)).collect();
    let together = run(both.clone());
    for row in 0..2 {
        let own = both.iter().map(|frames| frames.clone().narrow(0, row, 1));
        for (found, all) in run(own.collect()).into_iter().zip(&together) {
            for (found, all) in found.into_iter().zip(all) {
                let all = all.clone().narrow(0, row, 1);
                assert_eq!(found.into_data(), all.into_data());
            }
        }
    }
}
