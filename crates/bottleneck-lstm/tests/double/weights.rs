//! 64-bit weights.

use bottleneck_lstm::BottleneckLstmConfig;
use bottleneck_lstm::weights::{
    Checkpoint, ElementType, from_pytorch, from_tensorflow, to_pytorch, to_tensorflow,
};
use burn::tensor::DType;
use burn_ndarray::NdArray;

use crate::fixtures::path;
use crate::steps::{HIDDEN, INPUT, difference, parameters};

type B = NdArray<f64>;

#[test]
fn sixty_four_bits_are_kept() {
    let device = Default::default();
    let folder = tempfile::tempdir().unwrap();
    let written = folder.path().join("cell.safetensors");
    let config = BottleneckLstmConfig::new(INPUT, HIDDEN);
    for (name, case) in [
        ("double.pt", "double"),
        ("double.safetensors", "double"),
        ("plain.pt", "plain"),
        ("half.pt", "half"),
        ("bfloat16.safetensors", "bfloat16"),
    ] {
        let cell = from_pytorch::<B>(&config, path(name), "", &device).unwrap();
        assert_eq!(cell.gates.val().dtype(), DType::F64);
        let difference = difference(&cell, case);
        assert!(difference < 1e-12, "{name}: {difference:e}");

        to_pytorch(&cell, &written).unwrap();
        let file = Checkpoint::open(&written).unwrap();
        for tensor in Checkpoint::open(path(name)).unwrap().tensors() {
            let found = file.get(tensor.name()).unwrap();
            assert_eq!(found.element_type(), ElementType::F64);
            assert_eq!(tensor.to_f64().unwrap(), found.to_f64().unwrap());
        }
        let loaded = from_pytorch::<B>(&config, &written, "", &device).unwrap();
        assert_eq!(parameters(&cell), parameters(&loaded));
    }

    for (case, groups) in [("tensorflow", 1), ("grouped", 2)] {
        let config = BottleneckLstmConfig::tensorflow(INPUT, HIDDEN).with_groups(groups);
        let file = path(&format!("{case}.safetensors"));
        let cell = from_tensorflow::<B>(&config, file, "", &device).unwrap();
        let difference = difference(&cell, case);
        assert!(difference < 1e-12, "{case}: {difference:e}");
        to_tensorflow(&cell, &written).unwrap();
        let loaded = from_tensorflow::<B>(&config, &written, "", &device).unwrap();
        assert_eq!(parameters(&cell), parameters(&loaded));
    }
}
