//! How fast it is.

use std::fmt;
use std::time::{Duration, Instant};

use thiserror::Error;
use video_demo_app::{App, Event, Request, Settings};

use crate::desk::Desk;
use crate::stage::{PaintError, Painter, Stage};
use crate::worker::Worker;

/// What a measurement found.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// Where the pictures went.
    pub screen: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Frames that were shown.
    pub frames: usize,
    /// Frames that were dropped because the networks or drawing were too slow.
    pub dropped: u64,
    /// From when a frame was due to when its picture was drawn: the time that 95 % stay within, in seconds.
    pub frame_time: f64,
    /// From one picture to the next: the time that 95 % stay within, in seconds.
    pub interval: f64,
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {:.1} frames/s over {:.0} s ({} frames); 95 % of frames drawn within {:.1} ms of when they were \
             due, 95 % of pictures within {:.1} ms of the one before; {} dropped",
            self.screen,
            self.frames as f64 / self.seconds,
            self.seconds,
            self.frames,
            self.frame_time * 1e3,
            self.interval * 1e3,
            self.dropped,
        )
    }
}

/// Takes the times of frames.
#[derive(Debug)]
pub struct Meter {
    start: Option<Instant>,
    last: Option<Instant>,
    dropped_before: u64,
    frame_times: Vec<f64>,
    intervals: Vec<f64>,
}

impl Meter {
    /// A meter that starts with the first frame.
    pub fn new() -> Self {
        Self {
            start: None,
            last: None,
            dropped_before: 0,
            frame_times: Vec::new(),
            intervals: Vec::new(),
        }
    }

    /// A frame that was due at `due` is drawn now; as many were dropped so far.
    pub fn drawn(&mut self, due: Instant, dropped: u64) {
        let now = Instant::now();
        if self.start.is_none() {
            self.start = Some(now);
            self.dropped_before = dropped;
        }
        if let Some(last) = self.last.replace(now) {
            self.intervals.push((now - last).as_secs_f64());
        }
        self.frame_times.push((now - due).as_secs_f64());
    }

    /// How long it has been measuring.
    pub fn elapsed(&self) -> Duration {
        self.start.map_or(Duration::ZERO, |start| start.elapsed())
    }

    /// What it found.
    pub fn result(&self, screen: String, dropped: u64) -> Measurement {
        let span = self.start.zip(self.last);
        Measurement {
            screen,
            seconds: span.map_or(0.0, |(start, last)| (last - start).as_secs_f64()),
            // The first one starts the clock.
            frames: self.intervals.len(),
            dropped: dropped - self.dropped_before,
            frame_time: within_95(&self.frame_times),
            interval: within_95(&self.intervals),
        }
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

/// The least of `values` that 95 % do not exceed; 0 if there are none.
fn within_95(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len() * 95).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or(0.0)
}

/// Why there is no measurement.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MeasureError {
    /// A picture cannot be drawn.
    #[error(transparent)]
    Paint(#[from] PaintError),
    /// The networks cannot run.
    #[error("{0}")]
    Problem(String),
    /// The system has no thread to give.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// Runs the app as a window does, networks on a thread of their own, with a screen of `size = [width, height]`
/// pixels that nobody sees, for a `time`.
///
/// # Errors
///
/// If a network fails or a picture cannot be drawn.
pub fn measure(
    settings: Settings,
    desk: impl FnOnce() -> Desk + Send + 'static,
    painter: Box<dyn Painter>,
    size: [usize; 2],
    time: Duration,
) -> Result<Measurement, MeasureError> {
    let mut app = App::new(settings);
    let mut worker = Worker::new(desk, || {})?;
    let mut stage = Stage::new(painter, size, 1.0);
    let mut meter = Meter::new();
    let start = Instant::now();
    stage.show(&mut app, 0.0, false)?;
    let mut due = start;
    while meter.elapsed() < time {
        let wait = app.wait().unwrap_or(0.1).min(0.1);
        let mut news = false;
        let mut event = worker.wait(Duration::from_secs_f64(wait));
        while let Some(happened) = event {
            if let Event::Problem(problem) = happened {
                return Err(MeasureError::Problem(problem.what));
            }
            news |= matches!(happened, Event::Shown(_));
            app.receive(happened);
            event = worker.poll();
        }
        if news {
            let drawing = Instant::now();
            stage.show(&mut app, start.elapsed().as_secs_f64(), true)?;
            app.set_draw_time(drawing.elapsed().as_secs_f64());
            meter.drawn(due, app.dropped());
        }
        let now = Instant::now();
        let late = app.lateness((now - start).as_secs_f64());
        app.tick((now - start).as_secs_f64());
        for request in app.requests() {
            if matches!(request, Request::Step(_)) {
                due = now - Duration::from_secs_f64(late);
            }
            worker.ask(request);
        }
    }
    let [width, height] = size;
    Ok(meter.result(format!("{width}x{height} without a window"), app.dropped()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nineteen_of_twenty_stay_within_it() {
        let values: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        assert_eq!(within_95(&values), 19.0);
        assert_eq!(within_95(&[3.0]), 3.0);
        assert_eq!(within_95(&[]), 0.0);
    }

    #[test]
    fn a_measurement_is_one_line() {
        let text = Measurement {
            screen: "1280x720 without a window".into(),
            seconds: 60.0,
            frames: 1800,
            dropped: 0,
            frame_time: 0.0201,
            interval: 0.0342,
        }
        .to_string();
        assert_eq!(
            text,
            "1280x720 without a window: 30.0 frames/s over 60 s (1800 frames); 95 % of frames drawn within 20.1 ms of \
             when they were due, 95 % of pictures within 34.2 ms of the one before; 0 dropped"
        );
    }
}
