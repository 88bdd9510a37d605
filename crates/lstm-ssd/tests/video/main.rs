//! Videos of every kind, whole and damaged, and their cuts. But for those, nothing is read but what a test makes by
//! itself.

#[path = "../common/mp4.rs"]
mod container;
mod cuts;
mod ffmpeg;
mod mp4;
mod pictures;
#[path = "../detector/shared.rs"]
mod shared;
mod y4m;

use lstm_ssd::Picture;
use lstm_ssd::video::{Video, VideoError};

/// A smooth picture that moves from frame to frame, red, green and blue.
fn gradient(width: usize, height: usize, frame: usize) -> Vec<u8> {
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let wave = |at: usize| (40 + (at % 160)) as u8;
            pixels.extend([wave(2 * x + 8 * frame), wave(y + x), 100 + 2 * frame as u8]);
        }
    }
    pixels
}

/// All pictures until the end or an error, and the error.
fn read(path: &std::path::Path) -> (Vec<Picture>, Option<VideoError>) {
    let mut pictures = Vec::new();
    let video = match Video::open_with(path, "no-such-ffmpeg") {
        Ok(video) => video,
        Err(error) => return (pictures, Some(error)),
    };
    for picture in video {
        match picture {
            Ok(picture) => pictures.push(picture),
            Err(error) => return (pictures, Some(error)),
        }
    }
    (pictures, None)
}

/// Pictures a second, as the first picture is there.
fn rate(path: &std::path::Path) -> Option<f64> {
    let mut video = Video::open_with(path, "no-such-ffmpeg").unwrap();
    video.next().unwrap().unwrap();
    video.rate()
}

/// An error and what caused it, as the command prints it.
fn message(error: VideoError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

/// The mean difference of a picture's bytes from those given.
fn difference(picture: &Picture, pixels: &[u8]) -> f64 {
    assert_eq!(picture.pixels().len(), pixels.len());
    let pairs = picture.pixels().iter().zip(pixels);
    let sum: u32 = pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    f64::from(sum) / pixels.len() as f64
}
