//! The learning rate over time.

use std::f64::consts::PI;

/// Iterations in which it rises.
const WARM_UP: usize = 20;

/// What is left of it at the end.
const LEAST: f64 = 0.03;

/// The share of the highest learning rate in an iteration, from 0, of so many: it rises, then falls as a cosine.
pub(super) fn share(iteration: usize, iterations: usize) -> f64 {
    let rise = ((iteration + 1) as f64 / WARM_UP as f64).min(1.0);
    let time = iteration as f64 / iterations.max(1) as f64;
    rise * (0.5 * (1.0 + (PI * time).cos()) * (1.0 - LEAST) + LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_and_falls() {
        let close = |found: f64, expected: f64| (found - expected).abs() < 1e-3;
        assert!(close(share(0, 1000), 0.05));
        assert!(close(share(19, 1000), 0.999));
        assert!(close(share(500, 1000), 0.515));
        assert!(close(share(999, 1000), 0.03));
    }
}
