//! Damaged video, and memories without learning.

use std::path::Path;

use lstm_ssd::damage::DamageList;
use lstm_ssd::network::Layer;
use lstm_ssd::video::Video;

use super::{evaluate, fail, precision, shared, succeed, weights_with};

/// 1, 10 and -6 as `f16`.
const ONE: u16 = 0x3C00;
const TEN: u16 = 0x4900;
const MINUS_SIX: u16 = 0xC600;

/// The class and how many there are.
const PERSON: usize = 4;
const CLASSES: usize = 24;

/// Weights with which every prior is a person where the picture is bright, and nothing where it is black: red passes
/// through the first channel of all layers.
pub fn weights(folder: &Path) -> String {
    let is_class_head = |layer: &Layer| layer.name.ends_with("cls");
    let set = |layer: &Layer| {
        let [_, inputs, height, width] = layer.weight_shape();
        let window = height * width;
        match is_class_head(layer) {
            true => (PERSON..layer.channels[1])
                .step_by(CLASSES)
                .map(|output| (output * inputs * window + window / 2, TEN))
                .collect(),
            false if layer.name.ends_with("box") => Vec::new(),
            false => vec![(window / 2, ONE)],
        }
    };
    let bias = |layer: &Layer| match is_class_head(layer) {
        true => MINUS_SIX,
        false => 0,
    };
    weights_with(folder, set, bias)
}

/// Four white frames of 40 by 30 pixels.
fn video(folder: &Path) -> String {
    let mut content = b"YUV4MPEG2 W40 H30 Cmono\n".to_vec();
    for _ in 0..4 {
        content.extend(b"FRAME\n");
        content.extend([235; 40 * 30]);
    }
    let path = folder.join("white.y4m");
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The rows of a list by frame, each without its frame.
pub fn frames(list: &str) -> [Vec<Vec<String>>; 4] {
    let mut frames = [const { Vec::new() }; 4];
    for row in list.lines().skip(1) {
        let mut cells: Vec<String> = row.split(',').map(String::from).collect();
        let frame: usize = cells.remove(0).parse().unwrap();
        frames[frame - 1].push(cells);
    }
    frames
}

/// What was seen in a frame, with scores of this share.
fn fainter(frame: &[Vec<String>], share: f32) -> Vec<Vec<String>> {
    let mut frame = frame.to_vec();
    for row in &mut frame {
        row[1] = format!("{:.6}", row[1].parse::<f32>().unwrap() * share);
    }
    frame
}

#[test]
fn a_memory_holds_what_damage_takes() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, video) = (weights(folder.path()), video(folder.path()));
    let detect = |more: &[&str]| {
        let whole = ["detect", &video, "--weights", &weights];
        frames(&succeed(&[&whole[..], more].concat()))
    };
    let seen = detect(&[]);
    assert!(seen.iter().all(|frame| *frame == seen[0]));
    assert!(!seen[0].is_empty());

    let drop = ["--damage", "drop:1"];
    let none = Vec::new();
    let without = detect(&[&drop[..], &["--memory", "none"]].concat());
    assert_eq!(without, [&seen[0], &none, &none, &none].map(Vec::clone));

    let with = detect(&[&drop[..], &["--memory", "hold:2,0.5"]].concat());
    let [half, quarter] = [0.5, 0.25].map(|share| fainter(&seen[0], share));
    assert_eq!(with, [seen[0].clone(), half, quarter, none.clone()]);

    // It sees those frames, too, that are not asked for: from the first one to the last it fades three times.
    let ends = [&drop[..], &["--memory", "average:0.5", "--every", "3"]].concat();
    let eighth = fainter(&seen[0], 0.125);
    assert_eq!(detect(&ends), [seen[0].clone(), none.clone(), none, eighth]);
}

#[test]
fn the_same_seed_gives_the_same_list_and_another_one_another() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, video) = (weights(folder.path()), video(folder.path()));
    let whole = ["detect", &video, "--weights", &weights];
    let noise = [&whole[..], &["--damage", "noise:100"]].concat();
    let seeded = |seed| succeed(&[&noise[..], &["--seed", seed]].concat());
    assert_eq!(seeded("1"), succeed(&noise));
    assert_eq!(seeded("2"), seeded("2"));
    assert_ne!(seeded("1"), seeded("2"));
    assert_ne!(seeded("1"), succeed(&whole));
}

#[test]
fn what_is_drawn_is_damaged_too() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, video) = (weights(folder.path()), video(folder.path()));
    let animation = folder.path().join("boxes.gif");
    succeed(&[
        "detect",
        &video,
        "--weights",
        &weights,
        "--damage",
        "drop:1",
        "--render",
        animation.to_str().unwrap(),
    ]);
    let pictures: Vec<_> = Video::open(animation)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(pictures.len(), 4);
    for (frame, picture) in pictures.iter().enumerate() {
        let black = picture.pixels().iter().all(|value| *value == 0);
        assert_eq!(black, frame > 0, "frame {frame}");
    }
}

#[test]
fn a_list_of_damages_is_a_table_with_its_hash() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, video) = (weights(folder.path()), video(folder.path()));
    let [truth, damages] = ["truth.txt", "damages.toml"].map(|name| folder.path().join(name));
    // The first row of the list, in each frame: the surest of all.
    let rows = succeed(&["detect", &video, "--weights", &weights]);
    let row: Vec<&str> = rows.lines().nth(1).unwrap().split(',').collect();
    let bounds = row[3..].join(",");
    let boxes: String = (1..=4)
        .map(|frame| format!("{frame},1,{bounds},1\n"))
        .collect();
    std::fs::write(&truth, boxes).unwrap();
    let list = "seeds = [7, 8]\n\
        [[damage]]\nname = \"drop\"\nseverity = 1\nin_mean = true\n\
        [[damage]]\nname = \"occlusion\"\nseverity = 0\nin_mean = false\n";
    std::fs::write(&damages, list).unwrap();

    let evaluate = [
        "evaluate",
        &video,
        "--weights",
        &weights,
        "--truth",
        truth.to_str().unwrap(),
        "--damages",
        damages.to_str().unwrap(),
    ];
    let table = succeed(&evaluate);
    let lines: Vec<&str> = table.lines().collect();
    let cell = |line: usize, column: usize| lines[line].split('|').nth(column).unwrap().trim();
    let damages: Vec<&str> = (2..6).map(|line| cell(line, 4)).collect();
    assert_eq!(damages, ["none", "drop:1", "occlusion:0", "mean of 1"]);
    let seeds: Vec<&str> = (2..6).map(|line| cell(line, 5)).collect();
    assert_eq!(seeds, ["–", "7, 8", "7, 8", "–"]);
    let area = |line| cell(line, 9).parse::<f64>().unwrap();
    // Of four people one is seen; nothing is occluded.
    assert_eq!(area(3), 0.25);
    assert!(area(2) > area(3));
    assert_eq!(area(4), area(2));
    assert_eq!(area(5), area(3));
    let hash = DamageList::parse(list).unwrap();
    assert!(lines[7].ends_with(hash.sha256()), "{table}");

    std::fs::write(evaluate[7], list.replace("drop", "fog")).unwrap();
    let (table, error) = fail(&evaluate);
    assert_eq!(table, "");
    let expected = "damages.toml: line 3: the kind of a damage: expected motion-blur";
    assert!(error.contains(expected), "{error}");
}

/// What the single frame scored when damages.toml was fixed: by the same network in another program, on frames that
/// were damaged in NumPy. And that a memory is worth having.
#[test]
fn the_single_frame_scores_what_it_scored_when_damages_were_fixed() {
    let Some(weights) = shared::file("ssd_mobilenet_v2/ssd_mobilenet_v2.safetensors") else {
        return;
    };
    for (damage, expected) in [("occlusion:0.4", 0.4501), ("drop:0.4", 0.4286)] {
        let arguments = ["--damage", damage, "--memory", "none"];
        let table = evaluate("TUD-Campus", &weights, &arguments);
        assert!((precision(&table) - expected).abs() <= 0.01, "{table}");
    }
    // The memory that is there by default never saw the clip.
    let table = evaluate("TUD-Campus", &weights, &["--damage", "drop:0.4"]);
    assert!(precision(&table) > 0.4286 + 0.1, "{table}");
}
