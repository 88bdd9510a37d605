//! Cuts are found, and damage is not taken for one.

use lstm_ssd::Picture;
use lstm_ssd::cuts::Cuts;
use lstm_ssd::damage::{Damage, Damager};
use lstm_ssd::video::Video;

use crate::shared;

/// Frames of a scene.
const FRAMES: usize = 18;

/// Scenes that are generated.
const GENERATED: usize = 4;

/// Of every kind, from the mildest to the hardest that there is.
const DAMAGES: [&[&str]; 7] = [
    &[
        "motion-blur:15",
        "motion-blur:35",
        "motion-blur:80",
        "motion-blur:1000",
    ],
    &["noise:40", "noise:60", "noise:150", "noise:1000"],
    &[
        "occlusion:0.1",
        "occlusion:0.4",
        "occlusion:0.7",
        "occlusion:1",
    ],
    &["drop:0.1", "drop:0.4", "drop:0.8", "drop:1"],
    &["freeze:0.1", "freeze:0.4", "freeze:0.8", "freeze:1"],
    &["dark:0.5", "dark:0.05", "dark:0.01", "dark:0.004", "dark:0"],
    &["bitrate:20", "bitrate:150", "bitrate:400", "bitrate:1000"],
];

/// Bright and dark blobs that move across a slope, while it gets lighter.
fn generated(seed: usize) -> Vec<Picture> {
    let (width, height) = (160, 120);
    let number = |index: usize| (seed * 7919 + index * 104_729) % 1009;
    let frame = |time: usize| {
        let mut pixels = Vec::new();
        for at in 0..width * height {
            let (x, y) = (at % width, at / width);
            let mut light = 60 + time + (number(1) % 3) * x / 4 + (number(2) % 3) * y / 3;
            for blob in 0..6 {
                let (left, top) = (number(3 * blob + 3) % width, number(3 * blob + 4) % height);
                let left = (left + time * (blob % 3)) % width;
                if (left..left + 40).contains(&x) && (top..top + 35).contains(&y) {
                    light = 20 + number(3 * blob + 5) % 220;
                }
            }
            pixels.extend([light.min(255) as u8; 3]);
        }
        Picture::new(width, height, pixels).unwrap()
    };
    (0..FRAMES).map(frame).collect()
}

/// Generated ones, and the beginnings of the shared clips if they are there.
fn scenes() -> Vec<(String, Vec<Picture>)> {
    let mut scenes: Vec<_> = (1..=GENERATED)
        .map(|seed| (format!("scene {seed}"), generated(seed)))
        .collect();
    for clip in ["bikes", "carphone_pristine", "TUD-Campus", "TUD-Stadtmitte"] {
        if let Some(path) = shared::file(&format!("clips/{clip}.mp4")) {
            let frames = Video::open(path).unwrap().take(FRAMES);
            let frames = frames.map(|picture| picture.unwrap().resize(160, 120));
            scenes.push((clip.into(), frames.collect()));
        }
    }
    scenes
}

/// The frames at which a cut is told.
fn told(video: impl Iterator<Item = Picture>) -> Vec<usize> {
    let mut cuts = Cuts::default();
    let told = video.map(|picture| cuts.is_after(&picture)).enumerate();
    told.filter_map(|(frame, told)| told.then_some(frame))
        .collect()
}

#[test]
fn damage_is_no_cut() {
    for (name, scene) in scenes() {
        assert_eq!(told(scene.iter().cloned()), [0; 0], "{name}");
        for damage in DAMAGES.into_iter().flatten() {
            for seed in 1..3 {
                let mut damager = Damager::new(damage.parse::<Damage>().unwrap(), seed);
                let damaged: Vec<_> = scene.iter().map(|it| damager.damage(it.clone())).collect();
                let found = told(damaged.iter().cloned());
                assert_eq!(found, [0; 0], "{name}, {damage}, seed {seed}");
                // It begins and ends.
                let third = FRAMES / 3;
                let parts = [
                    &scene[..third],
                    &damaged[third..2 * third],
                    &scene[2 * third..],
                ];
                let found = told(parts.concat().into_iter());
                assert_eq!(found, [0; 0], "{name}, {damage}, seed {seed}, at times");
            }
        }
    }
}

/// Between clips of cameras; two of the six pairs may be lit too much alike.
#[test]
fn cuts_are_told_when_the_new_scene_has_lasted_for_two_frames() {
    let footage: Vec<_> = scenes().into_iter().skip(GENERATED).collect();
    let pairs: Vec<_> = (0..footage.len())
        .flat_map(|second| (0..second).map(move |first| [first, second]))
        .map(|pair| pair.map(|index| &footage[index]))
        .collect();
    let mild = ["motion-blur:7", "noise:20", "dark:0.7", "bitrate:20"];
    for damage in [None].into_iter().chain(mild.map(Some)) {
        let mut found = 0;
        for [(name, one), (other_name, other)] in &pairs {
            let joined = one.iter().chain(other).cloned();
            let told = match damage {
                None => told(joined),
                Some(damage) => {
                    let mut damager = Damager::new(damage.parse::<Damage>().unwrap(), 1);
                    told(joined.map(|picture| damager.damage(picture)))
                }
            };
            let right = told == [FRAMES + 1];
            assert!(
                told.is_empty() || right,
                "{name} to {other_name}, {damage:?}: {told:?}"
            );
            found += usize::from(right);
        }
        assert!(3 * found >= 2 * pairs.len(), "{damage:?}: {found}");
    }
}
