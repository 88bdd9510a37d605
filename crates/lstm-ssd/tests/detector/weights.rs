//! Weights that do not fit are refused, and every tensor out of order is named.

use std::collections::BTreeMap;

use bottleneck_lstm::weights::Checkpoint;
use burn_flex::Flex;
use lstm_ssd::network::{Mismatch, MobileNetV2Ssd, MobileNetV2SsdConfig, WeightsError};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

fn config() -> MobileNetV2SsdConfig {
    MobileNetV2SsdConfig::new(2).with_input([32, 32])
}

/// The shapes of all tensors of the network.
fn shapes() -> BTreeMap<String, Vec<usize>> {
    let layers = config().layers();
    let tensors = layers.iter().flat_map(|layer| {
        [
            (
                format!("{}.weight", layer.name),
                layer.weight_shape().to_vec(),
            ),
            (format!("{}.bias", layer.name), vec![layer.channels[1]]),
        ]
    });
    tensors.collect()
}

fn load(
    shapes: &BTreeMap<String, Vec<usize>>,
    dtype: Dtype,
) -> Result<MobileNetV2Ssd<Flex>, WeightsError> {
    let zeros = vec![0; 8 << 20];
    let tensors = shapes.iter().map(|(name, shape)| {
        let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        (
            name,
            TensorView::new(dtype, shape.clone(), &zeros[..bytes]).unwrap(),
        )
    });
    let file = safetensors::serialize(tensors, None).unwrap();
    let checkpoint = Checkpoint::from_bytes(file).unwrap();
    MobileNetV2Ssd::from_checkpoint(&config(), &checkpoint, &Default::default())
}

fn mismatch(shapes: &BTreeMap<String, Vec<usize>>) -> Mismatch {
    match load(shapes, Dtype::F16) {
        Err(WeightsError::Mismatch(mismatch)) => *mismatch,
        other => panic!("expected a mismatch, found {:?}", other.err()),
    }
}

#[test]
fn a_file_with_all_tensors_loads() {
    load(&shapes(), Dtype::F16).unwrap();
    load(&shapes(), Dtype::F32).unwrap();
}

#[test]
fn every_tensor_out_of_order_is_named() {
    let mut shapes = shapes();
    for name in ["backbone.conv0.bias", "heads.5.cls.weight"] {
        shapes.remove(name).unwrap();
    }
    for name in ["backbone.conv0.scale", "memory.gates"] {
        shapes.insert(name.into(), vec![1]);
    }
    shapes.insert(
        "backbone.block3.depthwise.weight".into(),
        vec![144, 3, 3, 1],
    );
    shapes.insert("extras.0.reduce.bias".into(), vec![255]);
    let found = mismatch(&shapes);
    assert_eq!(found.missing, ["backbone.conv0.bias", "heads.5.cls.weight"]);
    assert_eq!(found.surplus, ["backbone.conv0.scale", "memory.gates"]);
    let expected = [
        (
            "backbone.block3.depthwise.weight".into(),
            vec![144, 1, 3, 3],
            vec![144, 3, 3, 1],
        ),
        ("extras.0.reduce.bias".into(), vec![256], vec![255]),
    ];
    assert_eq!(found.shapes, expected);
    let message = WeightsError::Mismatch(Box::new(found)).to_string();
    for part in [
        "missing tensors: backbone.conv0.bias, heads.5.cls.weight",
        "unknown tensors: backbone.conv0.scale, memory.gates",
        "tensor `extras.0.reduce.bias`: expected shape [256], found [255]",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn integers_are_no_weights() {
    let error = load(&shapes(), Dtype::I16).err().unwrap();
    assert!(error.to_string().contains("found I16"), "{error}");
}
