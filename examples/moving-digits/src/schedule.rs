//! How fast a network learns, step by step.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// A learning rate that warms up, stays at its peak and decays along half a cosine.
///
/// Where the decay starts may be unknown at first: training until the validation score stands
/// still decides it on the way.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The learning rate at the peak.
    pub peak: f64,
    /// Steps of the warm-up.
    pub warm_up: usize,
    /// Steps of the decay.
    pub decay: usize,
}

impl Schedule {
    /// The learning rate at `step` if the decay starts at `decay_from`, or has not been set.
    pub fn learning_rate(&self, step: usize, decay_from: Option<usize>) -> f64 {
        let warm_up = ((step + 1) as f64 / self.warm_up.max(1) as f64).min(1.0);
        let decayed = step.saturating_sub(decay_from.unwrap_or(step));
        let progress = (decayed as f64 / self.decay.max(1) as f64).min(1.0);
        self.peak * warm_up * (0.5 + 0.5 * (PI * progress).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_warms_up_stays_and_decays() {
        let schedule = Schedule {
            peak: 2.0,
            warm_up: 10,
            decay: 100,
        };
        let rate = |step| schedule.learning_rate(step, Some(50));
        assert!((rate(0) - 0.2).abs() < 1e-12);
        assert!((rate(4) - 1.0).abs() < 1e-12);
        assert_eq!(rate(9), 2.0);
        assert_eq!(rate(50), 2.0);
        assert!((rate(100) - 1.0).abs() < 1e-12);
        assert!(rate(149) < 0.001);
        assert_eq!(rate(150), 0.0);
        assert_eq!(schedule.learning_rate(1_000_000, None), 2.0);
    }
}
