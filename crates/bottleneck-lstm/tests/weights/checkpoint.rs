//! Every form in which a file holds tensors, read without a cell.

use bottleneck_lstm::weights::{Checkpoint, ElementType, Format, TensorView, WeightsError};

use crate::fixtures::path;

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(path(name)).unwrap()
}

fn bits(view: &TensorView<'_>) -> Vec<u64> {
    view.to_f64()
        .unwrap()
        .into_iter()
        .map(f64::to_bits)
        .collect()
}

#[test]
fn the_format_is_told_from_the_content() {
    let folder = tempfile::tempdir().unwrap();
    for (name, format) in [
        ("plain.safetensors", Format::SafeTensors),
        ("plain.pt", Format::PyTorch),
        ("plain.pth", Format::PyTorch),
    ] {
        let misnamed = folder.path().join("weights.txt");
        std::fs::copy(path(name), &misnamed).unwrap();
        assert_eq!(Checkpoint::open(misnamed).unwrap().format(), format);
    }
}

#[test]
fn every_form_of_the_same_weights_has_the_same_bits() {
    let expected = open("plain.safetensors");
    assert_eq!(expected.len(), 9);
    for name in [
        "plain.pt",
        "plain.pth",
        "protocol4.pt",
        "protocol5.pth",
        "views.pt",
        "views.pth",
    ] {
        let found = open(name);
        assert_eq!(found.len(), 9, "{name}");
        for (expected, found) in expected.tensors().zip(found.tensors()) {
            assert_eq!(expected.name(), found.name());
            assert_eq!(expected.shape(), found.shape());
            assert_eq!(found.element_type(), ElementType::F32);
            assert_eq!(bits(&expected), bits(&found), "{name}: {found:?}");
        }
    }
}

#[test]
fn a_training_checkpoint_is_flattened_to_its_tensors() {
    let expected = open("plain.safetensors");
    for name in ["training.pt", "training.pth"] {
        let checkpoint = open(name);
        let scope = checkpoint.scope("state_dict.pred_decoder.bottleneck_lstm1.cell.");
        assert_eq!(scope.keys().count(), 9);
        for tensor in expected.tensors() {
            assert_eq!(bits(&tensor), bits(&scope.get(tensor.name()).unwrap()));
        }
        let mut others: Vec<_> = checkpoint
            .tensors()
            .map(|tensor| tensor.name().to_owned())
            .filter(|name| !name.starts_with(scope.prefix()))
            .collect();
        others.sort();
        let encoder = "state_dict.pred_encoder.";
        let names = ["conv.weight", "norm.num_batches_tracked"].map(|key| encoder.to_owned() + key);
        assert_eq!(others, names);
    }
}

#[test]
fn narrow_and_wide_elements_are_exact() {
    for (name, element) in [
        ("half", ElementType::F16),
        ("bfloat16", ElementType::BF16),
        ("double", ElementType::F64),
    ] {
        let (pickled, flat) = (
            open(&format!("{name}.pt")),
            open(&format!("{name}.safetensors")),
        );
        for (pickled, flat) in pickled.tensors().zip(flat.tensors()) {
            assert_eq!(
                (pickled.element_type(), flat.element_type()),
                (element, element)
            );
            assert_eq!(bits(&pickled), bits(&flat));
            let rounded: Vec<f32> = flat.to_f64().unwrap().iter().map(|v| *v as f32).collect();
            assert_eq!(rounded, pickled.to_f32().unwrap());
        }
    }
    let weights = open("double.pt").get("W.bias").unwrap().to_f64().unwrap();
    assert!(
        weights
            .iter()
            .any(|value| f64::from(*value as f32) != *value)
    );
}

#[test]
fn tensors_of_every_kind_are_listed_and_floats_can_be_read() {
    for name in ["kinds.pt", "kinds.pth"] {
        let checkpoint = open(name);
        let values = |name: &str| checkpoint.get(name).unwrap().to_f32();
        assert_eq!(checkpoint.get("empty").unwrap().shape(), [0, 3]);
        assert_eq!(values("empty").unwrap(), [0.0; 0]);
        assert_eq!(checkpoint.get("scalar").unwrap().shape(), [0; 0]);
        assert_eq!(values("scalar").unwrap(), [2.5]);
        assert_eq!(checkpoint.get("repeated").unwrap().shape(), [2, 3]);
        assert_eq!(values("repeated").unwrap(), [1.5; 6]);
        assert_eq!(values("parameter").unwrap(), [1.0, 2.0]);
        assert_eq!(values("stateful").unwrap(), [3.0]);
        assert_eq!(values("step").unwrap(), [2.0, 6.0]);
        for (name, text) in [
            ("bool", "Bool"),
            ("int8", "I8"),
            ("uint16", "U16"),
            ("complex", "C64"),
            ("float8", "F8E4M3"),
        ] {
            let error = values(name).unwrap_err();
            assert!(matches!(&error, WeightsError::ElementType { key, .. } if key == name));
            let message =
                format!("tensor `{name}`: expected floating-point elements, found {text}");
            assert_eq!(error.to_string(), message);
        }
    }
}

#[test]
fn dimensions_change_places() {
    let checkpoint = open("plain.pt");
    let weight = checkpoint.get("Wy.weight").unwrap();
    assert_eq!(weight.shape(), [4, 7, 1, 1]);
    let turned = weight.permute(&[1, 2, 0, 3]);
    assert_eq!(turned.shape(), [7, 1, 4, 1]);
    let (values, turned) = (weight.to_f32().unwrap(), turned.to_f32().unwrap());
    for row in 0..4 {
        for column in 0..7 {
            assert_eq!(values[row * 7 + column], turned[column * 4 + row]);
        }
    }
}

#[test]
fn a_pickle_that_would_execute_something_is_an_error_that_names_it() {
    for name in ["executes.pt", "executes.pth"] {
        match Checkpoint::open(path(name)) {
            Err(WeightsError::ForbiddenGlobal { name }) => assert_eq!(name, "posix.system"),
            other => panic!("{name}: {other:?}"),
        }
    }
    match Checkpoint::open(path("module.pt")) {
        Err(WeightsError::ForbiddenGlobal { name }) => assert_eq!(name, "__main__.Cell"),
        other => panic!("{other:?}"),
    }
    let error = Checkpoint::open(path("executes.pkl")).unwrap_err();
    assert!(
        matches!(error, WeightsError::ForbiddenGlobal { .. }),
        "{error}"
    );
}

#[test]
fn what_is_no_file_of_weights_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = Checkpoint::open(folder.path().join("absent.pt")).unwrap_err();
    assert!(matches!(error, WeightsError::Io { .. }));
    assert!(error.to_string().contains("absent.pt"), "{error}");
    let error = Checkpoint::open(folder.path()).unwrap_err();
    assert!(matches!(error, WeightsError::Io { .. }), "{error}");

    // A hole in a file takes no room on the disk.
    let large = folder.path().join("large.pt");
    std::fs::File::create(&large)
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    match Checkpoint::open(&large) {
        Err(WeightsError::TooLarge { found, .. }) => assert_eq!(found, 1 << 40),
        other => panic!("{other:?}"),
    }

    for (content, found) in [
        (&b""[..], "an empty file"),
        (
            b"GIF89a",
            "6 bytes that begin with [47, 49, 46, 38, 39, 61]",
        ),
    ] {
        let error = Checkpoint::from_bytes(content).unwrap_err();
        let message = format!("expected a safetensors or PyTorch file, found {found}");
        assert_eq!(error.to_string(), message);
    }
}
