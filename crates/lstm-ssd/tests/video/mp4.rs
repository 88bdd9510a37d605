//! H.264 in mp4.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use lstm_ssd::video::VideoFault;
use tempfile::TempDir;

use super::container::{Contents, Encoded, encode, kind};
use super::{difference, gradient, message, rate, read};

const SIZE: [usize; 2] = [64, 48];

fn frames(count: usize) -> Vec<Vec<u8>> {
    let [width, height] = SIZE;
    (0..count)
        .map(|frame| gradient(width, height, frame))
        .collect()
}

fn encoded(count: usize) -> Encoded {
    encode(SIZE[0], SIZE[1], &frames(count), false)
}

fn whole(encoded: &Encoded) -> Vec<u8> {
    let sizes: Vec<u32> = encoded
        .frames
        .iter()
        .map(|frame| frame.len() as u32)
        .collect();
    let contents = Contents {
        codec: b"avc1",
        config: &encoded.config,
        size: [64, 48],
        sizes: &sizes,
        runs: &[[1, sizes.len() as u32]],
        chunks: &[MEDIA],
    };
    file(encoded, &contents)
}

/// Where the frames of a file begin: behind `ftyp` and the head of `mdat`.
const MEDIA: u32 = 16 + 8;

/// A file of these frames and this table of contents.
fn file(encoded: &Encoded, contents: &Contents<'_>) -> Vec<u8> {
    let media = encoded.frames.concat();
    let size = (media.len() as u32 + 8).to_be_bytes();
    [
        kind(),
        size.to_vec(),
        b"mdat".to_vec(),
        media,
        contents.to_bytes(),
    ]
    .concat()
}

fn write(content: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

#[test]
fn every_frame_comes_out_in_order() {
    let (_folder, path) = write(&whole(&encoded(12)));
    let (pictures, error) = read(&path);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(pictures.len(), 12);
    for (picture, expected) in pictures.iter().zip(frames(12)) {
        assert_eq!([picture.width(), picture.height()], SIZE);
        // Compression loses a little; the next frame differs by ten times as much.
        let difference = difference(picture, &expected);
        assert!(difference < 4.0, "{difference}");
    }
}

#[test]
fn frames_come_as_fast_as_the_table_of_contents_says() {
    let (_folder, path) = write(&whole(&encoded(3)));
    assert_eq!(rate(&path), Some(25.0));
}

#[test]
fn odd_chunks_are_followed() {
    let encoded = encoded(7);
    let sizes: Vec<u32> = encoded
        .frames
        .iter()
        .map(|frame| frame.len() as u32)
        .collect();
    let start = |frame: usize| MEDIA + sizes[..frame].iter().sum::<u32>();
    let contents = Contents {
        codec: b"avc1",
        config: &encoded.config,
        size: [64, 48],
        sizes: &sizes,
        runs: &[[1, 2], [3, 3]],
        chunks: &[start(0), start(2), start(4)],
    };
    let (_folder, path) = write(&file(&encoded, &contents));
    let (pictures, error) = read(&path);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(pictures.len(), 7);
}

#[test]
fn a_truncated_file_says_so() {
    let content = whole(&encoded(5));
    // Without the table of contents, which is the last box.
    let (_folder, path) = write(&content[..content.len() / 3]);
    let (pictures, error) = read(&path);
    assert_eq!(pictures.len(), 0);
    let error = message(error.unwrap());
    assert!(
        error.contains("clip.mp4: the file: expected a table of contents"),
        "{error}"
    );
    assert!(error.contains("is the file truncated?"), "{error}");
}

#[test]
fn frames_before_a_missing_one_are_kept() {
    let encoded = encoded(6);
    let mut sizes: Vec<u32> = encoded
        .frames
        .iter()
        .map(|frame| frame.len() as u32)
        .collect();
    sizes[4] = 1 << 20;
    let contents = Contents {
        codec: b"avc1",
        config: &encoded.config,
        size: [64, 48],
        sizes: &sizes,
        runs: &[[1, 6]],
        chunks: &[MEDIA],
    };
    let (_folder, path) = write(&file(&encoded, &contents));
    let (pictures, error) = read(&path);
    assert_eq!(pictures.len(), 4);
    let error = error.unwrap();
    assert_eq!(error.frame, Some(5));
    let error = message(error);
    assert!(
        error.contains("clip.mp4, frame 5: the frame: expected a place within"),
        "{error}"
    );
}

#[test]
fn another_codec_is_named_and_so_is_what_would_read_it() {
    let encoded = encoded(1);
    let contents = Contents {
        codec: b"hvc1",
        config: &encoded.config,
        size: [64, 48],
        sizes: &[10],
        runs: &[[1, 1]],
        chunks: &[MEDIA],
    };
    let (_folder, path) = write(&[kind(), contents.to_bytes()].concat());
    let error = read(&path).1.unwrap();
    assert!(
        matches!(error.fault, VideoFault::FfmpegMissing { .. }),
        "{error:?}"
    );
    let error = message(error);
    assert!(error.contains("a codec other than H.264 in mp4"), "{error}");
    assert!(error.contains("no `no-such-ffmpeg` was found"), "{error}");
}

#[test]
fn a_file_without_frames_says_so() {
    let mut encoded = encoded(1);
    encoded.frames.clear();
    let (_folder, path) = write(&whole(&encoded));
    let error = message(read(&path).1.unwrap());
    assert!(
        error.ends_with("frame 1: expected at least one frame, found none"),
        "{error}"
    );
}

#[test]
fn a_size_that_changes_ends_the_video() {
    let mut first = encoded(3);
    let second = encode(32, 32, &[gradient(32, 32, 0), gradient(32, 32, 1)], false);
    // The new parameter sets go before the first frame of the new size.
    let count = second.config[6..8].try_into().unwrap();
    let sequence = usize::from(u16::from_be_bytes(count));
    let units = [
        &second.config[8..8 + sequence],
        &second.config[8 + sequence + 3..],
    ];
    let mut frame = Vec::new();
    for unit in units {
        frame.extend((unit.len() as u32).to_be_bytes());
        frame.extend(unit);
    }
    frame.extend(&second.frames[0]);
    first.frames.push(frame);
    first.frames.push(second.frames[1].clone());
    let (_folder, path) = write(&whole(&first));
    let (pictures, error) = read(&path);
    assert_eq!(pictures.len(), 3);
    let error = message(error.unwrap());
    let expected = "frame 4: expected 64 by 48 pixels as before, found 32 by 32";
    assert!(error.ends_with(expected), "{error}");
}

/// Damages a file: bytes, numbers of four bytes, blocks, the end.
fn damage(content: &[u8], random: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut damaged = content.to_vec();
    for _ in 0..1 + random(4) {
        let at = random(damaged.len() - 8);
        let other = random(damaged.len() - 8);
        match random(5) {
            0 => damaged[at] ^= 1 << random(8),
            1 => damaged[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)],
            2 => {
                let number = [
                    0,
                    1,
                    2,
                    0x7fff_ffff,
                    0x8000_0000,
                    0xffff_ffff,
                    damaged.len() as u32,
                ][random(7)];
                damaged[at..at + 4].copy_from_slice(&number.to_be_bytes());
            }
            3 => damaged.copy_within(other..other + 8, at),
            _ => {
                let count = 1 + random(8);
                damaged.drain(at..at + count);
            }
        }
    }
    if random(8) == 0 {
        damaged.truncate(random(damaged.len()));
    }
    damaged
}

#[test]
fn a_hundred_thousand_damaged_files_end_in_an_error_or_in_pictures() {
    const FILES: usize = 100_000;
    let content = whole(&encoded(3));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let run = || {
        let (_folder, path) = write(&content);
        // How many had all frames, some and an error, none.
        let mut counts = [0; 3];
        loop {
            let file = next.fetch_add(1, Ordering::Relaxed);
            if file >= FILES {
                return counts;
            }
            let mut seed = file as u64;
            let mut random = |below: usize| {
                // A linear congruential generator: enough to choose what to damage.
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 33) as usize % below
            };
            std::fs::write(&path, damage(&content, &mut random)).unwrap();
            let (pictures, error) = read(&path);
            counts[match (pictures.len(), &error) {
                (0, Some(_)) => 2,
                (_, Some(_)) => 1,
                (0, None) => panic!("file {file}: neither pictures nor an error"),
                (_, None) => 0,
            }] += 1;
        }
    };
    let counts: Vec<[usize; 3]> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    for (outcome, what) in ["whole", "cut", "unreadable"].iter().enumerate() {
        let count: usize = counts.iter().map(|counts| counts[outcome]).sum();
        println!("{count} {what}");
        assert!(
            count >= FILES / 50,
            "{count} {what}: the damage does not reach far"
        );
    }
}
