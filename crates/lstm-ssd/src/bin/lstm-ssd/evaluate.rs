//! `lstm-ssd evaluate`.

use anyhow::{Context, Result, ensure};
use burn::tensor::backend::Backend;
use lstm_ssd::Detector;
use lstm_ssd::detection::AveragePrecision;
use lstm_ssd::truth::GroundTruth;
use lstm_ssd::video::Video;

use crate::cli::Evaluate;
use crate::detector::Job;
use crate::table::markdown;
use crate::walk::{Ended, walk};

impl Job for Evaluate {
    /// Compares what is seen with what is there.
    fn run<B: Backend>(&self, detector: Detector<B>) -> Result<Ended> {
        let input = &self.input;
        let truth = GroundTruth::read(&self.truth)?;
        let mut detector = detector.with_postprocess(input.postprocess());
        let class = detector
            .class(&self.class)
            .with_context(|| format!("the detector knows no class {:?}", self.class))?;
        let mut video = Video::open(&input.video)?;

        let mut precision = AveragePrecision::new();
        let ended = walk(input, &mut video, |frame, picture| {
            let (height, width) = (picture.height() as f32, picture.width() as f32);
            let detections = detector.detect(picture);
            let seen = detections.iter().filter(|seen| seen.class == class);
            let seen: Vec<_> = seen
                .map(|seen| (seen.bounds.scale(height, width), seen.score))
                .collect();
            precision.add_frame(truth.frame(frame), &seen);
            Ok(())
        });
        // Also after an error: what was computed so far is kept.
        print!("{}", table(self, &detector.label(class), &precision));
        if matches!(ended, Ok(Ended::Whole)) {
            ensure!(
                truth.last_frame() <= video.frames(),
                "{}: there is a box in frame {}, and the video has {} frames",
                self.truth.display(),
                truth.last_frame(),
                video.frames()
            );
        }
        ended
    }
}

fn table(args: &Evaluate, label: &str, precision: &AveragePrecision) -> String {
    let name = args.input.video.file_name().unwrap_or_default();
    let area = |area: Option<f64>| area.map_or("–".into(), |area| format!("{area:.4}"));
    markdown(&[
        [
            "video",
            "class",
            "frames",
            "objects",
            "detections",
            "AP50",
            "AP50:95",
        ]
        .map(String::from),
        [
            name.to_string_lossy().into_owned(),
            label.to_owned(),
            precision.frames().to_string(),
            precision.objects().to_string(),
            precision.detections().to_string(),
            area(precision.at(0.5)),
            area(precision.mean()),
        ],
    ])
}
