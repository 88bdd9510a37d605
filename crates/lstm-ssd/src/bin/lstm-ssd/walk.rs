//! The frames of a video, one after the other, with progress and Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use lstm_ssd::Picture;
use lstm_ssd::video::Video;

use crate::INTERRUPTED;
use crate::cli::Input;

/// How a video ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With its last frame.
    Whole,
    /// With Ctrl-C.
    Interrupted,
}

/// Shows `look` each frame that is asked for, with its number from 1. What it did before an error, or
/// before Ctrl-C, stays.
pub fn walk(
    input: &Input,
    video: &mut Video,
    mut look: impl FnMut(usize, &Picture) -> Result<()>,
) -> Result<Ended> {
    let stop = stop_on_interrupt()?;
    let style = ProgressStyle::with_template("{spinner} frame {pos}, {per_sec}, {elapsed}")?;
    let progress = ProgressBar::new_spinner().with_style(style);
    progress.enable_steady_tick(Duration::from_millis(100));
    let mut ended = Ended::Whole;
    let mut result = Ok(());
    while let Some(picture) = video.next() {
        let number = video.frames();
        result = picture.map_err(Into::into).and_then(|picture| {
            if (number - 1).is_multiple_of(input.every as usize) {
                look(number, &picture)?;
            }
            Ok(())
        });
        progress.set_position(number as u64);
        if result.is_err() {
            break;
        }
        if stop.load(Ordering::Relaxed) {
            ended = Ended::Interrupted;
            break;
        }
    }
    progress.finish_and_clear();
    result.map(|()| ended)
}

/// A flag that the first Ctrl-C sets; the second one ends the program at once.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
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
