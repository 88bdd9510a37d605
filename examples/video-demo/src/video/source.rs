//! A video of the viewer's as a source.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lstm_ssd::Picture;
use lstm_ssd::video::Video;
use video_demo_app::{Channels, Found, SourceCard, Step, Tally};

use super::damages::{Damages, knobs};
use crate::source::{Source, SourceError, Still};

/// Frames a second of a video that does not say how many it has.
const RATE: f64 = 25.0;

/// Frames a second that are believed.
const RATES: std::ops::RangeInclusive<f64> = 1.0..=240.0;

/// A video that begins again when it is over, and what spoils it.
pub struct Footage {
    path: PathBuf,
    rate: f64,
    video: Option<Video>,
    /// A picture that was read already.
    ahead: Option<Picture>,
    /// The number of the next picture, from 0.
    number: u64,
    /// What is wrong with the video from here on.
    fault: Option<SourceError>,
    damages: Damages,
}

impl Footage {
    /// Opens a video, and reads its first picture.
    ///
    /// # Errors
    ///
    /// If it is none, or has no picture.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let mut footage = Self {
            path: path.to_owned(),
            rate: RATE,
            video: None,
            ahead: None,
            number: 0,
            fault: None,
            damages: Damages::default(),
        };
        footage.ahead = footage.read()?;
        let rate = footage.video.as_ref().and_then(Video::rate);
        footage.rate = rate.unwrap_or(RATE).clamp(*RATES.start(), *RATES.end());
        Ok(footage)
    }

    /// The next picture, or none at the end. What is wrong stays wrong until the video begins again.
    fn read(&mut self) -> Result<Option<Picture>, SourceError> {
        if let Some(picture) = self.ahead.take() {
            return Ok(Some(picture));
        }
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let picture = match &mut self.video {
            Some(video) => video.next(),
            None => match Video::open(&self.path) {
                Ok(video) => self.video.insert(video).next(),
                Err(error) => Some(Err(error)),
            },
        };
        picture.transpose().map_err(|error| {
            let fault = SourceError(with_causes(&error));
            self.fault = Some(fault.clone());
            fault
        })
    }

    /// The next picture, its number, and whether it is the first one once more.
    fn go_on(&mut self) -> Result<(Picture, u64, bool), SourceError> {
        let (picture, looped) = match self.read()? {
            Some(picture) => (picture, false),
            None => {
                self.restart();
                let first = self.read()?;
                let gone = || SourceError(format!("{}: its frames are gone", self.path.display()));
                (first.ok_or_else(gone)?, true)
            }
        };
        let number = self.number;
        self.number += 1;
        Ok((picture, number, looped))
    }
}

/// An error and what caused it, in one line.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

impl Source for Footage {
    fn card(&self) -> SourceCard {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        SourceCard {
            name: name.display().to_string(),
            rate: self.rate,
            knobs: knobs(),
            seeded: true,
            others: false,
            truth: false,
        }
    }

    fn next(&mut self, step: &Step) -> Result<Still, SourceError> {
        let (mut picture, mut number, mut looped) = self.go_on()?;
        for _ in 1..step.advance {
            self.damages.skip(number, &picture, step);
            let next = self.go_on()?;
            (picture, number, looped) = (next.0, next.1, looped || next.2);
        }
        let (picture, mut damages) = self.damages.apply(number, picture, step);
        let size = [picture.width(), picture.height()];
        let mut bytes = picture.pixels().to_vec();
        if step.lost {
            bytes.fill(0);
            damages = vec!["lost"];
        }
        let picture = video_demo_app::Picture::new(size, Channels::Rgb, bytes);
        let picture = picture.map_err(|error| SourceError(error.to_string()))?;
        Ok(Still {
            number,
            looped,
            picture: Arc::new(picture),
            damage: (!damages.is_empty()).then(|| damages.join(", ")),
            truth: Vec::new(),
        })
    }

    fn restart(&mut self) {
        self.video = None;
        self.ahead = None;
        self.fault = None;
        self.number = 0;
        self.damages.reset();
    }

    fn next_video(&mut self) {
        self.restart();
    }

    fn judge(&self, _still: &Still, _found: &mut [Found]) -> Option<Tally> {
        None
    }
}
