//! `lstm-ssd distill` and `lstm-ssd train`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bottleneck_lstm::weights::Checkpoint;
use bottleneck_lstm_ndarray::CpuRunner;
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use indicatif::{ProgressBar, ProgressStyle};
use lstm_ssd::Detector;
use lstm_ssd::network::{MemoryCard, MobileNetV2Ssd, fingerprint};
use lstm_ssd::training::{Footage, Maps, MapsConfig, Trainer, TrainingConfig};
use lstm_ssd::truth::GroundTruth;

use crate::chart;
use crate::cli::{Distill, Lesson, Train};
use crate::output::Output;
use crate::walk::{self, Ended};

/// Damaged copies of a clip.
const COPIES: usize = 3;

/// Iterations from one checkpoint to the next.
const CHECKPOINT: usize = 25;

type Memories = Trainer<Autodiff<Flex>, CpuRunner>;

impl Distill {
    /// Trains a memory on video without labels.
    pub fn run(&self) -> Result<Ended> {
        let videos = self.videos.iter().map(|video| (video.as_path(), None));
        self.lesson.run(videos.collect())
    }
}

impl Train {
    /// Trains a memory on video with labels.
    pub fn run(&self) -> Result<Ended> {
        let (videos, truths) = (self.videos.len(), self.truth.len());
        ensure!(
            videos == truths,
            "expected a --truth for each video, in their order: {videos}, found {truths}"
        );
        let videos = self.videos.iter().zip(&self.truth).map(|(video, truth)| {
            let truth = GroundTruth::read(truth)?;
            Ok((video.as_path(), Some(truth)))
        });
        self.lesson.run(videos.collect::<Result<_>>()?)
    }
}

impl Lesson {
    fn run(&self, videos: Vec<(&Path, Option<GroundTruth>)>) -> Result<Ended> {
        let files = Files::beside(&self.out);
        self.check_checkpoint(&files)?;
        let stop = walk::listen()?;
        let device = Default::default();
        let weights = || self.weights.display().to_string();
        let detector = Detector::<Flex>::load(&self.weights, &device).with_context(weights)?;
        let class = detector
            .class(&self.class)
            .with_context(|| format!("the detector knows no class {:?}", self.class))?;
        let checkpoint = Checkpoint::open(&self.weights)?;
        let fingerprint = fingerprint(&checkpoint)?;

        let footage = self.footage(videos)?;
        let config = MapsConfig {
            seed: self.seed,
            clips: self.clips,
            copies: COPIES,
            class: Some(class),
        };
        let cache = self.cache.as_deref().unwrap_or(&files.cache);
        let network =
            MobileNetV2Ssd::<Flex>::from_checkpoint(detector.config(), &checkpoint, &device)?;
        let bar = bar(self.clips, "clips", "")?;
        let maps = Maps::prepare(
            cache,
            &network,
            &fingerprint,
            &footage,
            &config,
            |clips| bar.set_position(clips as u64),
            &stop,
        );
        bar.finish_and_clear();
        let Some(maps) = maps? else {
            return Ok(Ended::Interrupted);
        };

        let network = MobileNetV2Ssd::from_checkpoint(detector.config(), &checkpoint, &device)?;
        let config = TrainingConfig {
            seed: self.seed,
            iterations: self.iterations,
            ..TrainingConfig::default()
        };
        let mut trainer = Memories::new(config, maps, network, CpuRunner::new(), device)?;
        if self.resume {
            trainer = trainer.resume(&files.checkpoint)?;
        }
        let ended = self.train(&mut trainer, &files, &stop)?;
        if ended == Ended::Whole {
            let card = self.card(fingerprint);
            trainer.memory().save(&self.out, &card)?;
            eprintln!("wrote {}", self.out.display());
            std::fs::remove_file(&files.checkpoint)
                .with_context(|| files.checkpoint.display().to_string())?;
        }
        Ok(ended)
    }

    /// That no unfinished training is lost by mistake.
    fn check_checkpoint(&self, files: &Files) -> Result<()> {
        let path = files.checkpoint.display();
        let exists = files.checkpoint.exists();
        ensure!(
            !self.resume || exists,
            "there is no training to resume: {path} is not there"
        );
        ensure!(
            self.resume || self.restart || !exists,
            "{path} is of an unfinished training: --resume goes on with it, --restart discards it"
        );
        Ok(())
    }

    /// Reads all videos once.
    fn footage(&self, videos: Vec<(&Path, Option<GroundTruth>)>) -> Result<Footage> {
        let style = ProgressStyle::with_template("{spinner} {prefix}: {pos}, {elapsed}")?;
        let progress = ProgressBar::new_spinner().with_style(style);
        progress.enable_steady_tick(Duration::from_millis(100));
        let mut footage = Footage::new();
        for (path, truth) in videos {
            progress.set_prefix(path.display().to_string());
            footage.add_video(path, truth, |frame| progress.set_position(frame as u64))?;
        }
        for folder in &self.stills {
            progress.set_prefix(folder.display().to_string());
            let still = |still: usize| progress.set_position(still as u64);
            footage
                .add_stills(folder, still)
                .with_context(|| folder.display().to_string())?;
        }
        progress.finish_and_clear();
        Ok(footage)
    }

    /// Trains to the end, or until Ctrl-C.
    fn train(&self, trainer: &mut Memories, files: &Files, stop: &AtomicBool) -> Result<Ended> {
        let bar = bar(self.iterations, "iterations", ", loss {msg}")?;
        let mut ended = Ended::Whole;
        while !trainer.is_done() {
            let step = trainer.step()?;
            bar.set_position(step.iteration as u64);
            bar.set_message(format!("{:.4} of {:.4}", step.features, step.shown));
            let interrupted = stop.load(Ordering::Relaxed);
            if interrupted || step.iteration.is_multiple_of(CHECKPOINT) || trainer.is_done() {
                trainer.save(&files.checkpoint)?;
            }
            if interrupted && !trainer.is_done() {
                ended = Ended::Interrupted;
                break;
            }
        }
        bar.finish_and_clear();
        let mut rows = "iteration,shown,features,detections,rate,amount\n".to_owned();
        for step in trainer.steps() {
            let detections = step
                .detection
                .map_or(String::new(), |loss| format!("{loss:.6}"));
            rows += &format!(
                "{},{:.6},{:.6},{detections},{:.3e},{:.6}\n",
                step.iteration, step.shown, step.features, step.rate, step.amount
            );
        }
        write(&files.log, &rows)?;
        write(&files.chart, &chart::losses(trainer.steps()))?;
        Ok(ended)
    }

    /// What the file says of the memory.
    fn card(&self, detector: String) -> MemoryCard {
        // However often it was interrupted: the same memory, the same file.
        let command = std::env::args()
            .skip(1)
            .filter(|argument| !["--resume", "--restart"].contains(&argument.as_str()));
        let command: Vec<String> = ["lstm-ssd".to_owned()].into_iter().chain(command).collect();
        let notes = [
            ("command", Some(command.join(" "))),
            ("data", self.card.clone()),
            ("licence", self.licence.clone()),
        ];
        let notes = notes
            .into_iter()
            .filter_map(|(key, note)| Some((key.to_owned(), note?)));
        MemoryCard {
            detector,
            notes: notes.collect(),
        }
    }
}

/// What a training leaves beside the memory.
struct Files {
    cache: PathBuf,
    checkpoint: PathBuf,
    log: PathBuf,
    chart: PathBuf,
}

impl Files {
    fn beside(out: &Path) -> Self {
        Self {
            cache: out.with_extension("cache"),
            checkpoint: out.with_extension("checkpoint"),
            log: out.with_extension("csv"),
            chart: out.with_extension("svg"),
        }
    }
}

fn bar(length: usize, what: &str, more: &str) -> Result<ProgressBar> {
    let template =
        format!("{{wide_bar}} {{pos}} of {{len}} {what}{more}, {{elapsed}}, {{eta}} to go");
    let style = ProgressStyle::with_template(&template)?;
    let bar = ProgressBar::new(length as u64).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(100));
    Ok(bar)
}

fn write(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    let mut output = Output::create(path)?;
    output.write_all(text.as_bytes())?;
    output.finish()
}
