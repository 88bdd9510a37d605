//! `lstm-ssd evaluate`.

use anyhow::{Context, Result, ensure};
use burn::tensor::backend::Backend;
use lstm_ssd::Detector;
use lstm_ssd::damage::DamageList;
use lstm_ssd::detection::AveragePrecision;
use lstm_ssd::truth::GroundTruth;
use lstm_ssd::video::Video;

use crate::cli::Evaluate;
use crate::detector::Job;
use crate::score::{self, Row, Trial};
use crate::table::markdown;
use crate::walk::{Ended, Walk};
use crate::watch::Watch;

impl Job for Evaluate {
    /// Compares what is seen with what is there.
    fn run<B: Backend>(&self, detector: Detector<B>) -> Result<Ended> {
        let truth = GroundTruth::read(&self.truth)?;
        let list = self.damages.as_deref().map(DamageList::read).transpose()?;
        let detector = detector.with_postprocess(self.input.postprocess());
        let class = detector
            .class(&self.class)
            .with_context(|| format!("the detector knows no class {:?}", self.class))?;
        let label = detector.label(class);
        let memory = self.input.memory.on(&detector);

        let mut rows = match &list {
            Some(list) => Row::of_list(list),
            None => vec![Row::new(self.input.damage())],
        };
        let mut trials = Trials {
            args: self,
            truth: &truth,
            class,
            detector,
            walk: Walk::new()?,
        };
        let ended = trials.run(&mut rows);
        // Also after an error: what was computed so far is kept.
        rows.retain(|row| !row.is_empty());
        if rows.is_empty() {
            return ended;
        }
        let common = || [self.video(), label.clone(), memory.clone()];
        let mut table = vec![score::COLUMNS.map(String::from)];
        table.extend(rows.iter().map(|row| row.cells(common())));
        if list.is_some() && matches!(ended, Ok(Ended::Whole)) {
            table.push(score::mean(&rows, common()));
        }
        print!("{}", markdown(&table));
        if let (Some(list), Some(path)) = (list, &self.damages) {
            println!("\nSHA-256 of {}: {}", path.display(), list.sha256());
        }
        ended
    }
}

impl Evaluate {
    /// The video's name.
    fn video(&self) -> String {
        let name = self.input.video.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// What all trials have in common.
struct Trials<'a, B: Backend> {
    args: &'a Evaluate,
    truth: &'a GroundTruth,
    class: usize,
    detector: Detector<B>,
    walk: Walk,
}

impl<B: Backend> Trials<'_, B> {
    /// Runs all trials, one after the other, until one does not come to its end. What came of that one, if anything,
    /// counts where it is all that its row has.
    fn run(&mut self, rows: &mut [Row]) -> Result<Ended> {
        let total: usize = rows.iter().map(|row| row.trials().len()).sum();
        let mut number = 0;
        for row in rows {
            for trial in row.trials().to_vec() {
                number += 1;
                let what = match total {
                    1 => String::new(),
                    _ => format!("{number} of {total}, {}: ", name(&trial)),
                };
                let mut score = AveragePrecision::new();
                let ended = self.measure(trial, &what, &mut score);
                let whole = matches!(ended, Ok(Ended::Whole));
                if whole || (row.is_empty() && score.frames() > 0) {
                    row.add(score);
                }
                if !whole {
                    return ended;
                }
            }
        }
        Ok(Ended::Whole)
    }

    /// Watches the video, and adds to `score` how well objects are seen.
    fn measure(&mut self, trial: Trial, what: &str, score: &mut AveragePrecision) -> Result<Ended> {
        let input = &self.args.input;
        let mut video = Video::open(&input.video)?;
        let mut watch = Watch::new(input, &mut self.detector, trial)?;
        let ended = self.walk.over(&mut video, what, |frame, picture| {
            if let Some((picture, detections)) = watch.look(frame, picture) {
                let (height, width) = (picture.height() as f32, picture.width() as f32);
                let seen = detections.iter().filter(|seen| seen.class == self.class);
                let seen: Vec<_> = seen
                    .map(|seen| (seen.bounds.scale(height, width), seen.score))
                    .collect();
                score.add_frame(self.truth.frame(frame), &seen);
            }
            Ok(())
        })?;
        ensure!(
            ended == Ended::Interrupted || self.truth.last_frame() <= video.frames(),
            "{}: there is a box in frame {}, and the video has {} frames",
            self.args.truth.display(),
            self.truth.last_frame(),
            video.frames()
        );
        Ok(ended)
    }
}

fn name(trial: &Trial) -> String {
    trial.map_or("no damage".into(), |(damage, seed)| {
        format!("{damage}, seed {seed}")
    })
}
