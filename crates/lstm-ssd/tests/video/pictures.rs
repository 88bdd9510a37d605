//! GIF, and folders of pictures.

use std::fs::File;
use std::path::Path;

use image::codecs::gif::GifEncoder;
use image::{Delay, Frame, RgbImage, RgbaImage};

use super::{message, rate, read};

fn picture(width: u32, height: u32, grey: u8) -> RgbImage {
    RgbImage::from_pixel(width, height, image::Rgb([grey; 3]))
}

fn gif(path: &Path, frames: u8) {
    let mut encoder = GifEncoder::new(File::create(path).unwrap());
    for frame in 0..frames {
        let colour = image::Rgba([10 * frame, 20, 30, 255]);
        let picture = RgbaImage::from_pixel(20, 10, colour);
        let delay = Delay::from_numer_denom_ms(40, 1);
        let frame = Frame::from_parts(picture, 0, 0, delay);
        encoder.encode_frame(frame).unwrap();
    }
}

#[test]
fn every_frame_of_a_gif_comes_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.gif");
    gif(&path, 5);
    let (pictures, error) = read(&path);
    assert!(error.is_none(), "{error:?}");
    let reds: Vec<u8> = pictures.iter().map(|picture| picture.pixels()[0]).collect();
    assert_eq!(reds, [0, 10, 20, 30, 40]);
    assert_eq!([pictures[0].width(), pictures[0].height()], [20, 10]);
    assert_eq!(rate(&path), Some(25.0));
}

#[test]
fn a_damaged_gif_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.gif");
    gif(&path, 5);
    let content = std::fs::read(&path).unwrap();
    std::fs::write(&path, &content[..8]).unwrap();
    let error = message(read(&path).1.unwrap());
    assert!(error.contains("clip.gif: cannot be decoded"), "{error}");
}

#[test]
fn a_folders_pictures_come_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    picture(8, 6, 30).save(path.join("b.png")).unwrap();
    picture(8, 6, 20).save(path.join("a.PNG")).unwrap();
    picture(8, 6, 90).save(path.join("c.jpeg")).unwrap();
    std::fs::write(path.join("notes.txt"), "no picture").unwrap();
    let (pictures, error) = read(path);
    assert!(error.is_none(), "{error:?}");
    let greys: Vec<u8> = pictures.iter().map(|picture| picture.pixels()[0]).collect();
    assert_eq!(greys, [20, 30, 90]);
    assert_eq!(rate(path), None);
}

#[test]
fn a_folders_bad_picture_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    picture(8, 6, 30).save(path.join("1.png")).unwrap();
    std::fs::write(path.join("2.png"), "no picture").unwrap();
    let (pictures, error) = read(path);
    assert_eq!(pictures.len(), 1);
    let error = message(error.unwrap());
    assert!(error.contains("frame 2: cannot be decoded"), "{error}");
    assert!(error.contains("2.png"), "{error}");

    picture(9, 6, 30).save(path.join("2.png")).unwrap();
    let error = message(read(path).1.unwrap());
    assert!(
        error.ends_with("expected 8 by 6 pixels as before, found 9 by 6"),
        "{error}"
    );
}

#[test]
fn an_empty_folder_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let error = message(read(folder.path()).1.unwrap());
    assert!(
        error.ends_with("expected at least one frame, found none"),
        "{error}"
    );
}
