//! The published detector: its cost, its layers, and its numbers on the reference frames.

use bottleneck_lstm::weights::Checkpoint;
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use burn_flex::Flex;
use lstm_ssd::detection::Postprocess;
use lstm_ssd::labels::OPEN_IMAGES;
use lstm_ssd::network::{MobileNetV2Ssd, MobileNetV2SsdConfig, Normalization};
use serde::Deserialize;

use super::shared;

pub fn config() -> MobileNetV2SsdConfig {
    MobileNetV2SsdConfig::new(24)
}

/// Tensors of the published detector's, where there is such data.
pub fn tensors(name: &str) -> Option<Checkpoint> {
    let file = shared::file(&format!("ssd_mobilenet_v2/{name}"))?;
    Some(Checkpoint::open(file).expect("a readable file"))
}

pub fn tensor<const D: usize>(checkpoint: &Checkpoint, name: &str) -> Tensor<Flex, D> {
    let view = checkpoint.get(name).expect(name);
    Tensor::from_data(view.to_data().unwrap(), &Default::default())
}

pub fn largest<const D: usize>(a: Tensor<Flex, D>, b: Tensor<Flex, D>) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b).abs().max().into_scalar()
}

#[test]
fn its_cost_is_that_of_the_published_network() {
    // Summed from the layers of the published file.
    let cost = config().cost();
    assert_eq!((cost.params, cost.macs), (4_951_996, 672_993_008));
    let network = config()
        .with_normalization(Normalization::Bias)
        .init::<Flex>(&Default::default());
    assert_eq!(network.num_params(), 4_951_996);
}

#[test]
fn its_layers_are_those_of_the_published_network() {
    #[derive(Deserialize)]
    struct Published {
        layers: Vec<PublishedLayer>,
    }
    #[derive(Deserialize)]
    struct PublishedLayer {
        name: String,
        r#type: String,
        stride: Option<[usize; 2]>,
        in_size: [usize; 2],
        out_size: [usize; 2],
        activation: String,
        weight_shape: Option<[usize; 4]>,
    }
    let Some(file) = shared::file("ssd_mobilenet_v2/layers.json") else {
        return;
    };
    let published: Published =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let layers = config().layers();
    let mut seen = 0;
    for expected in published
        .layers
        .iter()
        .filter(|layer| layer.r#type != "add")
    {
        let layer = layers.iter().find(|layer| layer.name == expected.name);
        let layer = layer.unwrap_or_else(|| panic!("{} is missing", expected.name));
        assert_eq!(
            layer.depthwise,
            expected.r#type == "depthwise",
            "{}",
            layer.name
        );
        assert_eq!(Some([layer.stride; 2]), expected.stride, "{}", layer.name);
        assert_eq!(layer.map, expected.in_size, "{}", layer.name);
        assert_eq!(layer.output(), expected.out_size, "{}", layer.name);
        assert_eq!(
            layer.activated,
            expected.activation == "relu6",
            "{}",
            layer.name
        );
        assert_eq!(
            Some(layer.weight_shape()),
            expected.weight_shape,
            "{}",
            layer.name
        );
        seen += 1;
    }
    assert_eq!(seen, layers.len());
}

#[test]
fn its_priors_are_the_published_ones() {
    let Some(file) = tensors("anchors.safetensors") else {
        return;
    };
    let expected = file.get("anchors").unwrap().to_f32().unwrap();
    let priors = config().priors().priors();
    assert_eq!(expected.len(), 4 * priors.len());
    for (prior, expected) in priors.iter().zip(expected.chunks_exact(4)) {
        for (found, expected) in [prior.cy, prior.cx, prior.h, prior.w].iter().zip(expected) {
            assert!((found - expected).abs() <= 1e-6, "{prior:?} {expected}");
        }
    }
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
    let maps = network.features(tensor(&reference, "input"));
    let predictions = network.heads().forward(&maps);
    for (name, found) in [
        ("boxes", predictions.boxes.clone()),
        ("logits", predictions.logits.clone()),
    ] {
        let difference = largest(found, tensor(&reference, name));
        assert!(difference <= 1e-3, "{name}: {difference}");
    }
    let name = "features.block13_expand";
    let difference = largest(maps[0].clone(), tensor(&reference, name));
    assert!(difference <= 1e-3, "{name}: {difference}");

    detections(
        &predictions.boxes.into_data(),
        &predictions.logits.into_data(),
    );
}

#[derive(Deserialize)]
struct Frame {
    clip: String,
    /// Label, score, ymin, xmin, ymax, xmax.
    detections: Vec<(String, f32, f32, f32, f32, f32)>,
}

pub fn detections(boxes: &TensorData, logits: &TensorData) {
    let Some(file) = shared::file("ssd_mobilenet_v2/detections.json") else {
        return;
    };
    let frames: Vec<Frame> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(frames.len(), 3);
    let priors = config().priors().priors();
    let boxes: Vec<f32> = boxes.iter::<f32>().collect();
    let logits: Vec<f32> = logits.iter::<f32>().collect();
    let rows = boxes
        .chunks_exact(4 * priors.len())
        .zip(logits.chunks_exact(24 * priors.len()));
    for (frame, (boxes, logits)) in frames.iter().zip(rows) {
        let found = Postprocess::default().detections(&priors, boxes, logits);
        assert_eq!(found.len(), frame.detections.len(), "{}", frame.clip);
        for (found, expected) in found.iter().zip(&frame.detections) {
            let (label, score, ymin, xmin, ymax, xmax) = expected;
            assert_eq!(OPEN_IMAGES[found.class], label);
            let bounds = found.bounds;
            for (found, expected) in [
                (found.score, score),
                (bounds.ymin, ymin),
                (bounds.xmin, xmin),
                (bounds.ymax, ymax),
                (bounds.xmax, xmax),
            ] {
                assert!(
                    (found - expected).abs() <= 1e-3,
                    "{}: {found} {expected}",
                    frame.clip
                );
            }
        }
    }
}
