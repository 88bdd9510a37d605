//! A video as a source, without anything that looks at it.

use lstm_ssd::Picture;
use lstm_ssd::damage::{Damage, Damager, Kind};
use moving_digits::picture::Canvas;
use video_demo::source::{Source, Still};
use video_demo::video::{Footage, setting};
use video_demo_app::{Look, Step};

use crate::clips::{Clip, SIZE, y4m};

/// A step over so many frames, with these damages and no others.
fn step(source: &Footage, advance: u64, damages: &[Damage], seed: u64) -> Step {
    let settings: Vec<_> = damages.iter().map(|one| setting(*one).unwrap()).collect();
    let knobs = source.card().knobs.into_iter().map(|knob| {
        let set = settings.iter().find(|(key, _)| *key == knob.key);
        set.map_or(0.0, |(_, value)| *value)
    });
    Step {
        advance,
        lost: false,
        knobs: knobs.collect(),
        seed,
        look: Look::default(),
    }
}

fn next(source: &mut Footage) -> Still {
    let step = step(source, 1, &[], 1);
    source.next(&step).unwrap()
}

fn grey(still: &Still) -> u8 {
    still.picture.bytes()[0]
}

#[test]
fn a_video_is_played_at_its_rate_and_begins_again() {
    let clip = Clip::new(&[10, 20, 30]);
    let mut source = Footage::open(&clip.path).unwrap();
    let card = source.card();
    assert_eq!((card.name.as_str(), card.rate), ("clip.y4m", 10.0));
    let stills: Vec<_> = (0..7).map(|_| next(&mut source)).collect();
    let numbers: Vec<_> = stills.iter().map(|still| still.number).collect();
    assert_eq!(numbers, [0, 1, 2, 0, 1, 2, 0]);
    let greys: Vec<_> = stills.iter().map(grey).collect();
    assert_eq!(greys, [10, 20, 30, 10, 20, 30, 10]);
    let looped: Vec<_> = stills.iter().map(|still| still.looped).collect();
    assert_eq!(looped, [false, false, false, true, false, false, true]);
    assert!(stills.iter().all(|still| still.damage.is_none()));
    source.restart();
    let again = next(&mut source);
    assert_eq!((again.number, again.looped), (0, false));
}

#[test]
fn frames_that_are_skipped_count_and_so_does_the_end_among_them() {
    let clip = Clip::new(&[10, 20, 30]);
    let mut source = Footage::open(&clip.path).unwrap();
    let skip = step(&source, 2, &[], 1);
    let stills = [0; 3].map(|_| source.next(&skip).unwrap());
    let seen = stills
        .each_ref()
        .map(|still| (still.number, grey(still), still.looped));
    assert_eq!(seen, [(1, 20, false), (0, 10, true), (2, 30, false)]);
}

#[test]
fn each_knob_does_to_the_bit_what_lstm_ssd_does() {
    let greys: Vec<u8> = (0..12).map(|frame| 20 * frame).collect();
    let clip = Clip::new(&greys);
    for damage in [
        "motion-blur:35",
        "noise:60",
        "occlusion:0.4",
        "drop:0.4",
        "freeze:0.8",
        "dark:0.05",
        "bitrate:150",
    ] {
        let damage: Damage = damage.parse().unwrap();
        for advance in [1, 3] {
            let mut source = Footage::open(&clip.path).unwrap();
            let step = step(&source, advance, &[damage], 5);
            let mut damager = Damager::new(damage, 5);
            let damaged = greys.iter().map(|grey| {
                let [width, height] = SIZE;
                let pixels = vec![*grey; width * height * 3];
                damager.damage(Picture::new(width, height, pixels).unwrap())
            });
            let damaged: Vec<_> = damaged.collect();
            let mut changed = 0;
            for expected in damaged
                .iter()
                .skip(advance as usize - 1)
                .step_by(advance as usize)
            {
                let still = source.next(&step).unwrap();
                assert!(
                    still.picture.bytes() == expected.pixels(),
                    "{damage}, frame {}",
                    still.number
                );
                assert!(
                    still.damage.is_none() || still.damage.as_deref() == Some(damage.kind().name())
                );
                changed += u32::from(still.damage.is_some());
            }
            // Grey cells have no detail that a quantiser or a blur could lose.
            let plain = matches!(damage.kind(), Kind::Bitrate | Kind::MotionBlur);
            // Few frames are looked at of those that are skipped through.
            assert!(changed > 0 || plain || advance > 1, "{damage}");
        }
    }
}

#[test]
fn damages_are_switched_while_the_video_plays() {
    let clip = Clip::new(&[200; 9]);
    let mut source = Footage::open(&clip.path).unwrap();
    assert_eq!(next(&mut source).damage, None);
    let dark: Damage = "dark:0.05".parse().unwrap();
    let blocks: Damage = "occlusion:0.5".parse().unwrap();
    let both = step(&source, 1, &[dark, blocks], 1);
    let still = source.next(&both).unwrap();
    assert_eq!(still.damage.as_deref(), Some("occlusion, dark"));
    assert!(still.picture.bytes().iter().all(|value| *value < 100));
    // Another seed has other cells.
    let one = step(&source, 1, &[blocks], 1);
    let (mut here, mut there) = (
        Footage::open(&clip.path).unwrap(),
        Footage::open(&clip.path).unwrap(),
    );
    let other = Step {
        seed: 2,
        ..one.clone()
    };
    assert!(here.next(&one).unwrap().picture != there.next(&other).unwrap().picture);
    // A lost frame is black, whatever else is wrong with it.
    let lost = Step { lost: true, ..both };
    let still = source.next(&lost).unwrap();
    assert_eq!(still.damage.as_deref(), Some("lost"));
    assert!(still.picture.bytes().iter().all(|value| *value == 0));
    assert_eq!(next(&mut source).damage, None);
}

#[test]
fn what_cannot_be_opened_says_why() {
    let whole = y4m(&[10]);
    for (content, why) in [
        (&b""[..], "expected at least one frame, found none"),
        // A header without a frame.
        (
            &whole[..whole.len() - 6 - SIZE[0] * SIZE[1]],
            "expected at least one frame",
        ),
        // A part of its only frame.
        (&whole[..whole.len() - 9], "the end of the file"),
        (b"YUV4MPEG2 W0 H9\n", "pixels a side"),
        // An mp4 file that ends before its table of contents.
        (b"\0\0\0\x10ftypisom\0\0\0\0", "is the file truncated?"),
    ] {
        let clip = Clip::with_content(content);
        let error = Footage::open(&clip.path).err().expect(why).to_string();
        assert!(error.contains("clip.y4m") && error.contains(why), "{error}");
    }
    // Another codec is ffmpeg's to read, or to refuse, where there is one.
    let clip = Clip::with_content(b"RIFF....AVI nothing that is a video");
    let error = Footage::open(&clip.path).err().unwrap().to_string();
    assert!(
        error.contains("clip.y4m") && error.contains("ffmpeg"),
        "{error}"
    );
    let missing = Footage::open(&clip.beside("missing.mp4")).err().unwrap();
    assert!(missing.to_string().contains("missing.mp4"), "{missing}");
}

#[test]
fn what_breaks_on_the_way_stays_broken_until_a_restart() {
    let mut content = y4m(&[10, 20, 30]);
    content.truncate(content.len() - 9);
    let clip = Clip::with_content(&content);
    let mut source = Footage::open(&clip.path).unwrap();
    let one = step(&source, 1, &[], 1);
    for _ in 0..2 {
        assert_eq!(
            [next(&mut source), next(&mut source)].map(|still| grey(&still)),
            [10, 20]
        );
        for _ in 0..2 {
            let error = source.next(&one).unwrap_err().to_string();
            assert!(
                error.contains("clip.y4m, frame 3: the frame: expected"),
                "{error}"
            );
        }
        source.restart();
    }
}

#[test]
fn a_change_of_size_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for (name, side) in [("1.png", 8), ("2.png", 9)] {
        let canvas = Canvas::from_pixels(side, side, vec![[9; 3]; (side * side) as usize]);
        std::fs::write(folder.path().join(name), canvas.unwrap().to_png().unwrap()).unwrap();
    }
    let mut source = Footage::open(folder.path()).unwrap();
    // It says nothing of its rate.
    assert_eq!(source.card().rate, 25.0);
    let one = step(&source, 1, &[], 1);
    assert!(source.next(&one).is_ok());
    let error = source.next(&one).unwrap_err().to_string();
    assert!(
        error.contains("expected 8 by 8 pixels as before, found 9 by 9"),
        "{error}"
    );
}
