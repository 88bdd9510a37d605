//! Memories are trained, on generated videos and a detector of random weights that sees little pictures.

mod scene;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use bottleneck_lstm_ndarray::CpuRunner;
use burn::module::{AutodiffModule, Module};
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use lstm_ssd::network::{FrameMemory, Memory, MemoryCard, MemoryConfig, MobileNetV2Ssd};
use lstm_ssd::training::{
    Footage, Frozen, Maps, MapsConfig, Student, Trainer, TrainingConfig, TrainingError, View,
    evaluate,
};
use lstm_ssd::truth::GroundTruth;

use scene::{detector, video};

type B = Autodiff<Flex>;

/// Nobody presses Ctrl-C.
static GO_ON: AtomicBool = AtomicBool::new(false);

fn config(seed: u64, clips: usize) -> MapsConfig {
    MapsConfig {
        seed,
        clips,
        copies: 1,
        class: None,
    }
}

fn footage(folder: &Path) -> Footage {
    let mut footage = Footage::new();
    let added = footage.add_video(video(folder), None, |_| {}, &GO_ON);
    assert!(added.unwrap());
    footage
}

fn frozen<'a>(detector: &'a MobileNetV2Ssd<Flex>, fingerprint: &'a str) -> Frozen<'a, Flex> {
    Frozen {
        detector,
        fingerprint,
    }
}

/// The maps of footage by a detector, in a folder.
fn maps(folder: &Path, footage: &Footage, config: &MapsConfig) -> Result<Maps, TrainingError> {
    view(folder, footage, config, MAPS)
}

/// The map of frames as they are.
const MAPS: View<'_> = View::Maps { frame: None };

fn view(
    folder: &Path,
    footage: &Footage,
    config: &MapsConfig,
    view: View<'_>,
) -> Result<Maps, TrainingError> {
    let detector = detector::<Flex>();
    let maps = Maps::prepare(
        folder,
        frozen(&detector, "d0"),
        footage,
        config,
        view,
        |_| {},
        &GO_ON,
    )?;
    Ok(maps.expect("nobody stops it"))
}

fn frame_trainer(iterations: usize, frames: &Maps) -> Trainer<B, CpuRunner, FrameMemory<B>> {
    let config = TrainingConfig {
        iterations,
        hidden: 8,
        ..TrainingConfig::of_frames()
    };
    let (runner, device) = (CpuRunner::new(), Default::default());
    Trainer::of_frames(config, frames.clone(), detector(), runner, device).unwrap()
}

fn trainer(iterations: usize, maps: &Maps) -> Trainer<B, CpuRunner> {
    let config = TrainingConfig {
        iterations,
        hidden: 8,
        rate: 0.005,
        ..TrainingConfig::default()
    };
    let runner = CpuRunner::new();
    Trainer::new(config, maps.clone(), detector(), runner, Default::default()).unwrap()
}

/// A memory's file.
fn saved(memory: &Memory<Flex>, folder: &Path) -> Vec<u8> {
    let path = folder.join("memory.safetensors");
    memory.save(&path, &MemoryCard::default()).unwrap();
    std::fs::read(path).unwrap()
}

/// The files of a folder, and when they were written.
fn files(folder: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let written = entry.metadata().unwrap().modified().unwrap();
        let content = std::fs::read(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), (content, written))
    });
    entries.collect()
}

#[test]
fn a_memory_learns_what_helps_on_clips_that_it_has_not_seen() {
    let folder = tempfile::tempdir().unwrap();
    let footage = footage(folder.path());
    let learned = maps(&folder.path().join("learned"), &footage, &config(1, 8)).unwrap();
    let unseen = maps(&folder.path().join("unseen"), &footage, &config(2, 4)).unwrap();

    let mut trainer = trainer(100, &learned);
    let loss = |trainer: &Trainer<B, CpuRunner>| {
        let memory = trainer.memory();
        evaluate(&memory, &unseen, &CpuRunner::new(), &Default::default()).unwrap()
    };
    let [shown, untrained] = loss(&trainer);
    assert!((shown - untrained).abs() < 1e-9, "{shown} {untrained}");
    while !trainer.is_done() {
        trainer.step().unwrap();
    }
    let [_, trained] = loss(&trainer);
    assert!(trained < 0.95 * shown, "{trained} of {shown}");
    let steps = trainer.steps();
    assert!(steps[0].detection.is_none() && steps[99].detection.is_some());
}

#[test]
fn a_frame_memory_learns_what_helps_on_clips_that_it_has_not_seen() {
    let folder = tempfile::tempdir().unwrap();
    let footage = footage(folder.path());
    let frames = |name: &str, config| {
        view(&folder.path().join(name), &footage, &config, View::Frames).unwrap()
    };
    let (learned, unseen) = (
        frames("learned", config(1, 4)),
        frames("unseen", config(2, 2)),
    );
    assert_eq!(learned.map(), [48, 16, 16]);
    let mut trainer = frame_trainer(40, &learned);
    let loss = |trainer: &Trainer<B, CpuRunner, FrameMemory<B>>| {
        let memory = trainer.memory();
        evaluate(&memory, &unseen, &CpuRunner::new(), &Default::default()).unwrap()
    };
    let [shown, untrained] = loss(&trainer);
    assert!((shown - untrained).abs() < 1e-9, "{shown} {untrained}");
    while !trainer.is_done() {
        trainer.step().unwrap();
    }
    let [_, trained] = loss(&trainer);
    assert!(trained < 0.9 * shown, "{trained} of {shown}");

    // What it makes of frames is what the part behind block 12 learns from.
    let frame = trainer.memory();
    let maps = |name: &str, frame| {
        let folder = folder.path().join(name);
        let view_of = View::Maps { frame };
        view(&folder, &footage, &config(1, 2), view_of).unwrap();
        files(&folder)["00000.f16"].0.clone()
    };
    let (repaired, alone) = (maps("repaired", Some(&frame)), maps("alone", None));
    // Sixteen maps of 96 channels on 4 by 4 cells.
    let part = 2 * 16 * 96 * 4 * 4;
    assert_eq!(
        repaired.len(),
        alone.len() + part,
        "undamaged ones as they are shown"
    );
    assert_eq!(repaired[..part], alone[..part], "what they should be");
    assert_ne!(repaired[part..2 * part], alone[part..2 * part]);
    let untrained = frame_trainer(1, &learned).memory();
    let as_before = maps("untrained", Some(&untrained));
    assert_eq!(as_before[..2 * part], alone[..2 * part]);
    assert_eq!(as_before[2 * part..3 * part], alone[..part]);

    let behind = view(
        &folder.path().join("repaired"),
        &footage,
        &config(1, 2),
        View::Maps {
            frame: Some(&frame),
        },
    );
    let step = self::trainer(1, &behind.unwrap()).step().unwrap();
    assert!(step.features.is_finite());
}

/// A training of six iterations as a whole; of three; and from there to its end.
fn interrupted<S>(
    folder: &Path,
    start: impl Fn() -> Trainer<B, CpuRunner, S>,
) -> [Trainer<B, CpuRunner, S>; 3]
where
    S: Student<B> + AutodiffModule<B>,
{
    let (mut whole, mut first) = (start(), start());
    while !whole.is_done() {
        whole.step().unwrap();
    }
    for _ in 0..3 {
        first.step().unwrap();
    }
    let path = folder.join("checkpoint");
    first.save(&path).unwrap();
    let mut second = start().resume(&path).unwrap();
    while !second.is_done() {
        second.step().unwrap();
    }
    assert_eq!(whole.steps().len(), 6);
    assert_eq!(second.steps(), whole.steps());
    [whole, first, second]
}

#[test]
fn an_interrupted_training_on_frames_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let (footage, config) = (footage(folder.path()), config(1, 2));
    let frames = folder.path().join("frames");
    let frames = view(&frames, &footage, &config, View::Frames).unwrap();
    let trainers = interrupted(folder.path(), || frame_trainer(6, &frames));
    // A frame memory is saved as a part of a memory.
    let memory = MemoryConfig::new().try_init(&Default::default()).unwrap();
    // Weights are drawn when they are asked for: once for all three.
    let memory = memory.no_grad();
    let [expected, first, second] = trainers.map(|trainer| {
        let memory = memory.clone().with_frame(trainer.memory());
        saved(&memory, folder.path())
    });
    assert_eq!(second, expected);
    assert_ne!(first, expected);
}

#[test]
fn an_interrupted_training_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let footage = footage(folder.path());
    let maps = maps(&folder.path().join("maps"), &footage, &config(1, 2)).unwrap();
    let trainers = interrupted(folder.path(), || trainer(6, &maps));
    let [expected, first, second] = trainers.map(|trainer| saved(&trainer.memory(), folder.path()));
    assert_eq!(second, expected);
    assert_ne!(first, expected);

    // Nor does it go on with another training's.
    let path = folder.path().join("checkpoint");
    let error = trainer(7, &maps).resume(&path).err().unwrap();
    assert!(
        matches!(error, TrainingError::OtherTraining { .. }),
        "{error}"
    );
    std::fs::write(&path, "no checkpoint").unwrap();
    let error = trainer(6, &maps).resume(&path).err().unwrap();
    assert!(matches!(error, TrainingError::Checkpoint { .. }), "{error}");
}

#[test]
fn an_interrupted_cache_goes_on_and_one_of_other_weights_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let footage = footage(folder.path());
    let config = config(1, 3);
    let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
    maps(&whole, &footage, &config).unwrap();

    let stop = AtomicBool::new(false);
    let count = |clips| stop.store(clips > 0, Ordering::Relaxed);
    let detector = detector::<Flex>();
    let stopped = Maps::prepare(
        &parts,
        frozen(&detector, "d0"),
        &footage,
        &config,
        MAPS,
        count,
        &stop,
    )
    .unwrap();
    let before = files(&parts);
    if stopped.is_none() {
        assert!(
            (2..4).contains(&before.len()),
            "the settings and a clip or two"
        );
    }
    maps(&parts, &footage, &config).unwrap();
    let after = files(&parts);
    for (name, file) in &before {
        assert_eq!(after[name].1, file.1, "{name} was written once");
    }
    let contents = |files: &BTreeMap<String, (Vec<u8>, SystemTime)>| -> Vec<Vec<u8>> {
        files.values().map(|(content, _)| content.clone()).collect()
    };
    assert_eq!(contents(&after), contents(&files(&whole)));

    Maps::prepare(
        &parts,
        frozen(&detector, "d1"),
        &footage,
        &config,
        MAPS,
        |_| {},
        &GO_ON,
    )
    .unwrap();
    let anew = files(&parts);
    assert!(after.iter().all(|(name, file)| anew[name].1 != file.1));
}

#[test]
fn labels_take_the_teachers_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = video(folder.path());
    let labelled = |truth: &str| {
        let mut footage = Footage::new();
        let truth = GroundTruth::parse(truth).unwrap();
        footage
            .add_video(&path, Some(truth), |_| {}, &GO_ON)
            .unwrap();
        let config = MapsConfig {
            class: Some(1),
            ..config(1, 1)
        };
        let cache = tempfile::tempdir().unwrap();
        maps(cache.path(), &footage, &config).unwrap();
        files(cache.path())["00000.f16"].0.clone()
    };
    // An object that is in all frames, all over them, and one that is in no frame.
    let everywhere: String = (1..=40)
        .map(|frame| format!("{frame},1,0,0,96,72,1\n"))
        .collect();
    let (some, none) = (labelled(&everywhere), labelled("900,1,0,0,9,9,1\n"));
    // Maps are the same: 16 frames, undamaged and damaged, of 96 channels on 4 by 4 cells.
    let maps = 2 * 2 * 16 * 96 * 4 * 4;
    assert_eq!(some[..maps], none[..maps]);
    let attention = |file: &[u8]| {
        let bytes = file[maps..][..2 * 16 * 4 * 4].chunks(2);
        let values = bytes.map(|bytes| half::f16::from_le_bytes([bytes[0], bytes[1]]).to_f32());
        values.sum::<f32>() / (16.0 * 16.0)
    };
    assert_eq!(attention(&some), 1.0);
    assert!(attention(&none) < 1.0, "{}", attention(&none));
}

#[test]
fn what_cannot_be_learned_from_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let cache = path.join("cache");
    let error = maps(&cache, &Footage::new(), &config(1, 1)).unwrap_err();
    assert!(matches!(error, TrainingError::NoFootage), "{error}");
    let mut footage = Footage::new();
    let error = footage.add_video(path.join("absent.mp4"), None, |_| {}, &GO_ON);
    assert!(error.unwrap_err().to_string().contains("absent.mp4"));
    let empty = path.join("empty");
    std::fs::create_dir(&empty).unwrap();
    let error = footage.add_stills(&empty, |_| {}, &GO_ON).unwrap_err();
    assert!(matches!(error, TrainingError::NoFootage), "{error}");

    let interrupted = AtomicBool::new(true);
    let added = footage.add_video(video(path), None, |_| {}, &interrupted);
    assert!(!added.unwrap());
    let error = maps(&cache, &footage, &config(1, 1)).unwrap_err();
    assert!(matches!(error, TrainingError::NoFootage), "{error}");
    footage
        .add_video(video(path), None, |_| {}, &GO_ON)
        .unwrap();
    let error = maps(&cache, &footage, &config(1, 0))
        .unwrap_err()
        .to_string();
    assert_eq!(error, "clips: expected at least 1, found 0");
    // Nobody's files are deleted.
    std::fs::write(empty.join("thesis.f16"), "mine").unwrap();
    let error = maps(&empty, &footage, &config(1, 1)).unwrap_err();
    assert!(matches!(error, TrainingError::NoCache { .. }), "{error}");
    assert!(empty.join("thesis.f16").exists());

    let made = maps(&cache, &footage, &config(1, 1)).unwrap();
    std::fs::write(cache.join("00000.f16"), "short").unwrap();
    let error = trainer(1, &made).step().unwrap_err().to_string();
    assert!(
        error.contains("00000.f16: expected maps of a clip"),
        "{error}"
    );
    // And what was damaged is made anew.
    let made = maps(&cache, &footage, &config(1, 1)).unwrap();
    trainer(1, &made).step().unwrap();
}

#[test]
fn stills_are_footage_too() {
    let folder = tempfile::tempdir().unwrap();
    let stills = folder.path().join("stills");
    std::fs::create_dir(&stills).unwrap();
    let picture = image::RgbImage::from_fn(90, 60, |x, y| image::Rgb([x as u8, y as u8, 200]));
    picture.save(stills.join("a.png")).unwrap();
    let mut footage = Footage::new();
    footage.add_stills(&stills, |_| {}, &GO_ON).unwrap();
    assert_eq!(footage.frames(), 0);
    let maps = maps(&folder.path().join("maps"), &footage, &config(1, 1)).unwrap();
    let step = trainer(1, &maps).step().unwrap();
    assert!(step.features.is_finite());
}
