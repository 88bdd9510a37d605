//! Cells from and to PyTorch's names, compared with PyTorch's own numbers.

use std::path::Path;

use crate::fixtures::path;
use crate::steps::{HIDDEN, INPUT, SPATIAL, difference, parameters};
use bottleneck_lstm::weights::{Checkpoint, WeightsError, from_pytorch, to_pytorch};
use bottleneck_lstm::{
    Activation, BottleneckLstm, BottleneckLstmConfig, BottleneckLstmState, Depthwise, LearnedState,
    Peephole,
};
use burn::module::Param;
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use burn_ndarray::NdArray;

const NETWORK: &str = "state_dict.pred_decoder.bottleneck_lstm1.cell.";

fn config() -> BottleneckLstmConfig {
    BottleneckLstmConfig::new(INPUT, HIDDEN)
}

fn load<B: Backend>(
    config: &BottleneckLstmConfig,
    name: &str,
    prefix: &str,
) -> Result<BottleneckLstm<B>, WeightsError> {
    from_pytorch(config, path(name), prefix, &Default::default())
}

fn loads_and_steps<B: Backend>() {
    for name in [
        "plain.safetensors",
        "plain.pt",
        "plain.pth",
        "protocol4.pt",
        "protocol5.pth",
        "views.pt",
        "views.pth",
        "zero_peephole.pt",
    ] {
        let cell = load::<B>(&config(), name, "").unwrap();
        let difference = difference(&cell, "plain");
        assert!(difference < 1e-6, "{name}: {difference:e}");
    }
    for name in ["training.pt", "training.pth"] {
        let cell = load::<B>(&config(), name, NETWORK).unwrap();
        assert!(difference(&cell, "plain") < 1e-6, "{name}");
    }
    for case in ["half", "bfloat16", "double"] {
        for extension in ["pt", "safetensors"] {
            let cell = load::<B>(&config(), &format!("{case}.{extension}"), "").unwrap();
            assert!(difference(&cell, case) < 1e-6, "{case}");
        }
    }
    for (case, peephole) in [
        ("channel", Peephole::PerChannel),
        ("position", Peephole::PerPosition(SPATIAL)),
    ] {
        let config = config().with_peephole(peephole);
        let cell = load::<B>(&config, &format!("{case}.pt"), "").unwrap();
        assert!(difference(&cell, case) < 1e-6, "{case}");
        // The public code's own checkpoints have no peepholes.
        let cell = load::<B>(&config, "plain.pt", "").unwrap();
        assert!(difference(&cell, "plain") < 1e-6, "{case}");
        assert!(cell.peephole_output.is_some());
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

fn configurations() -> Vec<BottleneckLstmConfig> {
    let base = BottleneckLstmConfig::new(5, 6);
    vec![
        base.clone(),
        base.clone().with_kernel_size(1),
        base.clone().with_kernel_size(5),
        base.clone().with_peephole(Peephole::PerChannel),
        base.with_peephole(Peephole::PerPosition([2, 3])),
        BottleneckLstmConfig::new(1, 2),
    ]
}

fn round_trips<B: Backend>() {
    let device = Default::default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cell.safetensors");
    for config in configurations() {
        let mut cell = config.init::<B>(&device);
        // Zeros of both signs, the smallest and largest numbers, and a NaN with a payload.
        let odd = [
            0.0,
            -0.0,
            f32::from_bits(1),
            f32::MAX,
            f32::from_bits(0x7fc1_2345),
            1.0,
        ];
        let bias = TensorData::new(
            odd[..config.hidden_channels].to_vec(),
            [config.hidden_channels],
        );
        cell.bottleneck_bias = Param::from_tensor(Tensor::from_data(bias, &device));
        if let Some(peephole) = &mut cell.peephole_forget {
            let random = Tensor::random(peephole.dims(), Distribution::Default, &device);
            *peephole = Param::from_tensor(random);
        }
        to_pytorch(&cell, &path).unwrap();
        let loaded = from_pytorch::<B>(&config, &path, "", &device).unwrap();
        assert_eq!(parameters(&cell), parameters(&loaded), "{config}");
        assert_eq!(loaded.config(), &config);

        let first = std::fs::read(&path).unwrap();
        to_pytorch(&loaded, &path).unwrap();
        assert_eq!(first, std::fs::read(&path).unwrap());
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no temporary file is left"
    );
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
    let folder = tempfile::tempdir().unwrap();
    let written = folder.path().join("cell.safetensors");
    let cell = load::<Flex>(&config(), "views.pt", "").unwrap();
    to_pytorch(&cell, &written).unwrap();
    let (expected, found) = (path("plain.pt"), Checkpoint::open(written).unwrap());
    for tensor in Checkpoint::open(expected).unwrap().tensors() {
        let found = found.get(tensor.name()).unwrap();
        assert_eq!(tensor.shape(), found.shape());
        assert_eq!(tensor.to_f32().unwrap(), found.to_f32().unwrap());
    }
    assert_eq!(found.len(), 9);
}

/// `xtask/reference/checkpoints.py --check` loads what this leaves into PyTorch.
#[test]
fn leaves_a_file_for_pytorch_to_check() {
    let device = Default::default();
    let config = BottleneckLstmConfig::new(5, 6).with_peephole(Peephole::PerPosition([3, 4]));
    let mut cell = config.init::<Flex>(&device);
    let draw = |shape| Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device);
    for peephole in [
        &mut cell.peephole_input,
        &mut cell.peephole_forget,
        &mut cell.peephole_output,
    ] {
        let dims = peephole.as_ref().unwrap().dims();
        let random = Tensor::random(dims, Distribution::Normal(0.0, 1.0), &device);
        *peephole = Some(Param::from_tensor(random));
    }
    let x: Tensor<Flex, 4> = draw([2, 5, 3, 4]);
    let start = BottleneckLstmState::new(draw([2, 6, 3, 4]), draw([2, 6, 3, 4]));
    let end = cell.step(x.clone(), Some(start.clone()));

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    to_pytorch(&cell, folder.join("to_pytorch.safetensors")).unwrap();
    let tensors = [
        ("x", x),
        ("cell0", start.cell),
        ("hidden0", start.hidden),
        ("cell1", end.cell),
        ("hidden1", end.hidden),
    ]
    .map(|(name, tensor)| (name, tensor.into_data()));
    let views = tensors.iter().map(|(name, data)| {
        let shape = data.shape.iter().copied().collect();
        let dtype = safetensors::Dtype::F32;
        (
            *name,
            safetensors::tensor::TensorView::new(dtype, shape, data.as_bytes()).unwrap(),
        )
    });
    let step = folder.join("to_pytorch-step.safetensors");
    safetensors::serialize_to_file(views, None, &step).unwrap();
    assert_eq!(Checkpoint::open(step).unwrap().len(), 5);
}

#[test]
fn every_missing_and_surplus_key_is_named() {
    let error = load::<Flex>(&config(), "training.pt", "state_dict.").unwrap_err();
    let WeightsError::Keys {
        missing,
        surplus,
        elsewhere,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(missing.len(), 9);
    assert!(missing.contains(&"state_dict.Wbo.weight".to_owned()));
    assert_eq!(surplus.len(), 11);
    assert!(surplus.contains(&"state_dict.pred_encoder.conv.weight".to_owned()));
    assert_eq!(elsewhere.as_deref(), Some(NETWORK));
    let message = error.to_string();
    for name in missing.iter().chain(surplus) {
        assert!(message.contains(name.as_str()), "{message}");
    }
    assert!(message.contains(&format!("`{NETWORK}`")), "{message}");

    // The separator is part of the prefix.
    let error = load::<Flex>(&config(), "training.pt", NETWORK.trim_end_matches('.'));
    let Err(WeightsError::Keys {
        missing, surplus, ..
    }) = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!((missing.len(), surplus.len()), (9, 9));

    let error = load::<Flex>(&config(), "tensorflow.safetensors", "").unwrap_err();
    let WeightsError::Keys {
        missing,
        surplus,
        elsewhere,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((missing.len(), surplus.len(), elsewhere), (9, 6, &None));
}

#[test]
fn shapes_and_element_types_are_checked() {
    let error = load::<Flex>(&BottleneckLstmConfig::new(INPUT, 6), "plain.pt", "").unwrap_err();
    assert_eq!(
        error.to_string(),
        "tensor `Wy.weight`: expected shape [6, 9, 1, 1], found [4, 7, 1, 1]"
    );
    let error = load::<Flex>(&config().with_kernel_size(5), "plain.pt", "").unwrap_err();
    assert!(matches!(error, WeightsError::Shape { key, .. } if key == "W.weight"));
    let error = load::<Flex>(&config(), "integer.pt", "").unwrap_err();
    let message = "tensor `Wy.bias`: expected floating-point elements, found I64";
    assert_eq!(error.to_string(), message);

    let position = config().with_peephole(Peephole::PerPosition(SPATIAL));
    let error = load::<Flex>(&position, "channel.pt", "").unwrap_err();
    let message = "tensor `Wci`: expected shape [1, 4, 4, 5], found [1, 4, 1, 1]";
    assert_eq!(error.to_string(), message);
    let error = load::<Flex>(&config(), "position.pt", "").unwrap_err();
    assert!(matches!(error, WeightsError::NotRepresentable { .. }));
    assert!(
        error.to_string().contains("tensor `Wci` is not zero"),
        "{error}"
    );
}

#[test]
fn a_configuration_is_checked_before_the_file() {
    let odd = BottleneckLstmConfig::new(INPUT, 5);
    let error = load::<Flex>(&odd, "absent.pt", "").unwrap_err();
    assert!(matches!(error, WeightsError::Config(_)));
    assert_eq!(error.to_string(), odd.validate().unwrap_err().to_string());
    let huge = BottleneckLstmConfig::new(usize::MAX, 1 << 40);
    assert!(matches!(
        load::<Flex>(&huge, "absent.pt", ""),
        Err(WeightsError::Config(_))
    ));
}

#[test]
fn other_variants_are_not_representable() {
    let device = Default::default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cell.safetensors");
    let base = config();
    for config in [
        BottleneckLstmConfig::paper(INPUT, HIDDEN),
        BottleneckLstmConfig::tensorflow(INPUT, HIDDEN),
        BottleneckLstmConfig::tensorflow(INPUT, HIDDEN).with_groups(2),
        base.clone().with_depthwise(Depthwise::InputAndHidden),
        base.clone().with_activation(Activation::Relu6),
        base.clone().with_bottleneck_activation(Activation::Relu),
        base.clone().with_gate_bias(true),
        base.clone().with_forget_bias(1.0),
        base.clone().with_clip_state(6.0),
        base.clone().with_scale_state(true),
        base.clone().with_carry_activated(true),
        base.clone().with_output_bottleneck(true),
        base.with_learned_state(LearnedState::PerChannel),
    ] {
        let error = to_pytorch(&config.init::<Flex>(&device), &file).unwrap_err();
        assert!(
            matches!(error, WeightsError::NotRepresentable { .. }),
            "{config}: {error}"
        );
        assert!(!file.exists());
        let error = load::<Flex>(&config, "plain.pt", "").unwrap_err();
        assert!(
            matches!(error, WeightsError::NotRepresentable { .. }),
            "{config}: {error}"
        );
    }
}

#[test]
fn a_file_that_cannot_be_written_leaves_the_old_one() {
    let device = Default::default();
    let folder = tempfile::tempdir().unwrap();
    let cell = config().init::<Flex>(&device);
    let file = folder.path().join("absent").join("cell.safetensors");
    let error = to_pytorch(&cell, &file).unwrap_err();
    assert!(matches!(&error, WeightsError::Io { path, .. } if *path == file));

    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("something"), "kept").unwrap();
    assert!(matches!(
        to_pytorch(&cell, &taken),
        Err(WeightsError::Io { .. })
    ));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read(taken.join("something")).unwrap(), b"kept");
}

#[test]
fn loaded_parameters_train() {
    let cell = load::<Autodiff<Flex>>(&config(), "plain.pt", "").unwrap();
    let x = Tensor::ones([1, INPUT, 4, 4], &Default::default());
    let state = cell.step(x.clone(), None);
    let gradients = cell.step(x, Some(state)).hidden.sum().backward();
    for gradient in [
        cell.depthwise.grad(&gradients),
        cell.bottleneck.grad(&gradients),
        cell.bottleneck_depthwise.grad(&gradients),
        cell.gates.grad(&gradients),
    ] {
        assert!(gradient.unwrap().abs().sum().into_scalar() > 0.0);
    }
    let bias = cell
        .depthwise_bias
        .as_ref()
        .unwrap()
        .grad(&gradients)
        .unwrap();
    assert!(bias.abs().sum().into_scalar() > 0.0);
}
