//! The command line.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Parser, ValueEnum};
use video_demo_app::{Appearance, Look, Quantity, Settings};

/// See the memory work: handwritten digits drift through damaged video; a network without a memory and the same
/// network with a Bottleneck-LSTM say what they see, side by side.
///
/// F1 in the window shows the keys.
#[derive(Debug, Clone, Parser)]
#[command(name = "video-demo", version)]
pub struct Cli {
    /// What computes; auto is the GPU that draws, if it is one, and else the CPU
    #[arg(long, value_enum, default_value_t = Device::Auto)]
    pub device: Device,

    /// A folder of weights, as `moving-digits --save-weights FOLDER` writes it [default: the demo's own]
    #[arg(long, value_name = "FOLDER")]
    pub weights: Option<PathBuf>,

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

    /// Frames a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub rate: Option<u32>,

    /// What of the memory to show
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
        if let Some(rate) = self.rate {
            settings.rate = Some(rate.into());
        }
        // What is measured has the heat map on, unless it is said.
        let measured = self.measure.map(|_| Part(Some(Quantity::Hidden)));
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
        ] {
            let error = parse(arguments).unwrap_err();
            assert!(error.contains(why), "{arguments}: {error}");
        }
    }
}
