//! `lstm-ssd distill` and `lstm-ssd train`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bottleneck_lstm::weights::Checkpoint;
use bottleneck_lstm_ndarray::CpuRunner;
use burn::module::AutodiffModule;
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use indicatif::{ProgressBar, ProgressStyle};
use lstm_ssd::Detector;
use lstm_ssd::network::{FrameMemory, Memory, MemoryCard, MobileNetV2Ssd, fingerprint};
use lstm_ssd::training::{
    Footage, Frozen, Maps, MapsConfig, Student, Trainer, TrainingConfig, View,
};
use lstm_ssd::truth::GroundTruth;

use crate::chart;
use crate::cli::{Distill, Lesson, Train};
use crate::output::Output;
use crate::walk::{self, Ended};

/// Damaged copies of a clip.
const COPIES: usize = 3;

/// Iterations from one checkpoint to the next.
const CHECKPOINT: usize = 25;

type Diff = Autodiff<Flex>;
type Training<S> = Trainer<Diff, CpuRunner, S>;

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
        let files = Files::of(&self.out, self.cache.as_deref());
        self.check_checkpoint(&files)?;
        let stop = walk::listen()?;
        files.begin()?;
        let device = Default::default();
        let weights = || self.weights.display().to_string();
        let detector = Detector::<Flex>::load(&self.weights, &device).with_context(weights)?;
        let class = detector
            .class(&self.class)
            .with_context(|| format!("the detector knows no class {:?}", self.class))?;
        let checkpoint = Checkpoint::open(&self.weights)?;
        let fingerprint = fingerprint(&checkpoint)?;

        let Some(footage) = self.footage(videos, &stop)? else {
            return Ok(Ended::Interrupted);
        };
        let config = MapsConfig {
            seed: self.seed,
            clips: self.clips,
            copies: COPIES,
            class: Some(class),
        };
        let frozen =
            MobileNetV2Ssd::<Flex>::from_checkpoint(detector.config(), &checkpoint, &device)?;
        if self.restart {
            files.forget()?;
        }
        let make = |stage: &Stage, view: View<'_>| -> Result<Option<Maps>> {
            let bar = bar(self.clips, stage.clips, "")?;
            let maps = Maps::prepare(
                &stage.cache,
                Frozen {
                    detector: &frozen,
                    fingerprint: &fingerprint,
                },
                &footage,
                &config,
                view,
                |clips| bar.set_position(clips as u64),
                &stop,
            );
            bar.finish_and_clear();
            Ok(maps?)
        };
        let network =
            || MobileNetV2Ssd::<Diff>::from_checkpoint(detector.config(), &checkpoint, &device);
        let set = |default: TrainingConfig, iterations: usize| TrainingConfig {
            seed: self.seed,
            iterations,
            ..default
        };

        let stage = &files.frame;
        let frame = match self.frame_iterations {
            0 => None,
            iterations => {
                let Some(maps) = make(stage, View::Frames)? else {
                    return Ok(Ended::Interrupted);
                };
                let config = set(TrainingConfig::of_frames(), iterations);
                let runner = CpuRunner::new();
                let trainer = Training::<FrameMemory<_>>::of_frames(
                    config,
                    maps,
                    network()?,
                    runner,
                    device,
                )?;
                let Some(frame) = self.train(trainer, stage, &stop)? else {
                    return Ok(Ended::Interrupted);
                };
                Some(frame)
            }
        };
        let stage = &files.map;
        let view = View::Maps {
            frame: frame.as_ref(),
        };
        let Some(maps) = make(stage, view)? else {
            return Ok(Ended::Interrupted);
        };
        let config = set(TrainingConfig::default(), self.iterations);
        let runner = CpuRunner::new();
        let trainer = Training::<Memory<_>>::new(config, maps, network()?, runner, device)?;
        let Some(memory) = self.train(trainer, stage, &stop)? else {
            return Ok(Ended::Interrupted);
        };
        let memory = match frame {
            Some(frame) => memory.with_frame(frame),
            None => memory,
        };
        memory.save(&self.out, &self.card(fingerprint))?;
        eprintln!("wrote {}", self.out.display());
        files.forget()?;
        Ok(Ended::Whole)
    }

    /// That no unfinished training is lost by mistake.
    fn check_checkpoint(&self, files: &Files) -> Result<()> {
        let mut stages = files.stages().into_iter();
        let unfinished = stages.find(|stage| stage.checkpoint.exists());
        // Before the first checkpoint there are clips, some or all of them.
        let begun = unfinished.is_some() || files.cache.exists() && !self.out.exists();
        ensure!(
            !self.resume || begun,
            "there is no training to resume: there is neither {} nor, without a memory, {}",
            files.stages()[0].checkpoint.display(),
            files.cache.display()
        );
        if let Some(stage) = unfinished {
            ensure!(
                self.resume || self.restart,
                "{} is of an unfinished training: --resume goes on with it, --restart discards it",
                stage.checkpoint.display()
            );
        }
        Ok(())
    }

    /// Reads all videos once, or until Ctrl-C.
    fn footage(
        &self,
        videos: Vec<(&Path, Option<GroundTruth>)>,
        stop: &AtomicBool,
    ) -> Result<Option<Footage>> {
        let style = ProgressStyle::with_template("{spinner} {prefix}: {pos}, {elapsed}")?;
        let progress = ProgressBar::new_spinner().with_style(style);
        progress.enable_steady_tick(Duration::from_millis(100));
        let mut footage = Footage::new();
        for (path, truth) in videos {
            progress.set_prefix(path.display().to_string());
            let frame = |frame: usize| progress.set_position(frame as u64);
            if !footage.add_video(path, truth, frame, stop)? {
                return Ok(None);
            }
        }
        for folder in &self.stills {
            progress.set_prefix(folder.display().to_string());
            let still = |still: usize| progress.set_position(still as u64);
            let added = footage.add_stills(folder, still, stop);
            if !added.with_context(|| folder.display().to_string())? {
                return Ok(None);
            }
        }
        progress.finish_and_clear();
        Ok(Some(footage))
    }

    /// Trains to the end, or until Ctrl-C: then there is nothing yet.
    fn train<S>(
        &self,
        mut trainer: Training<S>,
        stage: &Stage,
        stop: &AtomicBool,
    ) -> Result<Option<S::InnerModule>>
    where
        S: Student<Diff> + AutodiffModule<Diff>,
    {
        let checkpoint = &stage.checkpoint;
        if checkpoint.exists() {
            trainer = trainer.resume(checkpoint)?;
        }
        let bar = bar(trainer.iterations(), stage.iterations, ", loss {msg}")?;
        while !trainer.is_done() {
            let step = trainer.step()?;
            bar.set_position(step.iteration as u64);
            bar.set_message(format!("{:.4} of {:.4}", step.features, step.shown));
            let interrupted = stop.load(Ordering::Relaxed);
            if interrupted || step.iteration.is_multiple_of(CHECKPOINT) || trainer.is_done() {
                trainer.save(checkpoint)?;
            }
            if interrupted {
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
        write(&stage.log, &rows)?;
        write(&stage.chart, &chart::losses(trainer.steps()))?;
        Ok(trainer.is_done().then(|| trainer.memory()))
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
    /// The folder of all clips.
    cache: PathBuf,
    frame: Stage,
    map: Stage,
}

/// What the training of a part leaves.
struct Stage {
    /// What its bars count.
    clips: &'static str,
    iterations: &'static str,
    cache: PathBuf,
    checkpoint: PathBuf,
    log: PathBuf,
    chart: PathBuf,
}

impl Files {
    fn of(out: &Path, cache: Option<&Path>) -> Self {
        let cache = cache.map_or_else(|| out.with_extension("cache"), Path::to_owned);
        let stage = |name: &str, clips, iterations| Stage {
            clips,
            iterations,
            cache: cache.join(name),
            checkpoint: out.with_extension(format!("{name}.checkpoint")),
            log: out.with_extension(format!("{name}.csv")),
            chart: out.with_extension(format!("{name}.svg")),
        };
        Self {
            frame: stage("frame", "clips of frames", "iterations on frames"),
            map: stage("map", "clips of maps", "iterations on maps"),
            cache,
        }
    }

    /// In their order.
    fn stages(&self) -> [&Stage; 2] {
        [&self.frame, &self.map]
    }

    /// Makes the folder by which a training is known from its first moment on.
    fn begin(&self) -> Result<()> {
        let path = || self.cache.display().to_string();
        std::fs::create_dir_all(&self.cache).with_context(path)
    }

    /// Removes all checkpoints.
    fn forget(&self) -> Result<()> {
        for Stage { checkpoint, .. } in self.stages() {
            if checkpoint.exists() {
                let path = || checkpoint.display().to_string();
                std::fs::remove_file(checkpoint).with_context(path)?;
            }
        }
        Ok(())
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
