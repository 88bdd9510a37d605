//! Average precision against pycocotools (`xtask/reference/detection.py`).

use lstm_ssd::detection::{AveragePrecision, BoundingBox, COCO_THRESHOLDS, Truth};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    frames: Vec<Frame>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Frame {
    /// x, y, width, height, whether it is left out.
    objects: Vec<(f32, f32, f32, f32, bool)>,
    /// x, y, width, height, score.
    detections: Vec<(f32, f32, f32, f32, f32)>,
}

#[derive(Deserialize)]
struct Expected {
    objects: usize,
    at: Vec<f64>,
}

fn bounds(x: f32, y: f32, w: f32, h: f32) -> BoundingBox {
    BoundingBox::new(y, x, y + h, x + w)
}

#[test]
fn it_is_that_of_pycocotools_at_every_threshold() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../fixtures/average_precision.json")).unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let mut precision = AveragePrecision::new();
        for frame in &case.frames {
            let truths = frame.objects.iter().map(|(x, y, w, h, ignored)| Truth {
                bounds: bounds(*x, *y, *w, *h),
                ignored: *ignored,
            });
            let detections = frame.detections.iter();
            let detections = detections.map(|(x, y, w, h, score)| (bounds(*x, *y, *w, *h), *score));
            precision.add_frame(&truths.collect::<Vec<_>>(), &detections.collect::<Vec<_>>());
        }
        assert_eq!(precision.objects(), case.expected.objects);
        for (iou, expected) in COCO_THRESHOLDS.into_iter().zip(&case.expected.at) {
            let found = precision.at(iou).unwrap();
            assert!((found - expected).abs() < 1e-6, "{iou}: {found} {expected}");
        }
        let mean = case.expected.at.iter().sum::<f64>() / 10.0;
        assert!((precision.mean().unwrap() - mean).abs() < 1e-6);
    }
}
