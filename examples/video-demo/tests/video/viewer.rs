//! The detector and a video in front of a viewer.

use std::path::Path;

use bottleneck_lstm::weights::Checkpoint;
use burn_flex::Flex;
use egui::{DroppedFile, Key};
use egui_kittest::kittest::Queryable;
use lstm_ssd::network::{FrameMemoryConfig, MemoryCard, MemoryConfig, fingerprint};
use video_demo::desk::Desk;
use video_demo::digits::Weights;
use video_demo::headless::{Film, HeadlessError, Shot, render};
use video_demo::program::Program;
use video_demo::raster::Raster;
use video_demo::video::{Memory, Setup};
use video_demo_app::{Compute, Look, Quantity, Request, Settings};

use crate::clips::{Clip, SIZE, y4m};
use crate::common::{self, Screen, app, click, press, shown};
use crate::shared;

/// The published detector and the default memory, where the weights are at hand.
fn setup() -> Option<Setup> {
    Some(Setup {
        weights: shared::file("ssd_mobilenet_v2/ssd_mobilenet_v2.safetensors")?,
        ..Setup::default()
    })
}

fn screen(setup: Setup) -> Screen {
    common::screen(setup, Settings::default(), [1280.0, 720.0])
}

/// Drops a file on the window.
fn drop_file(screen: &mut Screen, path: &Path) {
    let file = DroppedFile {
        path: Some(path.to_owned()),
        ..DroppedFile::default()
    };
    screen.input_mut().dropped_files.push(file);
    screen.run_steps(4);
}

fn name(screen: &Screen) -> &str {
    &app(screen).description().unwrap().source.name
}

fn problem(screen: &Screen) -> &str {
    app(screen).problem().map_or("", |problem| &problem.what)
}

#[test]
fn a_dropped_video_is_looked_at_without_a_memory_and_with_one() {
    let Some(setup) = setup() else { return };
    let mut screen = screen(setup);
    assert_eq!(name(&screen), "moving digits");
    let clip = Clip::new(&[10, 90, 200, 90, 10]);
    drop_file(&mut screen, &clip.path);
    let opened = Request::Open(clip.path.clone());
    assert_eq!(
        screen
            .state()
            .asked
            .iter()
            .filter(|request| **request == opened)
            .count(),
        1
    );
    assert_eq!(name(&screen), "clip.y4m");
    screen.get_by_label("now clip.y4m");
    screen.get_by_label("10 frames/s");
    let names: Vec<_> = app(&screen)
        .description()
        .unwrap()
        .networks
        .iter()
        .collect();
    assert_eq!(names.len(), 2);
    // It begins anew when it is over, and so does the memory.
    press(&mut screen, Key::Space);
    let mut seen = Vec::new();
    for _ in 0..11 {
        press(&mut screen, Key::ArrowRight);
        let shown = shown(&screen);
        assert_eq!(shown.picture.size(), SIZE);
        assert_eq!(shown.views[0].age, None);
        assert_eq!(shown.views[1].age, Some(shown.number + 1));
        seen.push(shown.number);
    }
    assert!(
        seen.windows(2).all(|pair| pair[1] == (pair[0] + 1) % 5),
        "{seen:?}"
    );
    assert!(seen.contains(&0));
}

#[test]
fn a_videos_damage_is_switched_and_its_map_is_shown() {
    let Some(setup) = setup() else { return };
    let mut screen = screen(setup);
    let clip = Clip::new(&[90; 200]);
    drop_file(&mut screen, &clip.path);
    press(&mut screen, Key::C);
    screen.run_steps(2);
    assert_eq!(shown(&screen).damage, None);
    // Number 3 is occlusion.
    for _ in 0..10 {
        press(&mut screen, Key::Num3);
    }
    screen.run_steps(1);
    assert_eq!(app(&screen).settings().knobs["occlusion"], 1.0);
    assert_eq!(shown(&screen).damage.as_deref(), Some("occlusion"));
    let pixels = shown(&screen).picture.bytes();
    assert!(pixels.iter().all(|value| *value == 0));
    click(&mut screen, "No damage");
    click(&mut screen, "score");
    screen.run_steps(1);
    let both = shown(&screen).views.iter().map(|view| view.heat.as_ref());
    for heat in both {
        let heat = heat.expect("a map on both sides");
        assert_eq!((heat.size, heat.values.len()), ([19, 19], 361));
        assert!(heat.values.iter().all(|score| (0.0..=1.0).contains(score)));
    }
    press(&mut screen, Key::H);
    screen.run_steps(1);
    assert!(shown(&screen).views.iter().all(|view| view.heat.is_none()));
    // There is no other video, and the memory comes and goes as that of digits.
    press(&mut screen, Key::N);
    screen.get_by_label("there is no other: drop one on the window");
    press(&mut screen, Key::Space);
    click(&mut screen, "Save");
    click(&mut screen, "Reset");
    press(&mut screen, Key::ArrowRight);
    assert_eq!(shown(&screen).views[1].age, Some(1));
    click(&mut screen, "Restore");
    press(&mut screen, Key::ArrowRight);
    assert!(shown(&screen).views[1].age > Some(2));
}

/// A file of a memory that is not trained, with a part in front and one behind block 12, for the detector with this fingerprint.
fn memory_file(beside: &Clip, detector: &str) -> Memory {
    let frame = Some(FrameMemoryConfig::new());
    let memory = MemoryConfig::new().with_frame(frame);
    let memory = memory.try_init::<Flex>(&Default::default());
    let card = MemoryCard {
        detector: detector.to_owned(),
        ..MemoryCard::default()
    };
    let path = beside.beside("memory.safetensors");
    memory.unwrap().save(&path, &card).unwrap();
    Memory::Learned(path)
}

#[test]
fn a_learned_memory_is_read_from_its_file_and_one_that_is_not_trained_changes_nothing() {
    let Some(setup) = setup() else { return };
    let clip = Clip::new(&[10, 90, 200]);
    let fingerprint = fingerprint(&Checkpoint::open(&setup.weights).unwrap()).unwrap();
    let memory = memory_file(&clip, &fingerprint);
    let mut screen = screen(Setup { memory, ..setup });
    drop_file(&mut screen, &clip.path);
    let networks = &app(&screen).description().unwrap().networks;
    let names = networks.iter().map(|network| network.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["no memory", "Bottleneck-LSTM"]);
    // Both parts of it.
    let [alone, with] = [&networks[0], &networks[1]];
    assert_eq!(with.parameters - alone.parameters, 84_544 + 2_007);
    assert_eq!((with.macs - alone.macs) / 100_000, 321);
    press(&mut screen, Key::H);
    press(&mut screen, Key::Space);
    for _ in 0..4 {
        press(&mut screen, Key::ArrowRight);
        let [alone, with] = &shown(&screen).views[..] else {
            panic!("two sides");
        };
        assert_eq!(with.age, Some(shown(&screen).number + 1));
        assert!(alone.heat.is_some() && alone.heat == with.heat);
        assert!(alone.found == with.found);
    }
    let age = shown(&screen).views[1].age;
    click(&mut screen, "Save");
    press(&mut screen, Key::M);
    click(&mut screen, "Restore");
    screen.get_by_label("memory restored");
    press(&mut screen, Key::Num1);
    press(&mut screen, Key::ArrowRight);
    let looped = shown(&screen).number == 0;
    assert!(looped || shown(&screen).views[1].age == age.map(|age| age + 1));
}

#[test]
fn weights_that_the_memory_is_not_for_are_looked_at_without_it() {
    let Some(setup) = setup() else { return };
    let clip = Clip::new(&[10, 90, 200]);
    let mut content = std::fs::read(&setup.weights).unwrap();
    *content.last_mut().unwrap() ^= 1;
    let weights = clip.beside("other.safetensors");
    std::fs::write(&weights, content).unwrap();
    let mut screen = screen(Setup { weights, ..setup });
    drop_file(&mut screen, &clip.path);
    let networks = &app(&screen).description().unwrap().networks;
    let names = networks.iter().map(|network| network.name.as_str());
    let expected = "no memory: the one that comes along is for other weights";
    assert_eq!(names.collect::<Vec<_>>(), [expected]);
    press(&mut screen, Key::ArrowRight);
    assert_eq!(shown(&screen).views.len(), 1);
}

#[test]
fn a_memory_that_is_none_or_anothers_is_a_message() {
    let Some(setup) = setup() else { return };
    let clip = Clip::new(&[10; 3]);
    let damaged = clip.beside("damaged.safetensors");
    std::fs::write(&damaged, "no memory").unwrap();
    for (memory, why) in [
        (
            memory_file(&clip, "another one"),
            "trained for another detector",
        ),
        (Memory::Learned(clip.beside("missing")), "missing"),
        (Memory::Learned(damaged), "damaged.safetensors"),
        (Memory::Learned(setup.weights.clone()), "expected a memory"),
    ] {
        let setup = Setup {
            memory,
            ..setup.clone()
        };
        let mut screen = screen(setup);
        drop_file(&mut screen, &clip.path);
        assert!(problem(&screen).contains(why), "{}", problem(&screen));
        assert_eq!(name(&screen), "moving digits");
    }
}

#[test]
fn a_video_that_breaks_is_a_message_with_ways_on() {
    let Some(setup) = setup() else { return };
    let mut screen = screen(setup);
    let mut content = y4m(&[10; 30]);
    content.truncate(content.len() - 9);
    let clip = Clip::with_content(&content);
    drop_file(&mut screen, &clip.path);
    for way in ["From the start", "The demo's own video"] {
        screen.run_steps(40);
        assert!(
            problem(&screen).contains("clip.y4m, frame 30: the frame"),
            "{}",
            problem(&screen)
        );
        assert_eq!(shown(&screen).number, 28);
        click(&mut screen, way);
        screen.run_steps(3);
        assert_eq!(problem(&screen), "");
        assert!(shown(&screen).number < 28);
    }
    assert_eq!(name(&screen), "moving digits");
    let before = shown(&screen).number;
    screen.run_steps(5);
    assert_eq!(shown(&screen).number, before + 5);
}

#[test]
fn what_is_no_video_is_a_message_and_digits_go_on() {
    let mut screen = screen(Setup::default());
    let text = Clip::with_content(b"no video");
    let empty = Clip::with_content(b"");
    let gone = text.beside("gone.mp4");
    for path in [&text.path, &empty.path, &gone] {
        drop_file(&mut screen, path);
        let file = path.file_name().unwrap().to_str().unwrap();
        assert!(problem(&screen).contains(file), "{}", problem(&screen));
        screen.get_by_label_contains(file);
        let before = shown(&screen).number;
        screen.run_steps(5);
        assert_eq!(shown(&screen).number, before + 5);
        assert_eq!(name(&screen), "moving digits");
    }
    press(&mut screen, Key::Escape);
    assert_eq!(problem(&screen), "");
}

#[test]
fn missing_weights_are_a_message_that_says_where_to_get_them() {
    let clip = Clip::new(&[10; 3]);
    let mut screen = screen(Setup {
        weights: clip.beside("nowhere.safetensors"),
        ..Setup::default()
    });
    drop_file(&mut screen, &clip.path);
    assert!(
        problem(&screen).contains("cargo xtask weights"),
        "{}",
        problem(&screen)
    );
    assert!(problem(&screen).contains("nowhere.safetensors"));
    assert_eq!(name(&screen), "moving digits");
    assert!(!app(&screen).problem().unwrap().stuck);
}

/// A still of a video, drawn on the CPU.
fn film(setup: Setup, video: &Path, frames: u64) -> Result<Film, HeadlessError> {
    let shot = Shot {
        frames,
        size: [1000, 660],
        scale: 1.0,
        settings: Settings {
            look: Look {
                quantity: Some(Quantity::Score),
                channel: None,
            },
            knobs: [("drop".to_owned(), 0.0)].into(),
            ..Settings::default()
        },
        every: false,
    };
    let gpu = Err("it was not asked for".into());
    let program = Program::new(Weights::embedded(), gpu, setup).without_times();
    let desk = Desk::new(Box::new(program), Some(video.to_owned()), Compute::Cpu);
    render(&shot, desk, Box::new(Raster::new(shot.size)))
}

#[test]
fn a_picture_of_a_video_is_drawn_without_a_window_and_the_same_every_time() {
    let (Some(setup), Some(video)) = (setup(), shared::file("clips/carphone_pristine.mp4")) else {
        return;
    };
    let [one, other] = [0; 2].map(|_| film(setup.clone(), &video, 2).unwrap());
    assert!(one.pictures == other.pictures && one.frames == other.frames);
    assert_eq!(one.pictures.len(), 1);
    let last = one.frames.last().unwrap();
    assert_eq!((last.number, &last.damage), (1, &None));
    assert!((one.seconds - 1001.0 / 30000.0).abs() < 1e-9);
    // A man in a car.
    for network in &last.networks {
        let labels: Vec<_> = network
            .found
            .iter()
            .map(|find| find.label.as_str())
            .collect();
        assert!(
            labels.contains(&"Person") && labels.contains(&"Car"),
            "{labels:?}"
        );
    }
}

#[test]
fn without_a_window_a_broken_video_is_an_error() {
    let clip = Clip::with_content(b"");
    let error = film(Setup::default(), &clip.path, 1)
        .unwrap_err()
        .to_string();
    assert!(error.contains("clip.y4m"), "{error}");
}
