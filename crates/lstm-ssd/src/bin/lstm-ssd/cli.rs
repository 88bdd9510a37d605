//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use lstm_ssd::damage::Damage;
use lstm_ssd::detection::Postprocess;

use crate::memory::Memory;

/// Finds people, cars and two dozen other things in video.
///
/// A VIDEO is H.264 in mp4, y4m, GIF, or a folder of PNG and JPEG pictures; whatever else there is goes
/// through ffmpeg, if it is installed. `cargo xtask weights` fetches the weights. Results go to the
/// standard output, progress does not.
#[derive(Debug, Parser)]
#[command(name = "lstm-ssd", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List what is seen in a video
    ///
    /// Prints comma-separated values with a header: frame,label,score,x,y,width,height. Frames count from 1;
    /// x and y are a box's upper left corner, in pixels of the video.
    Detect(Detect),
    /// Compare what is seen in a video with what is there
    ///
    /// Prints the average precision: the area under the curve of precision over recall, where a detection
    /// has to overlap its object by a half (AP50), and the mean over ten overlaps from 0.5 to 0.95. With a list of
    /// damages there is a row for the video as it is, one for each damage, and one for the mean over damages.
    Evaluate(Evaluate),
    /// Give the detector a memory, from video without labels
    ///
    /// The detector is its own teacher: the memory sees clips of the videos damaged in many ways, and learns to make
    /// the detector see what it sees in the undamaged clips. Nothing but the videos and stills that are named is learned
    /// from. The clips are computed first and kept in a folder beside the memory, 15 MB each. With 400 of them it all takes
    /// some 15 minutes on two cores. Ctrl-C keeps what there is, and --resume goes on with it.
    ///
    /// Beside the memory there are a log, .csv, and a chart of the loss, .svg.
    Distill(Distill),
    /// Give the detector a memory, from video with labels
    ///
    /// As distill, but objects of one class are where the labels say, not where the detector sees them.
    Train(Train),
    /// Say what a file of weights, or of a memory, holds
    Info(Info),
}

/// What `distill` is told.
#[derive(Debug, Args)]
pub struct Distill {
    /// The videos
    #[arg(value_name = "VIDEO", required_unless_present = "stills")]
    pub videos: Vec<PathBuf>,

    #[command(flatten)]
    pub lesson: Lesson,
}

/// What `train` is told.
#[derive(Debug, Args)]
pub struct Train {
    /// The videos
    #[arg(value_name = "VIDEO", required = true)]
    pub videos: Vec<PathBuf>,

    /// What is in each video, in the order of the videos: a line `frame,id,x,y,width,height,conf` for each object, as
    /// in the MOT benchmarks
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub truth: Vec<PathBuf>,

    #[command(flatten)]
    pub lesson: Lesson,
}

/// How a memory is trained.
#[derive(Debug, Args)]
pub struct Lesson {
    /// Also learn from the PNG and JPEG pictures in a folder, as a moving camera sees them
    #[arg(long, value_name = "FOLDER")]
    pub stills: Vec<PathBuf>,

    /// The detector's weights, a safetensors file
    #[arg(long, value_name = "FILE")]
    pub weights: PathBuf,

    /// Where the memory goes
    #[arg(long, value_name = "FILE.safetensors")]
    pub out: PathBuf,

    /// The class that matters most
    #[arg(long, value_name = "LABEL", default_value = "Person")]
    pub class: String,

    /// Clips to cut out of the videos, 16 frames each
    #[arg(long, value_name = "N", default_value_t = 400)]
    pub clips: usize,

    /// How long to learn from the detector's maps
    #[arg(long, value_name = "N", default_value_t = 600)]
    pub iterations: usize,

    /// How long to learn from the frames themselves before; with 0, the memory has no part in front of the detector
    #[arg(long, value_name = "N", default_value_t = 400)]
    pub frame_iterations: usize,

    /// What clips, damages and the memory's start come of: the same seed, the same memory
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Where the detector's look at the clips is kept [default: beside the memory]. The same videos, weights and settings
    /// find it there
    #[arg(long, value_name = "FOLDER")]
    pub cache: Option<PathBuf>,

    /// What the memory's file is to say of the videos
    #[arg(long, value_name = "TEXT")]
    pub card: Option<String>,

    /// The licence that it is to name
    #[arg(long, value_name = "TEXT")]
    pub licence: Option<String>,

    /// Go on with a training that was interrupted
    #[arg(long)]
    pub resume: bool,

    /// Discard a training that was interrupted
    #[arg(long, conflicts_with = "resume")]
    pub restart: bool,
}

/// What `detect` is told.
#[derive(Debug, Args)]
pub struct Detect {
    #[command(flatten)]
    pub input: Input,

    /// Where the list goes [default: the standard output]
    #[arg(long, value_name = "FILE.csv")]
    pub out: Option<PathBuf>,

    /// Also draw an animation: boxes of score 0.3 and more, a colour for each class
    #[arg(long, value_name = "FILE.gif")]
    pub render: Option<PathBuf>,
}

/// What `evaluate` is told.
#[derive(Debug, Args)]
pub struct Evaluate {
    #[command(flatten)]
    pub input: Input,

    /// What is there: a line `frame,id,x,y,width,height,conf` for each object, as in the MOT benchmarks
    #[arg(long, value_name = "FILE")]
    pub truth: PathBuf,

    /// Damage the video in every way of a list in turn, as crates/lstm-ssd/damages.toml has them
    #[arg(long, value_name = "FILE.toml", conflicts_with_all = ["damage", "seed"])]
    pub damages: Option<PathBuf>,

    /// The class of these objects
    #[arg(long, value_name = "LABEL", default_value = "Person")]
    pub class: String,
}

/// Say what a file of weights, or of a memory, holds.
#[derive(Debug, Args)]
pub struct Info {
    /// The weights, or the memory
    pub file: PathBuf,

    #[command(flatten)]
    pub compute: Compute,
}

/// What goes through the detector.
#[derive(Debug, Args)]
pub struct Input {
    /// The video
    pub video: PathBuf,

    /// The detector's weights, a safetensors file
    #[arg(long, value_name = "FILE")]
    pub weights: PathBuf,

    /// Report the frames 1, 1 + N, 1 + 2 N and so on; a memory sees them all
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub every: u32,

    /// The least score, from 0 to 1
    #[arg(long, value_name = "SCORE", default_value_t = 0.05, value_parser = score)]
    pub min_score: f32,

    /// What remembers earlier frames: default, the memory that comes with the program, for persons; none; a file, for a
    /// memory that learned, and only for the weights that it was trained for; hold:K,D, for what was seen in the last K
    /// frames, each of which leaves D of its score; average:B,S, for averages of boxes and scores, of which B and S are
    /// those of the frames before; picture:D and features:D, for averages of what the two parts of a learned memory see:
    /// the picture, and the map after block 12
    #[arg(long, value_name = "MEMORY", default_value_t)]
    pub memory: Memory,

    /// Have the memory forget where the video cuts to another scene. Damage is not taken for a cut, but a cut may be
    /// missed
    #[arg(long)]
    pub cuts: bool,

    /// Damage the video first: motion-blur:35 (pixels), noise:60 (standard deviation), occlusion:0.4 (fraction), drop:0.4
    /// or freeze:0.8 (probability), dark:0.05 (gain), bitrate:150 (quantiser's step)
    #[arg(long, value_name = "KIND:SEVERITY")]
    pub damage: Option<Damage>,

    /// What the damage's random numbers come of: the same seed, the same bits
    #[arg(long, value_name = "N", default_value_t = 1, requires = "damage")]
    pub seed: u64,

    #[command(flatten)]
    pub compute: Compute,
}

impl Input {
    /// The damage that is asked for, with its seed.
    pub fn damage(&self) -> Option<(Damage, u64)> {
        self.damage.map(|damage| (damage, self.seed))
    }

    /// What is made of the network's numbers.
    pub fn postprocess(&self) -> Postprocess {
        Postprocess {
            min_score: self.min_score,
            ..Postprocess::default()
        }
    }
}

/// What computes.
#[derive(Debug, Args)]
pub struct Compute {
    /// What computes
    #[arg(long, value_enum, default_value_t = Backend::Cpu)]
    pub backend: Backend,
}

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// The CPU, by kernels made for this network
    Cpu,
    /// The GPU, by Burn's own operations; needs the feature of this name: cargo run --features wgpu
    Wgpu,
}

fn score(text: &str) -> Result<f32, String> {
    let score = text
        .parse()
        .ok()
        .filter(|score| (0.0..=1.0).contains(score));
    score.ok_or_else(|| "a score is a number from 0 to 1".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(arguments: &str) -> Result<Command, String> {
        let arguments = std::iter::once("lstm-ssd").chain(arguments.split_whitespace());
        Cli::try_parse_from(arguments)
            .map(|cli| cli.command)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_are_every_frame_and_a_low_score() {
        let Command::Detect(detect) = parse("detect clip.mp4 --weights w.safetensors").unwrap()
        else {
            panic!("detect");
        };
        assert_eq!(detect.input.every, 1);
        assert_eq!(detect.input.postprocess().min_score, 0.05);
        assert_eq!(detect.input.compute.backend, Backend::Cpu);
        assert_eq!(detect.input.memory, Memory::default());
        assert_eq!(detect.input.damage(), None);
        assert!(!detect.input.cuts);
        assert_eq!(detect.out, None);
    }

    #[test]
    fn damage_and_memory_are_as_written() {
        let arguments =
            "detect clip.mp4 --weights w --damage dark:0.05 --seed 3 --memory hold:4,0.5";
        let Command::Detect(detect) = parse(arguments).unwrap() else {
            panic!("detect");
        };
        let (damage, seed) = detect.input.damage().unwrap();
        assert_eq!((damage.to_string().as_str(), seed), ("dark:0.05", 3));
        assert_eq!(detect.input.memory.to_string(), "hold:4,0.5");
    }

    #[test]
    fn wrong_arguments_are_named() {
        for (arguments, expected) in [
            ("detect clip.mp4", "--weights <FILE>"),
            (
                "detect clip.mp4 --weights w --every 0",
                "'0' for '--every <N>'",
            ),
            (
                "detect clip.mp4 --weights w --min-score 1.5",
                "a number from 0 to 1",
            ),
            (
                "detect clip.mp4 --weights w --damage fog:1",
                "expected motion-blur, noise, occlusion, drop, freeze, dark, bitrate, found \"fog\"",
            ),
            (
                "detect clip.mp4 --weights w --seed 2",
                "--damage <KIND:SEVERITY>",
            ),
            (
                "detect clip.mp4 --weights w --memory hold:0",
                "the frames to hold: expected a whole number from 1",
            ),
            (
                "evaluate clip.mp4 --weights w --truth t --damages d.toml --damage noise:60",
                "cannot be used with",
            ),
            ("evaluate clip.mp4 --weights w", "--truth <FILE>"),
            ("info w --backend tpu", "cpu, wgpu"),
        ] {
            let error = parse(arguments).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
