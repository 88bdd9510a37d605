//! A memory that learned, from its file.

use std::path::Path;

use bottleneck_lstm::weights::Checkpoint;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn_flex::Flex;
use lstm_ssd::network::{FrameMemoryConfig, Memory, MemoryCard, MemoryConfig, fingerprint};

use super::damage::{frames, weights};
use super::{fail, succeed};

/// Opens all gates, so that the first frame's map is kept for ever.
#[derive(Default)]
struct Open(Vec<String>);

impl<B: Backend> ModuleMapper<B> for Open {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.0.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.0.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        match self.0.join(".").as_str() {
            "amount" | "gate_input.bias" => param.map(|tensor| tensor.full_like(30.0)),
            _ => param,
        }
    }
}

fn save(memory: Memory<Flex>, folder: &Path, detector: &str) -> String {
    let path = folder.join("memory.safetensors");
    let card = MemoryCard {
        detector: detector.into(),
        notes: [("licence".into(), "CC0-1.0".into())].into(),
    };
    memory.save(&path, &card).unwrap();
    path.to_str().unwrap().to_owned()
}

fn fresh() -> Memory<Flex> {
    MemoryConfig::new().try_init(&Default::default()).unwrap()
}

fn print(weights: &str) -> String {
    fingerprint(&Checkpoint::open(weights).unwrap()).unwrap()
}

/// Four frames of 40 by 30 pixels, each of one light.
fn video(folder: &Path, lights: [u8; 4]) -> String {
    video_of(folder, |frame, _, _| lights[frame])
}

/// Four frames of 40 by 30 pixels, from the light of each frame at column and row.
fn video_of(folder: &Path, light: impl Fn(usize, usize, usize) -> u8) -> String {
    let mut content = b"YUV4MPEG2 W40 H30 Cmono\n".to_vec();
    for frame in 0..4 {
        content.extend(b"FRAME\n");
        content.extend((0..40 * 30).map(|at| light(frame, at % 40, at / 40)));
    }
    let path = folder.join("lights.y4m");
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn it_sees_all_frames_of_a_video() {
    let folder = tempfile::tempdir().unwrap();
    let weights = weights(folder.path());
    let video = video(folder.path(), [235, 16, 235, 16]);
    let print = print(&weights);
    let detect = |more: &[&str]| {
        let whole = ["detect", &video, "--weights", &weights];
        succeed(&[&whole[..], more].concat())
    };
    let alone = frames(&detect(&[]));
    assert!(!alone[0].is_empty() && alone[1].is_empty());

    let untrained = save(fresh(), folder.path(), &print);
    assert_eq!(frames(&detect(&["--memory", &untrained])), alone);

    let open = save(fresh().map(&mut Open::default()), folder.path(), &print);
    let with = frames(&detect(&["--memory", &open]));
    assert!(with.iter().all(|frame| *frame == alone[0]));
    // The first frame is not reported from the second row on, and is remembered.
    let every = frames(&detect(&["--memory", &open, "--every", "3"]));
    let none = Vec::new();
    assert_eq!(every, [&with[0], &none, &none, &with[3]].map(Vec::clone));
}

#[test]
fn it_forgets_at_cuts_if_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let weights = weights(folder.path());
    // A bright square, then another one elsewhere, and a bit brighter in every frame.
    let video = video_of(folder.path(), |frame, x, y| {
        let [left, top] = if frame < 2 { [3, 3] } else { [25, 12] };
        let inside = (left..left + 12).contains(&x) && (top..top + 12).contains(&y);
        (if inside { 200 } else { 40 } + frame) as u8
    });
    let print = print(&weights);
    let open = save(fresh().map(&mut Open::default()), folder.path(), &print);
    let detect = |more: &[&str]| {
        let whole = ["detect", &video, "--weights", &weights];
        frames(&succeed(&[&whole[..], more].concat()))
    };
    let alone = detect(&[]);
    assert_ne!(alone[0], alone[3]);
    let kept = detect(&["--memory", &open]);
    assert!(kept.iter().all(|frame| *frame == alone[0]));
    // A cut is told when the new scene has lasted for two frames.
    let forgot = detect(&["--memory", &open, "--cuts"]);
    assert_eq!(forgot[..3], kept[..3]);
    assert_eq!(forgot[3], alone[3]);
}

#[test]
fn it_forgets_between_one_damage_and_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let weights = weights(folder.path());
    let video = video(folder.path(), [235; 4]);
    let print = print(&weights);
    let open = save(fresh().map(&mut Open::default()), folder.path(), &print);
    let [truth, damages] = ["truth.txt", "damages.toml"].map(|name| folder.path().join(name));
    std::fs::write(&truth, "1,1,0,0,40,30,1\n").unwrap();
    // Black from the first frame on; then all but the first.
    let list = "seeds = [7, 8]\n\
        [[damage]]\nname = \"dark\"\nseverity = 0\nin_mean = false\n\
        [[damage]]\nname = \"drop\"\nseverity = 1\nin_mean = false\n";
    std::fs::write(&damages, list).unwrap();
    let table = succeed(&[
        "evaluate",
        &video,
        "--weights",
        &weights,
        "--truth",
        truth.to_str().unwrap(),
        "--memory",
        &open,
        "--damages",
        damages.to_str().unwrap(),
    ]);
    let cell = |line: usize, column: usize| {
        let line = table.lines().nth(line).unwrap();
        line.split('|').nth(column).unwrap().trim().to_owned()
    };
    let names: Vec<_> = (2..5).map(|line| cell(line, 4)).collect();
    assert_eq!(names, ["none", "dark:0", "drop:1"]);
    assert_eq!(cell(2, 3), open);
    let seen: Vec<usize> = (2..5).map(|line| cell(line, 8).parse().unwrap()).collect();
    assert!(seen[0] > 0, "{table}");
    assert_eq!(seen, [seen[0], 0, seen[0]], "{table}");
}

#[test]
fn a_memory_of_another_detector_names_both() {
    let folder = tempfile::tempdir().unwrap();
    let weights = weights(folder.path());
    let video = video(folder.path(), [235; 4]);
    let detect = ["detect", &video, "--weights", &weights, "--memory"];
    let memory = save(fresh(), folder.path(), "00ff");
    let (list, error) = fail(&[&detect[..], &[&memory]].concat());
    assert_eq!(list, "");
    let both = format!(
        "memory.safetensors: the memory was trained for another detector: expected one for weights {}, found one for 00ff",
        print(&weights)
    );
    assert!(error.contains(&both), "{error}");

    let (_, error) = fail(&[&detect[..], &["keep:3"]].concat());
    assert!(
        error.contains("--memory keep:3: expected none, hold:FRAMES,DECAY"),
        "{error}"
    );
    let (_, error) = fail(&[&detect[..], &[&weights]].concat());
    assert!(error.contains("expected a memory, found"), "{error}");
}

#[test]
fn info_tells_of_a_memory() {
    let folder = tempfile::tempdir().unwrap();
    let memory = save(fresh(), folder.path(), "00ff");
    let info = succeed(&["info", &memory]);
    for expected in [
        "64 channels of state",
        "21.5 million",
        "3.2 %",
        "trained for  00ff",
        "licence      CC0-1.0",
    ] {
        assert!(info.contains(expected), "{expected}: {info}");
    }
    assert!(!info.contains("in front"), "{info}");
    let frame = FrameMemoryConfig::new().try_init(&Default::default());
    let memory = save(fresh().with_frame(frame.unwrap()), folder.path(), "00ff");
    let info = succeed(&["info", &memory]);
    let expected = "in front     16 channels of state, patches of 4 by 4 pixels";
    assert!(info.contains(expected), "{info}");
}
