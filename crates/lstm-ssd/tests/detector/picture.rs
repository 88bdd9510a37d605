//! Resizing against OpenCV (`xtask/reference/resize.py`).

use burn::tensor::Tensor;
use burn_flex::Flex;
use lstm_ssd::Picture;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    from: [usize; 2],
    pixels: Vec<u8>,
    to: [usize; 2],
    resized: Vec<u8>,
}

#[test]
fn resizing_is_that_of_opencv() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../fixtures/resize.json")).unwrap();
    assert_eq!(cases.len(), 6);
    let (mut values, mut different) = (0, 0);
    for case in cases {
        let [width, height] = case.from;
        let picture = Picture::new(width, height, case.pixels).unwrap();
        let [width, height] = case.to;
        let resized = picture.resize(width, height);
        assert_eq!([resized.width(), resized.height()], case.to);
        for (found, expected) in resized.pixels().iter().zip(&case.resized) {
            // OpenCV rounds a little differently from one instruction set to another.
            assert!(
                found.abs_diff(*expected) <= 1,
                "{:?} to {:?}",
                case.from,
                case.to
            );
            different += usize::from(found != expected);
            values += 1;
        }
    }
    assert!(different * 50 < values, "{different} of {values}");
}

#[test]
fn a_network_sees_colours_from_minus_one_to_one() {
    let picture = Picture::new(2, 1, vec![255, 0, 51, 0, 255, 204]).unwrap();
    let input: Tensor<Flex, 4> = picture.to_input(&Default::default());
    assert_eq!(input.dims(), [1, 3, 1, 2]);
    let values: Vec<f32> = input.into_data().to_vec().unwrap();
    let expected = [1.0, -1.0, -1.0, 1.0, -0.6, 0.6];
    for (found, expected) in values.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{values:?}");
    }
}

#[test]
fn pictures_have_as_many_bytes_as_pixels_need() {
    assert!(Picture::new(2, 2, vec![0; 12]).is_some());
    assert!(Picture::new(2, 2, vec![0; 11]).is_none());
    assert!(Picture::new(0, 2, vec![]).is_none());
    assert!(Picture::new(usize::MAX, 2, vec![0; 12]).is_none());
}
