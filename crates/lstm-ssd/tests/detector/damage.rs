//! Damages against their definition in NumPy (`xtask/reference/damage.py`), and what seeds promise.

use lstm_ssd::Picture;
use lstm_ssd::damage::{Damage, Damager, Kind};
use safetensors::SafeTensors;

const FIXTURE: &[u8] = include_bytes!("../fixtures/damage.safetensors");

/// Pictures of `[frames, height, width, 3]`.
fn video(fixture: &SafeTensors, name: &str) -> Vec<Picture> {
    let tensor = fixture.tensor(name).unwrap();
    let [_, height, width, 3] = *tensor.shape() else {
        panic!("{name}: {:?}", tensor.shape());
    };
    let frames = tensor.data().chunks_exact(height * width * 3);
    let picture = |pixels: &[u8]| Picture::new(width, height, pixels.to_vec()).unwrap();
    frames.map(picture).collect()
}

fn grey(width: usize, height: usize, value: u8) -> Picture {
    Picture::new(width, height, vec![value; width * height * 3]).unwrap()
}

/// Pictures of 130 by 66 pixels that are no two alike.
fn textures(numbers: std::ops::RangeInclusive<usize>) -> Vec<Picture> {
    let texture = |number: usize| {
        let pixels = (0..130 * 66 * 3).map(|index| (index * index / 50 + number * 13) as u8);
        Picture::new(130, 66, pixels.collect()).unwrap()
    };
    numbers.map(texture).collect()
}

fn damaged(damage: Damage, seed: u64, video: &[Picture]) -> Vec<Picture> {
    let mut damager = Damager::new(damage, seed);
    let pictures = video.iter().cloned();
    pictures.map(|picture| damager.damage(picture)).collect()
}

/// One damage of each kind, that strikes.
fn all() -> [Damage; 7] {
    let severities = [9.0, 60.0, 0.4, 0.4, 0.8, 0.3, 40.0];
    core::array::from_fn(|index| Damage::new(Kind::ALL[index], severities[index]).unwrap())
}

#[test]
fn every_value_is_that_of_the_definition() {
    let fixture = SafeTensors::deserialize(FIXTURE).unwrap();
    let clean = video(&fixture, "video");
    for name in [
        "motion-blur:9",
        "noise:60",
        "dark:0.3",
        "bitrate:150",
        "bitrate:24",
    ] {
        let expected = video(&fixture, name);
        let found = damaged(name.parse().unwrap(), 1, &clean[..expected.len()]);
        assert!(found == expected, "{name}");
        assert!(found[0] != clean[0], "{name}");
    }
}

#[test]
fn cells_are_black_where_the_definition_has_them() {
    let fixture = SafeTensors::deserialize(FIXTURE).unwrap();
    let expected = fixture.tensor("occlusion:0.4").unwrap();
    assert_eq!(expected.shape(), [4, 3, 4]);
    let white = grey(250, 130, 255);
    let found = damaged("occlusion:0.4".parse().unwrap(), 7, &vec![white; 4]);
    for (found, expected) in found.iter().zip(expected.data().chunks_exact(12)) {
        for (index, value) in found.pixels().iter().enumerate() {
            let (row, column) = (index / 3 / 250, index / 3 % 250);
            let cell = expected[row / 64 * 4 + column / 64];
            assert_eq!(*value, cell, "row {row}, column {column}");
        }
    }
}

#[test]
fn frames_are_shown_when_the_definition_shows_them() {
    let fixture = SafeTensors::deserialize(FIXTURE).unwrap();
    let numbered: Vec<Picture> = (1..=40).map(|number| grey(1, 1, number)).collect();
    for name in ["drop:0.4", "freeze:0.8"] {
        let expected = fixture.tensor(name).unwrap();
        let found = damaged(name.parse().unwrap(), 7, &numbered);
        let found: Vec<u8> = found.iter().map(|picture| picture.pixels()[0]).collect();
        assert_eq!(found, expected.data(), "{name}");
        // The first one is whole.
        assert_eq!(found[0], 1);
    }
}

#[test]
fn a_seed_is_one_damage_and_another_seed_another_one() {
    let video = textures(1..=30);
    for damage in all() {
        let once = damaged(damage, 1, &video);
        assert!(once != video, "{damage}");
        assert!(once == damaged(damage, 1, &video), "{damage}");
        let other = damaged(damage, 2, &video);
        // There is nothing random in what a codec loses.
        let random = damage.kind() != Kind::Bitrate;
        assert_eq!(once != other, random, "{damage}");
    }
}

#[test]
fn a_frames_damage_does_not_depend_on_those_before() {
    let (video, others) = (textures(1..=8), textures(101..=108));
    for damage in all() {
        if damage.kind() == Kind::Freeze {
            continue;
        }
        let expected = damaged(damage, 5, &video);
        for (number, (picture, expected)) in video.iter().zip(&expected).enumerate() {
            let before = [&others[..number], std::slice::from_ref(picture)].concat();
            let found = damaged(damage, 5, &before).pop();
            assert!(found.as_ref() == Some(expected), "{damage}");
        }
    }
}

#[test]
fn another_video_begins_anew() {
    let fixture = SafeTensors::deserialize(FIXTURE).unwrap();
    let clean = video(&fixture, "video");
    for damage in all() {
        let mut damager = Damager::new(damage, 3);
        let expected: Vec<Picture> = clean.iter().map(|p| damager.damage(p.clone())).collect();
        damager.reset();
        let found: Vec<Picture> = clean.iter().map(|p| damager.damage(p.clone())).collect();
        assert!(found == expected, "{damage}");
    }
}

#[test]
fn nothing_is_too_small_or_too_severe() {
    for (kind, severity) in Kind::ALL
        .into_iter()
        .zip([1e3, 1e3, 1.0, 1.0, 1.0, 0.0, 1e3])
    {
        let damage = Damage::new(kind, severity).unwrap();
        let mut damager = Damager::new(damage, u64::MAX);
        for _ in 0..3 {
            let damaged = damager.damage(grey(1, 1, 200));
            assert_eq!([damaged.width(), damaged.height()], [1, 1]);
        }
    }
}

#[test]
fn a_damager_begins_anywhere() {
    let video = textures(1..=6);
    for damage in all() {
        // Of pictures that stay, the first one seen may be another.
        if damage.kind() == Kind::Freeze {
            continue;
        }
        let expected = damaged(damage, 3, &video);
        let mut late = Damager::at(damage, 3, 4);
        let found = [late.damage(video[4].clone()), late.damage(video[5].clone())];
        assert!(found == expected[4..], "{damage}");
    }
    let mut late = Damager::at(Damage::new(Kind::Freeze, 1.0).unwrap(), 3, 4);
    let found = [late.damage(video[4].clone()), late.damage(video[5].clone())];
    assert!(found == [video[4].clone(), video[4].clone()]);
}
