//! A memory comes back from its file, and a file that is none is refused.

use std::collections::{BTreeMap, HashMap};

use bottleneck_lstm::weights::Checkpoint;
use burn::module::Module;
use burn::tensor::{Distribution, Tensor};
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use lstm_ssd::network::{
    FrameMemoryConfig, Memory, MemoryCard, MemoryConfig, MemoryFileError, fingerprint,
};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use super::memory::trained;

fn config() -> MemoryConfig {
    MemoryConfig::new().with_channels(5).with_hidden(4)
}

fn card() -> MemoryCard {
    let notes = [("data", "one clip"), ("licence", "CC0")];
    MemoryCard {
        detector: "00ff".into(),
        notes: notes.map(|(key, note)| (key.into(), note.into())).into(),
    }
}

/// A file's content.
fn saved(memory: &Memory<Flex>) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("memory.safetensors");
    memory.save(&path, &card()).unwrap();
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing temporary stays");
    std::fs::read(&path).unwrap()
}

fn error(content: &[u8]) -> MemoryFileError {
    let loaded = Memory::<Flex>::from_bytes(content, &Default::default());
    loaded.map(|_| ()).expect_err("refused")
}

/// The file's metadata and tensors, to be changed.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

fn changed(content: &[u8], change: impl FnOnce(&mut String, &mut Tensors)) -> Vec<u8> {
    let (_, header) = SafeTensors::read_metadata(content).unwrap();
    let mut metadata = header.metadata().clone().unwrap();
    let file = SafeTensors::deserialize(content).unwrap();
    let tensors = file.iter().map(|(name, view)| {
        let tensor = (view.shape().to_vec(), view.data().to_vec());
        (name.to_owned(), tensor)
    });
    let mut tensors: Tensors = tensors.collect();
    change(metadata.get_mut("memory").unwrap(), &mut tensors);
    let views = tensors.iter().map(|(name, (shape, bytes))| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        (name, view.unwrap())
    });
    serialize(views, Some(metadata)).unwrap()
}

#[test]
fn a_memory_comes_back_with_its_card() {
    let device = Default::default();
    let memory = trained(&config()).with_scale(Tensor::from([0.5, 1.0, 2.0, 3.0, 0.25]));
    let content = saved(&memory);
    assert_eq!(content, saved(&memory), "the same bytes");
    let (loaded, found) = Memory::<Flex>::from_bytes(&content, &device).unwrap();
    assert_eq!(found, card());
    assert_eq!(loaded.config(), config());

    let map = || Tensor::random([1, 5, 6, 7], Distribution::Normal(0.0, 2.0), &device);
    let (mut states, mut changed) = ([None, None], false);
    for x in [map(), map()] {
        let [y, expected] = [&loaded, &memory].map(|memory| {
            let slot = if std::ptr::eq(memory, &loaded) { 0 } else { 1 };
            let (y, state) = memory.step(x.clone(), states[slot].take());
            states[slot] = Some(state);
            y.to_data()
        });
        assert_eq!(y, expected);
        changed |= y != x.to_data();
    }
    assert!(changed, "a trained memory changes the map");
}

#[test]
fn so_does_its_part_in_front() {
    let device = Default::default();
    let frame = FrameMemoryConfig::new().with_patch(2).with_hidden(6);
    let memory = trained(&config().with_frame(Some(frame.clone())));
    let content = saved(&memory);
    let (loaded, _) = Memory::<Flex>::from_bytes(&content, &device).unwrap();
    assert_eq!(loaded.config(), config().with_frame(Some(frame)));
    let frame = || Tensor::random([1, 3, 6, 8], Distribution::Uniform(-1.0, -0.5), &device);
    let mut states = [None, None];
    for x in [frame(), frame()] {
        let [y, expected] = [0, 1].map(|slot| {
            let part = [&loaded, &memory][slot].frame().unwrap();
            let (y, state) = part.try_step(x.clone(), states[slot].take()).unwrap();
            states[slot] = Some(state);
            y.to_data()
        });
        assert_eq!(y, expected);
        assert_ne!(y, x.to_data());
    }
    let lost = changed(&content, |_, tensors| {
        tensors.remove("frame.light");
    });
    assert!(error(&lost).to_string().contains("frame.light"));
}

#[test]
fn a_memory_that_was_loaded_can_be_trained_on() {
    let device = Default::default();
    let content = saved(&trained(&config()));
    let (memory, _) = Memory::<Autodiff<Flex>>::from_bytes(&content, &device).unwrap();
    let map = Tensor::random([1, 2, 5, 6, 7], Distribution::Default, &device);
    let (y, _) = memory
        .try_forward_with(&bottleneck_lstm::Reference, map, None)
        .unwrap();
    let gradients = burn::optim::GradientsParams::from_grads(y.sum().backward(), &memory);
    // All but the scale.
    assert_eq!(gradients.len(), 15);
    assert!(memory.num_params() > 0);
}

#[test]
fn what_is_no_memory_is_refused() {
    let content = saved(&trained(&config()));
    let found = error(b"GIF89a, and so on").to_string();
    assert!(found.contains("expected a safetensors"), "{found}");
    let zero = [0; 4];
    let tensor = || TensorView::new(Dtype::F32, vec![1], &zero).unwrap();
    let plain = serialize([("a", tensor())], None).unwrap();
    let found = error(&plain).to_string();
    assert_eq!(
        found,
        "expected a memory, found a safetensors file without that entry in its metadata"
    );
    let metadata = HashMap::from([("memory".into(), "42".into())]);
    let other = serialize([("a", tensor())], Some(metadata)).unwrap();
    assert!(matches!(error(&other), MemoryFileError::NoMemory { .. }));
    for (from, to, expected) in [
        (
            "lstm-ssd memory",
            "bread",
            "expected a memory, found \"bread\"",
        ),
        (
            "\"version\":1",
            "\"version\":2",
            "the memory's format: expected version 1, found 2",
        ),
        (
            "block 12",
            "block 3",
            "the memory's placement: expected \"block 12\", found \"block 3\"",
        ),
        ("\"hidden\":4", "\"hidden\":0", "memory 0: hidden_channels"),
    ] {
        let changed = changed(&content, |metadata, _| {
            assert!(metadata.contains(from), "{metadata}");
            *metadata = metadata.replace(from, to);
        });
        let found = error(&changed).to_string();
        assert!(found.contains(expected), "{found}");
    }
    error(&content[..content.len() - 1]);
}

#[test]
fn every_tensor_out_of_order_is_named() {
    let content = saved(&trained(&config()));
    let content = changed(&content, |_, tensors| {
        tensors.remove("amount").unwrap();
        tensors.insert("cell.peephole".into(), (vec![1], vec![0; 4]));
        tensors.insert("scale".into(), (vec![2], vec![0; 8]));
    });
    let MemoryFileError::Mismatch(found) = error(&content) else {
        panic!("a mismatch");
    };
    assert_eq!(found.missing, ["amount"]);
    assert_eq!(found.surplus, ["cell.peephole"]);
    assert_eq!(found.shapes, [("scale".into(), vec![5], vec![2])]);
    // A size that no memory has room for is refused before it is made.
    let content = changed(&saved(&trained(&config())), |metadata, _| {
        *metadata = metadata.replace("\"channels\":5", "\"channels\":30000");
    });
    assert!(matches!(error(&content), MemoryFileError::Mismatch(_)));
}

#[test]
fn a_memory_knows_the_detector_that_it_was_trained_for() {
    // As float16 and as float32: the same weights.
    let file = |dtype: Dtype, value: u8| {
        let bytes = vec![value; 2 * dtype.bitsize() / 8];
        let zeros = vec![0; 2 * dtype.bitsize() / 8];
        let bytes = if value == 0 { zeros } else { bytes };
        let view = TensorView::new(dtype, vec![2], &bytes).unwrap();
        let content = serialize([("heads.bias", view)], None).unwrap();
        fingerprint(&Checkpoint::from_bytes(content).unwrap()).unwrap()
    };
    let print = file(Dtype::F32, 0);
    assert_eq!(print.len(), 64);
    assert_eq!(print, file(Dtype::F16, 0));
    let other = file(Dtype::F32, 1);
    assert_ne!(print, other);
    let card = MemoryCard {
        detector: print.clone(),
        ..card()
    };
    card.check_detector(&print).unwrap();
    let found = card.check_detector(&other).unwrap_err();
    assert!(matches!(found, MemoryFileError::OtherDetector { .. }));
    assert!(found.to_string().contains(&print), "{found}");
}

#[test]
fn a_file_that_cannot_be_written_or_read_is_named() {
    let memory = config().try_init::<Flex>(&Default::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent").join("memory.safetensors");
    let found = memory.save(&path, &card()).unwrap_err().to_string();
    assert!(
        found.starts_with("cannot write") && found.contains("absent"),
        "{found}"
    );
    let found = Memory::<Flex>::load(&path, &Default::default()).unwrap_err();
    assert!(found.to_string().contains("absent"), "{found}");
}
