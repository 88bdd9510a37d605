//! The picture in the README is the picture that the program renders: what the networks see in it, exactly, and how
//! it looks, nearly.

use image::RgbImage;
use image_compare::Algorithm;
use moving_digits::picture::Canvas;
use video_demo::desk::Desk;
use video_demo::digits::Weights;
use video_demo::headless::{Film, Shot, render};
use video_demo::program::{GpuOrWhy, Program};
use video_demo::raster::Raster;
use video_demo::sidecar::{self, Frame};
use video_demo::stage::Painter;
use video_demo::video::Setup;
use video_demo_app::{Compute, Look, Quantity, Settings};

/// Made as README.md says.
const PICTURE: &[u8] = include_bytes!("../demo.png");
const SIDECAR: &str = include_str!("../demo.json");

/// The least structural similarity of a part of the picture to that of the committed one.
const SIMILAR: f64 = 0.95;

/// Side of a part, in pixels: a box that is missing is a good part of it.
const PART: u32 = 60;

fn shot() -> Shot {
    Shot {
        frames: 32,
        size: [1000, 660],
        scale: 1.0,
        settings: Settings {
            look: Look {
                quantity: Some(Quantity::Hidden),
                channel: None,
            },
            ..Settings::default()
        },
        every: false,
    }
}

fn film(compute: Compute, gpu: GpuOrWhy, painter: Box<dyn Painter>) -> Film {
    let program = Program::new(Weights::embedded(), gpu, Setup::default()).without_times();
    let desk = Desk::new(Box::new(program), None, compute);
    render(&shot(), desk, painter).unwrap()
}

fn on_cpu() -> Film {
    let painter = Box::new(Raster::new(shot().size));
    film(Compute::Cpu, Err("it was not asked for".into()), painter)
}

fn image(canvas: &Canvas) -> RgbImage {
    let bytes: Vec<u8> = canvas.pixels().flatten().collect();
    RgbImage::from_raw(canvas.width(), canvas.height(), bytes).unwrap()
}

/// The structural similarity of the part that differs most.
fn similarity(expected: &RgbImage, found: &RgbImage) -> f64 {
    assert_eq!(expected.dimensions(), found.dimensions());
    let (width, height) = expected.dimensions();
    let mut least = 1.0_f64;
    for (x, y) in (0..height / PART).flat_map(|y| (0..width / PART).map(move |x| (x, y))) {
        let part = |image: &RgbImage| {
            let part = image::imageops::crop_imm(image, x * PART, y * PART, PART, PART);
            image::DynamicImage::from(part.to_image()).into_luma8()
        };
        let result = image_compare::gray_similarity_structure(
            &Algorithm::MSSIMSimple,
            &part(expected),
            &part(found),
        );
        least = least.min(result.unwrap().score);
    }
    least
}

/// Holds a film to what is committed, but for parts of the picture, `[x, y, width, height]`, that may look otherwise.
fn check(film: &Film, except: &[[u32; 4]]) {
    let expected = sidecar::from_json(SIDECAR).unwrap();
    assert_eq!(sidecar::difference(&expected, &film.frames), None);
    let expected = image(&Canvas::from_png(PICTURE).unwrap());
    let mut found = image(film.pictures.last().unwrap());
    for [x, y, width, height] in except.iter().copied() {
        let part = image::imageops::crop_imm(&expected, x, y, width, height).to_image();
        image::imageops::replace(&mut found, &part, x.into(), y.into());
    }
    let similarity = similarity(&expected, &found);
    assert!(similarity >= SIMILAR, "{similarity}");
}

#[test]
fn the_cpu_sees_and_draws_what_is_committed() {
    check(&on_cpu(), &[]);
}

#[cfg(feature = "gpu")]
#[test]
fn the_device_that_draws_sees_and_draws_what_is_committed() {
    let (painter, gpu) = video_demo::offscreen::Offscreen::new(shot().size).unwrap();
    // The switch from device to device, and where frames are said to be computed.
    let except = [[765, 4, 108, 34], [780, 506, 120, 22]];
    check(&film(Compute::Gpu, Ok(gpu), Box::new(painter)), &except);
}

#[test]
fn one_box_less_is_noticed_in_the_list_and_in_the_picture() {
    let expected = sidecar::from_json(SIDECAR).unwrap();
    let last = expected.last().unwrap();
    assert!(
        !last.networks[1].found.is_empty(),
        "a picture with a box in it"
    );

    let planted = |change: fn(&mut Frame)| {
        let mut frames = expected.clone();
        change(frames.last_mut().unwrap());
        sidecar::difference(&expected, &frames).expect("a difference")
    };
    planted(|frame| drop(frame.networks[1].found.pop()));
    planted(|frame| frame.networks[1].found[0].place[0] += 0.125);
    planted(|frame| frame.networks[1].found[0].label = "x".into());

    // The same picture with one box painted over.
    let picture = image(&Canvas::from_png(PICTURE).unwrap());
    let mut without = picture.clone();
    for (x, y) in teal_box(&picture) {
        without.put_pixel(x, y, image::Rgb([20, 20, 24]));
    }
    let similarity = similarity(&picture, &without);
    assert!(similarity < SIMILAR, "{similarity}");
}

/// The pixels of one box in the colour of a right find, over the networks' frames.
fn teal_box(picture: &RgbImage) -> Vec<(u32, u32)> {
    // Neither the bar nor the controls nor the timeline, nor the name above a frame.
    let (xs, ys) = (14..700, 135..520);
    let is_part =
        |x: u32, y: u32| xs.contains(&x) && ys.contains(&y) && is_teal(picture.get_pixel(x, y));
    let mut all = ys.clone().flat_map(|y| xs.clone().map(move |x| (x, y)));
    let first = all.find(|(x, y)| is_part(*x, *y)).expect("a box");
    let mut found = vec![first];
    let mut next = 0;
    while let Some((x, y)) = found.get(next).copied() {
        next += 1;
        // Its label is a soft edge away.
        let near = (y - 3..=y + 3).flat_map(|y| (x - 3..=x + 3).map(move |x| (x, y)));
        for (x, y) in near {
            if is_part(x, y) && !found.contains(&(x, y)) {
                found.push((x, y));
            }
        }
    }
    found
}

fn is_teal(pixel: &image::Rgb<u8>) -> bool {
    let distance = pixel.0.iter().zip([0x2f_u8, 0xd6, 0xb5]);
    distance.map(|(a, b)| u32::from(a.abs_diff(b))).sum::<u32>() < 40
}

#[test]
fn a_picture_is_the_same_every_time() {
    let (one, other) = (on_cpu(), on_cpu());
    assert!(one.pictures == other.pictures);
    assert!(one.frames == other.frames);
}
