//! The command line.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValue;
use clap::{Parser, ValueEnum};
use lstm_ssd::damage::{Damage, Kind};
use video_demo_app::{Appearance, Look, Quantity, Settings};

use crate::digits::Weights;
use crate::networks::NetworkError;
use crate::video::{Memory, Setup, setting};

/// See the memory work: a network without a memory and the same network with one say what they see in damaged video,
/// side by side.
///
/// Without a video, handwritten digits drift, and the networks are small ones that come with the program. With --video,
/// or with a file dropped on the window, it is that video, and a detector of people, cars and two dozen other things,
/// whose weights `cargo xtask weights` fetches.
///
/// F1 in the window shows the keys.
#[derive(Debug, Clone, Parser)]
#[command(name = "video-demo", version)]
pub struct Cli {
    /// What computes; auto is the GPU that draws, if it is one, and else the CPU
    #[arg(long, value_enum, default_value_t = Device::Auto)]
    pub device: Device,

    /// A video for the detector: H.264 in mp4, y4m, GIF, a folder of pictures, or what an installed ffmpeg reads
    #[arg(long, value_name = "FILE")]
    pub video: Option<PathBuf>,

    /// Weights: the detector's, a file as `cargo xtask weights` writes it [default:
    /// target/weights/ssd_mobilenet_v2.safetensors], or those for digits, a folder as `moving-digits --save-weights`
    /// writes it [default: the demo's own]
    #[arg(long, value_name = "FILE|FOLDER")]
    pub weights: Option<PathBuf>,

    /// The detector's memory: default, the one that comes with `lstm-ssd`, for persons; a file, as `lstm-ssd distill` writes it; none; hold:K,D, for what was seen in the last K frames, each of which leaves D of its
    /// score; average:B,S, for averages of boxes and scores, of which B and S are those of the frames before
    #[arg(long, value_name = "FILE|none|hold:K,D|average:B,S", default_value_t)]
    pub memory: Memory,

    /// The class that the detector's heat map is of
    #[arg(long, value_name = "LABEL", default_value = Setup::CLASS)]
    pub class: String,

    /// Damage videos so, and not otherwise: motion-blur:35 (pixels), noise:60 (standard deviation), occlusion:0.4
    /// (fraction), drop:0.4 or freeze:0.8 (probability), dark:0.05 (gain), bitrate:150 (quantiser's step). May be given
    /// several times; drop:0 is no damage
    #[arg(long, value_name = "KIND:SEVERITY", value_parser = damage)]
    pub damage: Vec<Damage>,

    /// What the random numbers of these damages come of: the same seed, the same bits [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Render a picture without a window, with what was seen beside it as JSON
    #[arg(long, requires = "out")]
    pub headless: bool,

    /// Frames to render
    #[arg(long, value_name = "N", default_value_t = 48, requires = "headless")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3000))]
    pub frames: u32,

    /// Where the picture goes: a .gif of all frames or a .png of the last
    #[arg(long, value_name = "FILE", requires = "headless", value_parser = picture_file)]
    pub out: Option<PathBuf>,

    /// Measure how fast it is, for so many seconds: in the window, or with --headless without one
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3600), conflicts_with = "out")]
    pub measure: Option<u32>,

    /// The size of the picture or of the window, in pixels
    #[arg(long, value_name = "WxH", default_value = "1280x720", value_parser = size)]
    pub size: [usize; 2],

    /// Pixels a point, for a picture
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = scale)]
    pub scale: f32,

    /// Frames a second [default: as many as the video has]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub rate: Option<u32>,

    /// What to show as a heat map: a part of the memory for digits, score for a video
    #[arg(long, value_enum)]
    pub heat: Option<Part>,

    /// Light or dark
    #[arg(long, value_enum)]
    pub theme: Option<Theme>,

    /// Forget what was set in earlier runs
    #[arg(long)]
    pub forget: bool,
}

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Device {
    /// The GPU that draws, if it is one, and else the CPU
    Auto,
    /// The CPU
    Cpu,
    /// The device that draws, whatever it is
    Gpu,
}

/// A part of the memory, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part(Option<Quantity>);

impl ValueEnum for Part {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Part; Quantity::ALL.len() + 1] = {
            let mut all = [Part(None); Quantity::ALL.len() + 1];
            let mut index = 0;
            while index < Quantity::ALL.len() {
                all[index + 1] = Part(Some(Quantity::ALL[index]));
                index += 1;
            }
            all
        };
        &ALL
    }

    /// The first word of its name: `forget` for the forget gate.
    fn to_possible_value(&self) -> Option<PossibleValue> {
        let Some(quantity) = self.0 else {
            return Some(PossibleValue::new("none"));
        };
        let word = quantity.name().split(' ').next()?;
        Some(PossibleValue::new(word).help(format!("The {}", quantity.name())))
    }
}

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Theme {
    /// Light on dark
    Dark,
    /// Dark on light
    Light,
}

impl Cli {
    /// What was set in an earlier run, as far as the command line does not say otherwise.
    pub fn settings(&self, before: Settings) -> Settings {
        let mut settings = match self.forget {
            true => Settings::default(),
            false => before,
        };
        if self.video.is_some() {
            settings.rate = None;
        }
        if let Some(rate) = self.rate {
            settings.rate = Some(rate.into());
        }
        if !self.damage.is_empty() {
            let zeros = Kind::ALL.map(|kind| (kind.name().to_owned(), 0.0));
            settings.knobs.extend(zeros);
            settings.knobs.extend(
                self.damage
                    .iter()
                    .filter_map(|damage| setting(*damage).ok()),
            );
        }
        settings.seed = self.seed.or(settings.seed);
        // What is measured has the heat map on, unless it is said.
        let part = match self.video {
            Some(_) => Quantity::Score,
            None => Quantity::Hidden,
        };
        let measured = self.measure.map(|_| Part(Some(part)));
        if let Some(Part(quantity)) = self.heat.or(measured) {
            settings.look = Look {
                quantity,
                channel: None,
            };
        }
        if let Some(theme) = self.theme {
            settings.appearance = match theme {
                Theme::Dark => Appearance::Dark,
                Theme::Light => Appearance::Light,
            };
        }
        settings
    }

    /// What looks at videos.
    pub fn setup(&self) -> Setup {
        let weights = self.weights.as_deref();
        let weights = weights.filter(|path| self.is_the_detectors(path));
        Setup {
            weights: weights.unwrap_or(Path::new(Setup::WEIGHTS)).to_owned(),
            memory: self.memory.clone(),
            class: self.class.clone(),
        }
    }

    /// The weights for digits.
    ///
    /// # Errors
    ///
    /// If a folder of weights is named, and has none.
    pub fn digits(&self) -> Result<Weights, NetworkError> {
        let weights = self.weights.as_deref();
        match weights.filter(|path| !self.is_the_detectors(path)) {
            None => Ok(Weights::embedded()),
            Some(folder) => Weights::of_folder(folder),
        }
    }

    /// Whether weights are the detector's, and not for digits.
    fn is_the_detectors(&self, path: &Path) -> bool {
        path.is_file() || (self.video.is_some() && !path.is_dir())
    }
}

fn damage(text: &str) -> Result<Damage, String> {
    let damage: Damage = text.parse().map_err(|error| format!("{error}"))?;
    setting(damage).map_err(|error| error.to_string())?;
    Ok(damage)
}

fn size(text: &str) -> Result<[usize; 2], String> {
    let sides = text.split_once('x').and_then(|(width, height)| {
        let side = |text: &str| text.parse().ok().filter(|side| (320..=8192).contains(side));
        Some([side(width)?, side(height)?])
    });
    sides.ok_or_else(|| "a width and a height from 320 to 8192, as in 1280x720".to_owned())
}

fn scale(text: &str) -> Result<f32, String> {
    let scale = text
        .parse()
        .ok()
        .filter(|scale| (0.5..=4.0).contains(scale));
    scale.ok_or_else(|| "a number from 0.5 to 4".to_owned())
}

fn picture_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let ending = path.extension().and_then(|ending| ending.to_str());
    match ending {
        Some("gif" | "png") => Ok(path),
        _ => Err("the name of a .gif or a .png".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(arguments: &str) -> Result<Cli, String> {
        let arguments = std::iter::once("video-demo").chain(arguments.split_whitespace());
        Cli::try_parse_from(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_picture_and_a_measurement_are_asked_for() {
        let cli = parse("--headless --frames 3 --out demo.gif").unwrap();
        assert_eq!((cli.frames, cli.size), (3, [1280, 720]));
        assert_eq!(parse("--measure").unwrap().measure, Some(60));
        assert_eq!(parse("--measure 5").unwrap().measure, Some(5));
        assert_eq!(parse("").unwrap().measure, None);
    }

    #[test]
    fn what_the_command_line_says_goes_before_what_was_set() {
        let before = Settings {
            truth: true,
            appearance: Appearance::Light,
            ..Settings::default()
        };
        let settings = parse("--heat forget --rate 20")
            .unwrap()
            .settings(before.clone());
        assert_eq!(settings.look.quantity, Some(Quantity::Forget));
        assert_eq!(settings.rate, Some(20.0));
        assert!(settings.truth);
        assert_eq!(settings.appearance, Appearance::Light);
        assert_eq!(
            parse("--forget").unwrap().settings(before),
            Settings::default()
        );
        let measured = |arguments| {
            let settings = parse(arguments).unwrap().settings(Settings::default());
            settings.look.quantity
        };
        assert_eq!(measured("--measure"), Some(Quantity::Hidden));
        assert_eq!(measured("--measure --heat cell"), Some(Quantity::Cell));
        assert_eq!(measured("--measure --heat none"), None);
    }

    #[test]
    fn a_damage_that_is_asked_for_is_the_only_one() {
        let cli = parse("--video clip.mp4 --damage noise:60 --damage dark:0.05 --seed 3").unwrap();
        let before = Settings {
            rate: Some(5.0),
            ..Settings::default()
        };
        let settings = cli.settings(before);
        assert_eq!((settings.seed, settings.rate), (Some(3), None));
        let knobs: Vec<_> = settings.knobs.iter().filter(|knob| *knob.1 > 0.0).collect();
        assert_eq!(
            knobs,
            [(&"dark".to_owned(), &0.95), (&"noise".to_owned(), &60.0)]
        );
        assert_eq!(settings.knobs["drop"], 0.0);
        assert!(
            parse("")
                .unwrap()
                .settings(Settings::default())
                .knobs
                .is_empty()
        );
    }

    #[test]
    fn weights_go_where_they_belong() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ssd.safetensors");
        std::fs::write(&file, "").unwrap();
        let detector = parse(&format!("--weights {}", file.display())).unwrap();
        assert_eq!(detector.setup().weights, file);
        assert!(detector.digits().is_ok(), "the demo's own");
        let digits = parse(&format!("--weights {}", folder.path().display())).unwrap();
        assert_eq!(digits.setup().weights, Path::new(Setup::WEIGHTS));
        assert!(digits.digits().is_err(), "an empty folder");
        let missing = parse("--video clip.mp4 --weights nowhere").unwrap();
        assert_eq!(missing.setup().weights, Path::new("nowhere"));
    }

    #[test]
    fn wrong_arguments_are_named() {
        for (arguments, why) in [
            ("--headless", "--out <FILE>"),
            ("--headless --out demo.bmp", "a .gif or a .png"),
            ("--out demo.png", "--headless"),
            ("--size 10x10", "as in 1280x720"),
            ("--size wide", "as in 1280x720"),
            ("--device tpu", "auto, cpu, gpu"),
            ("--frames 0 --headless --out a.png", "'--frames <N>'"),
            ("--heat hot", "none, hidden, cell"),
            ("--damage fog:1", "expected motion-blur, noise"),
            ("--damage noise:900", "goes up to noise:200"),
            ("--memory hold:0", "a whole number from 1"),
        ] {
            let error = parse(arguments).unwrap_err();
            assert!(error.contains(why), "{arguments}: {error}");
        }
    }
}
