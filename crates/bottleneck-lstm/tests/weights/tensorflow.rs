//! Cells from and to TensorFlow's names and layouts.

use crate::fixtures::path;
use crate::steps::{HIDDEN, INPUT, difference, parameters};
use bottleneck_lstm::weights::{Checkpoint, WeightsError, from_tensorflow, to_tensorflow};
use bottleneck_lstm::{BottleneckLstm, BottleneckLstmConfig, LearnedState, Peephole};
use burn::module::Param;
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor};
use burn_flex::Flex;
use burn_ndarray::NdArray;

fn tensorflow() -> BottleneckLstmConfig {
    BottleneckLstmConfig::tensorflow(INPUT, HIDDEN)
}

fn loads_and_steps<B: Backend>() {
    for (case, config) in [
        ("tensorflow", tensorflow()),
        ("grouped", tensorflow().with_groups(2)),
    ] {
        let file = path(&format!("{case}.safetensors"));
        let cell: BottleneckLstm<B> =
            from_tensorflow(&config, file, "", &Default::default()).unwrap();
        let difference = difference(&cell, case);
        assert!(difference < 1e-6, "{case}: {difference:e}");
    }
}

#[test]
fn loads_and_steps_on_ndarray() {
    loads_and_steps::<NdArray>();
}

#[test]
fn loads_and_steps_on_flex() {
    loads_and_steps::<Flex>();
}

fn round_trips<B: Backend>() {
    let device = Default::default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cell.safetensors");
    let random = |tensor: &Param<Tensor<B, 1>>| {
        Param::from_tensor(Tensor::random(
            tensor.dims(),
            Distribution::Default,
            &device,
        ))
    };
    let base = BottleneckLstmConfig::tensorflow(3, 8);
    for config in [
        base.clone(),
        base.clone().with_groups(2).with_kernel_size(5),
        base.clone()
            .with_groups(4)
            .with_scale_state(true)
            .with_output_bottleneck(true),
        base.clone().with_groups(8),
        base.clone().with_carry_activated(true),
        base.clone()
            .with_learned_state(LearnedState::PerPosition([2, 5])),
        base.with_groups(4)
            .with_learned_state(LearnedState::PerPosition([3, 2])),
        BottleneckLstmConfig::paper(5, 2),
        BottleneckLstmConfig::paper(5, 4).with_groups(2),
    ] {
        let mut cell = config.init::<B>(&device);
        cell.bottleneck_bias = random(&cell.bottleneck_bias);
        cell.gates_bias = cell.gates_bias.as_ref().map(random);
        for state in [&mut cell.initial_cell, &mut cell.initial_hidden] {
            *state = state.as_ref().map(|state| {
                Param::from_tensor(Tensor::random(state.dims(), Distribution::Default, &device))
            });
        }
        to_tensorflow(&cell, &path).unwrap();
        let loaded = from_tensorflow::<B>(&config, &path, "", &device).unwrap();
        assert_eq!(parameters(&cell), parameters(&loaded), "{config}");
    }
}

#[test]
fn round_trips_on_ndarray() {
    round_trips::<NdArray>();
}

#[test]
fn round_trips_on_flex() {
    round_trips::<Flex>();
}

#[test]
fn a_written_file_has_the_bits_of_the_one_that_was_read() {
    let device = Default::default();
    let folder = tempfile::tempdir().unwrap();
    let written = folder.path().join("cell.safetensors");
    for (case, config) in [
        ("tensorflow", tensorflow()),
        ("grouped", tensorflow().with_groups(2)),
    ] {
        let original = Checkpoint::open(path(&format!("{case}.safetensors"))).unwrap();
        let cell =
            from_tensorflow::<Flex>(&config, path(&format!("{case}.safetensors")), "", &device);
        to_tensorflow(&cell.unwrap(), &written).unwrap();
        let found = Checkpoint::open(&written).unwrap();
        assert_eq!(original.len(), found.len());
        for (original, found) in original.tensors().zip(found.tensors()) {
            assert_eq!(
                (original.name(), original.shape()),
                (found.name(), found.shape())
            );
            assert_eq!(original.to_f32().unwrap(), found.to_f32().unwrap());
        }
    }
}

/// The grouped cell of TensorFlow with one group has the grouped names.
#[test]
fn one_group_may_have_either_names() {
    let device = Default::default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cell.safetensors");
    let original = std::fs::read(path("tensorflow.safetensors")).unwrap();
    // The names keep their lengths if the padding of the header gives way.
    let end = 8 + u64::from_le_bytes(original[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&original[8..end]).unwrap().trim_end();
    let header = header
        .replace("bottleneck/", "bottleneck_0/")
        .replace("gates/", "concat_conv_0/");
    let mut renamed = (header.len() as u64).to_le_bytes().to_vec();
    renamed.extend(header.as_bytes());
    renamed.extend(&original[end..]);
    std::fs::write(&file, renamed).unwrap();
    let config = tensorflow().with_carry_activated(true);
    let cell = from_tensorflow::<Flex>(&config, &file, "", &device).unwrap();
    let plain = path("tensorflow.safetensors");
    let plain = from_tensorflow::<Flex>(&config, plain, "", &device).unwrap();
    assert_eq!(parameters(&cell), parameters(&plain));
}

#[test]
fn a_cell_without_gate_bias_takes_zeros_only() {
    let device = Default::default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cell.safetensors");
    let paper = BottleneckLstmConfig::paper(INPUT, HIDDEN);
    to_tensorflow(&paper.init::<Flex>(&device), &file).unwrap();
    let biases = Checkpoint::open(&file)
        .unwrap()
        .get("gates/biases")
        .unwrap()
        .to_f32()
        .unwrap();
    assert_eq!(biases, [0.0; 4 * HIDDEN]);
    assert!(
        from_tensorflow::<Flex>(&paper, &file, "", &device)
            .unwrap()
            .gates_bias
            .is_none()
    );

    let file = path("tensorflow.safetensors");
    let error = from_tensorflow::<Flex>(&paper, file, "", &device).unwrap_err();
    assert!(matches!(error, WeightsError::NotRepresentable { .. }));
    assert!(
        error
            .to_string()
            .contains("tensor `gates/biases` is not zero"),
        "{error}"
    );
}

#[test]
fn keys_and_shapes_are_checked() {
    let device = Default::default();
    let load = |config: &BottleneckLstmConfig, prefix: &str| {
        from_tensorflow::<Flex>(config, path("tensorflow.safetensors"), prefix, &device)
            .map(|_| ())
            .unwrap_err()
    };
    let error = load(&tensorflow().with_groups(2), "");
    let WeightsError::Keys {
        missing, surplus, ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((missing.len(), surplus.len()), (12, 6));
    assert!(
        error
            .to_string()
            .contains("concat_conv_1/pointwise_weights"),
        "{error}"
    );
    let error = load(&BottleneckLstmConfig::tensorflow(INPUT, 8), "");
    let message =
        "tensor `bottleneck/depthwise_weights`: expected shape [3, 3, 11, 1], found [3, 3, 7, 1]";
    assert_eq!(error.to_string(), message);
    let error = load(&tensorflow(), "net/");
    assert!(matches!(error, WeightsError::Keys { missing, .. } if missing.len() == 6));
    let learned = tensorflow().with_learned_state(LearnedState::PerPosition([4, 4]));
    let error = load(&learned, "");
    assert!(matches!(error, WeightsError::Keys { missing, .. } if missing.len() == 2));
}

#[test]
fn other_variants_are_not_representable() {
    let device = Default::default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cell.safetensors");
    for config in [
        BottleneckLstmConfig::new(INPUT, HIDDEN),
        tensorflow().with_peephole(Peephole::PerChannel),
        tensorflow().with_learned_state(LearnedState::PerChannel),
    ] {
        let error = to_tensorflow(&config.init::<Flex>(&device), &file).unwrap_err();
        assert!(
            matches!(error, WeightsError::NotRepresentable { .. }),
            "{error}"
        );
        assert!(!file.exists());
        let plain = path("tensorflow.safetensors");
        let error = from_tensorflow::<Flex>(&config, plain, "", &device).unwrap_err();
        assert!(
            matches!(error, WeightsError::NotRepresentable { .. }),
            "{error}"
        );
    }
}
