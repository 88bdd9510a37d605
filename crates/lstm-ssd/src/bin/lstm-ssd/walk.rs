//! The frames of videos, one after the other, with progress and Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use lstm_ssd::Picture;
use lstm_ssd::video::Video;

use crate::INTERRUPTED;

/// How a video ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With its last frame.
    Whole,
    /// With Ctrl-C.
    Interrupted,
}

/// Listens for Ctrl-C, once in a program: the first one sets what is returned, the second one ends the program at once.
pub fn listen() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(stop)
}

/// Walks over videos until Ctrl-C.
pub struct Walk {
    stop: Arc<AtomicBool>,
}

impl Walk {
    /// Listens for Ctrl-C, which ends the walk. There is one walk in a program.
    pub fn new() -> Result<Self> {
        Ok(Self { stop: listen()? })
    }

    /// Hands `look` each frame, with its number from 1. What it did before an error, or before Ctrl-C, stays.
    /// `what` the walk is for stands before the progress.
    pub fn over(
        &self,
        video: &mut Video,
        what: &str,
        mut look: impl FnMut(usize, Picture) -> Result<()>,
    ) -> Result<Ended> {
        let style =
            ProgressStyle::with_template("{spinner} {prefix}frame {pos}, {per_sec}, {elapsed}")?;
        let progress = ProgressBar::new_spinner()
            .with_style(style)
            .with_prefix(what.to_owned());
        progress.enable_steady_tick(Duration::from_millis(100));
        let mut ended = Ended::Whole;
        let mut result = Ok(());
        while let Some(picture) = video.next() {
            let number = video.frames();
            result = picture
                .map_err(Into::into)
                .and_then(|picture| look(number, picture));
            progress.set_position(number as u64);
            if result.is_err() {
                break;
            }
            if self.stop.load(Ordering::Relaxed) {
                ended = Ended::Interrupted;
                break;
            }
        }
        progress.finish_and_clear();
        result.map(|()| ended)
    }
}
