//! The detector through the CPU runner: against Burn's own operations, and against the interpreter.

use bottleneck_lstm_ndarray::{CpuRunner, Instructions};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, ElementConversion, Tensor};
use burn_flex::Flex;
use burn_ndarray::NdArray;
use lstm_ssd::network::{MobileNetV2Ssd, MobileNetV2SsdConfig, Normalization, SsdRunner};

use super::mobilenet_v2::{config, detections, largest, tensor, tensors};

/// Fresh weights; running statistics and biases are as if it had been trained.
pub fn network<B: Backend>(normalization: Normalization, input: [usize; 2]) -> MobileNetV2Ssd<B> {
    struct Trained;
    impl<B: Backend> ModuleMapper<B> for Trained {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            if D > 1 {
                return param;
            }
            let (id, tensor, mapper) = param.consume();
            let noise = tensor.random_like(Distribution::Uniform(0.0, 0.2));
            Param::from_mapped_value(id, tensor + noise, mapper)
        }
    }
    MobileNetV2SsdConfig::new(5)
        .with_input(input)
        .with_normalization(normalization)
        .init::<B>(&Default::default())
        .map(&mut Trained)
}

pub fn frames<B: Backend>(batch: usize, [height, width]: [usize; 2]) -> Tensor<B, 4> {
    let uniform = Distribution::Uniform(-1.0, 1.0);
    Tensor::random([batch, 3, height, width], uniform, &Default::default())
}

fn it_computes_what_burn_does<B: Backend>(input: [usize; 2]) {
    for normalization in [Normalization::Bias, Normalization::Batch] {
        let network = network::<B>(normalization, input);
        let frames = frames::<B>(2, input);
        let expected = network.forward(frames.clone());
        for instructions in Instructions::available() {
            let runner = CpuRunner::new().with_instructions(instructions);
            let mut runner = SsdRunner::new(&network, &runner).unwrap();
            let found = runner.forward(frames.clone()).unwrap();
            for (found, expected) in [
                (found.boxes, expected.boxes.clone()),
                (found.logits, expected.logits.clone()),
            ] {
                // Each layer is within 1e-5, as the runner's own tests see to; rounding adds up over sixty.
                let largest = expected.clone().abs().max().into_scalar().elem::<f32>();
                let apart = (found - expected).abs().max().into_scalar().elem::<f32>();
                assert!(
                    apart <= 1e-4 * largest,
                    "{normalization:?}, {instructions:?}: {apart} of {largest}"
                );
            }
        }
    }
}

#[test]
fn it_computes_what_burn_does_on_flex() {
    it_computes_what_burn_does::<Flex>([96, 75]);
    it_computes_what_burn_does::<Flex>([33, 64]);
}

#[test]
fn it_computes_what_burn_does_on_ndarray() {
    it_computes_what_burn_does::<NdArray>([41, 32]);
}

#[test]
fn threads_change_no_bit() {
    let network = network::<Flex>(Normalization::Bias, [90, 77]);
    let frame: Vec<f32> = frames::<Flex>(1, [90, 77]).into_data().to_vec().unwrap();
    let mut by_one = None;
    for threads in 1..=5 {
        let runner = CpuRunner::new().with_threads(threads);
        let mut runner = SsdRunner::new(&network, &runner).unwrap();
        let numbers = runner.run(&frame).unwrap();
        let bits: Vec<u32> = [numbers.boxes, numbers.logits]
            .concat()
            .into_iter()
            .map(f32::to_bits)
            .collect();
        assert_eq!(*by_one.get_or_insert_with(|| bits.clone()), bits);
    }
}

#[test]
fn another_frame_is_refused() {
    let network = network::<Flex>(Normalization::Bias, [32, 40]);
    let mut runner = SsdRunner::new(&network, &CpuRunner::new()).unwrap();
    let error = runner.run(&[0.0; 7]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the frame: expected 3840 values, found 7"
    );
    let error = runner.forward(frames::<Flex>(1, [32, 41])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "frames: expected 40 width, found 41 (shape [1, 3, 32, 41])"
    );
}

#[test]
fn outputs_and_detections_are_those_of_the_interpreter() {
    let Some(weights) = tensors("ssd_mobilenet_v2.safetensors") else {
        return;
    };
    let Some(reference) = tensors("reference.safetensors") else {
        return;
    };
    let network =
        MobileNetV2Ssd::<Flex>::from_checkpoint(&config(), &weights, &Default::default()).unwrap();
    for instructions in Instructions::available() {
        let runner = CpuRunner::new().with_instructions(instructions);
        let mut runner = SsdRunner::new(&network, &runner).unwrap();
        let found = runner.forward(tensor::<4>(&reference, "input")).unwrap();
        for (name, found) in [("boxes", &found.boxes), ("logits", &found.logits)] {
            let difference = largest(found.clone(), tensor(&reference, name));
            assert!(difference <= 1e-3, "{instructions:?}, {name}: {difference}");
        }
        detections(&found.boxes.into_data(), &found.logits.into_data());
    }
}
