//! When a frame of the video is due.

/// The clock of the video: it says how many frames have become due since it was last asked, by a time that it is
/// told.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    /// Frames a second.
    rate: f64,
    /// When the next frame is due, in seconds; nothing while the video stands still.
    next: Option<f64>,
}

/// A gap longer than this, in seconds, is one in which nobody looked: a hidden window, a sleeping machine.
const AWAY: f64 = 2.0;

impl Pace {
    pub fn new(rate: f64) -> Self {
        Self { rate, next: None }
    }

    /// Sets the number of frames a second.
    pub fn set_rate(&mut self, rate: f64) {
        if let Some(next) = &mut self.next {
            *next += 1.0 / rate - 1.0 / self.rate;
        }
        self.rate = rate;
    }

    /// Stops the clock: the next frame is due as soon as it is asked again.
    pub fn stop(&mut self) {
        self.next = None;
    }

    /// The frames that have become due by `now`, in seconds.
    pub fn due(&mut self, now: f64) -> u64 {
        let next = self.next.unwrap_or(now);
        let late = now - next;
        if late < 0.0 {
            return 0;
        }
        if late > AWAY {
            self.next = Some(now + 1.0 / self.rate);
            return 1;
        }
        let frames = (late * self.rate).floor() + 1.0;
        self.next = Some(next + frames / self.rate);
        frames as u64
    }

    /// Seconds by which the next frame is late at `now`.
    pub fn late(&self, now: f64) -> f64 {
        self.next.map_or(0.0, |next| (now - next).max(0.0))
    }

    /// Seconds from `now` until a frame is due; nothing while the clock is stopped.
    pub fn wait(&self, now: f64) -> Option<f64> {
        self.next.map(|next| (next - now).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_due_at_their_rate_whenever_it_is_asked() {
        let mut pace = Pace::new(10.0);
        assert_eq!(pace.wait(5.0), None);
        assert_eq!(pace.due(5.0), 1);
        assert_eq!(pace.due(5.05), 0);
        assert!((pace.wait(5.05).unwrap() - 0.05).abs() < 1e-9);
        assert_eq!(pace.due(5.11), 1);
        // Late by three and a half frames.
        assert_eq!(pace.due(5.55), 4);
        assert_eq!(pace.due(5.58), 0);
        // The clock has not slipped.
        assert!((pace.wait(5.58).unwrap() - 0.02).abs() < 1e-9);
    }

    #[test]
    fn it_starts_anew_after_a_stop_and_after_a_long_absence() {
        let mut pace = Pace::new(10.0);
        pace.due(0.0);
        pace.stop();
        assert_eq!(pace.due(1.0), 1);
        assert_eq!(pace.due(60.0), 1);
        assert_eq!(pace.due(60.05), 0);
    }

    #[test]
    fn a_new_rate_holds_from_the_frame_before() {
        let mut pace = Pace::new(10.0);
        pace.due(0.0);
        pace.set_rate(2.0);
        assert!((pace.wait(0.0).unwrap() - 0.5).abs() < 1e-9);
    }
}
