//! `lstm-ssd detect`.

use std::io::{Write, stdout};

use anyhow::{Context, Result};
use burn::tensor::backend::Backend;
use lstm_ssd::detection::Detection;
use lstm_ssd::video::Video;
use lstm_ssd::{Detector, Picture};

use crate::cli::Detect;
use crate::detector::Job;
use crate::output::Output;
use crate::render::Animation;
use crate::walk::{Ended, Walk};
use crate::watch::Watch;

impl Job for Detect {
    /// Lists what is seen.
    fn run<B: Backend>(&self, detector: Detector<B>) -> Result<Ended> {
        let mut detector = detector.with_postprocess(self.input.postprocess());
        let mut video = Video::open(&self.input.video)?;
        let mut file = self.out.as_deref().map(Output::create).transpose()?;
        let mut animation = self.render.as_deref().map(Animation::create).transpose()?;

        let mut list = |rows: String| -> std::io::Result<()> {
            match &mut file {
                Some(file) => file.write_all(rows.as_bytes()),
                None => stdout().write_all(rows.as_bytes()),
            }
        };
        list("frame,label,score,x,y,width,height\n".into()).context("cannot write the list")?;
        let mut watch = Watch::new(&self.input, &mut detector, self.input.damage())?;
        let ended = Walk::new()?.over(&mut video, "", |frame, picture| {
            let Some((picture, detections)) = watch.look(frame, picture) else {
                return Ok(());
            };
            // A frame's rows go out together, so that the list never ends within a row.
            let label = |class| watch.label(class);
            list(rows(label, frame, &picture, &detections)).context("cannot write the list")?;
            if let Some(animation) = &mut animation {
                animation.add(&picture, &detections)?;
            }
            Ok(())
        });
        // Also after an error: what was computed so far is kept.
        if let Some(file) = file {
            file.finish()?;
        }
        if let Some(animation) = animation {
            animation.finish()?;
        }
        ended
    }
}

/// The rows of a frame.
fn rows(
    label: impl Fn(usize) -> String,
    frame: usize,
    picture: &Picture,
    detections: &[Detection],
) -> String {
    let mut rows = String::new();
    for detection in detections {
        let bounds = detection
            .bounds
            .scale(picture.height() as f32, picture.width() as f32);
        rows += &format!(
            "{frame},{},{:.6},{:.2},{:.2},{:.2},{:.2}\n",
            label(detection.class),
            detection.score,
            bounds.xmin,
            bounds.ymin,
            bounds.width(),
            bounds.height(),
        );
    }
    rows
}
