//! Contestants run in turn, and what their times say.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

/// One side of a comparison.
pub struct Contestant {
    pub name: &'static str,
    /// What the table's ratios are against.
    pub is_peer: bool,
    /// More runs than these it is spared, whatever the limits say.
    pub most: usize,
    /// Runs once, and says how long it took.
    pub run: Box<dyn FnMut() -> Result<Duration>>,
}

impl Contestant {
    fn time(&mut self) -> Result<Duration> {
        let time = (self.run)()?;
        if time < SHORT { (self.run)() } else { Ok(time) }
    }
}

/// When a contestant has run enough.
pub struct Limits {
    /// That many runs.
    runs: usize,
    /// Or that long in all, after `fewest` runs.
    time: Duration,
    fewest: usize,
    /// Or a single run of that long: a training step of stock NdArray can take minutes.
    patience: Duration,
}

/// Runs shorter than this are timed straight after one that is not, so that every side finds its
/// caches and its core as a stream of frames would leave them, whoever ran before it.
const SHORT: Duration = Duration::from_millis(50);

/// A first run of that long has long found its caches: it counts.
const LONG: Duration = Duration::from_secs(2);

impl Limits {
    /// Those of a full run, or of a `quick` one.
    pub fn new(quick: bool) -> &'static Self {
        if quick { &Self::QUICK } else { &Self::FULL }
    }

    const FULL: Self = Self {
        runs: 200,
        time: Duration::from_secs(20),
        fewest: 3,
        patience: Duration::from_secs(30),
    };
    const QUICK: Self = Self {
        runs: 20,
        time: Duration::from_secs(2),
        fewest: 1,
        patience: Duration::from_secs(2),
    };

    fn met(&self, times: &[Duration], most: usize) -> bool {
        let total = times.iter().sum::<Duration>();
        times.len() >= self.runs.min(most)
            || (times.len() >= self.fewest && total >= self.time)
            || times.iter().any(|time| *time >= self.patience)
    }
}

/// The times of one contestant.
#[derive(Debug, Serialize)]
pub struct Timing {
    pub name: &'static str,
    pub is_peer: bool,
    /// Milliseconds, in the order of the rounds that it took part in: always the first ones.
    pub milliseconds: Vec<f64>,
    /// Why there are no more.
    pub failed: Option<String>,
}

/// Median and quartiles.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Spread {
    pub quarter: f64,
    pub median: f64,
    pub three_quarters: f64,
}

impl Spread {
    /// Of at least one value.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let at = |part: usize| {
            values
                .get((values.len().checked_sub(1)? * part + 2) / 4)
                .copied()
        };
        Some(Self {
            quarter: at(1)?,
            median: at(2)?,
            three_quarters: at(3)?,
        })
    }
}

impl Timing {
    /// The milliseconds' spread.
    pub fn spread(&self) -> Option<Spread> {
        Spread::of(self.milliseconds.clone())
    }

    /// How many times longer this takes than `other`, round by round.
    pub fn ratio(&self, other: &Timing) -> Option<Spread> {
        let pairs = self.milliseconds.iter().zip(&other.milliseconds);
        Spread::of(pairs.map(|(own, other)| own / other).collect())
    }
}

/// Runs rounds until every contestant has run enough. The first run of each is not counted unless
/// it is long.
pub fn race(mut contestants: Vec<Contestant>, limits: &Limits) -> Vec<Timing> {
    let mut counted = vec![Vec::new(); contestants.len()];
    let mut failed = vec![None; contestants.len()];
    let mut warm = vec![false; contestants.len()];
    loop {
        let mut idle = true;
        for (index, contestant) in contestants.iter_mut().enumerate() {
            if failed[index].is_some() || limits.met(&counted[index], contestant.most) {
                continue;
            }
            idle = false;
            match contestant.time() {
                Ok(time) if warm[index] || time >= LONG.min(limits.patience) => {
                    counted[index].push(time);
                }
                Ok(_) => warm[index] = true,
                Err(error) => failed[index] = Some(format!("{error:#}")),
            }
        }
        if idle {
            break;
        }
    }
    let results = contestants.into_iter().zip(counted).zip(failed);
    results
        .map(|((contestant, times), failed)| Timing {
            name: contestant.name,
            is_peer: contestant.is_peer,
            milliseconds: times.iter().map(|time| time.as_secs_f64() * 1e3).collect(),
            failed,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_pair_the_runs_of_a_round() {
        let timing = |milliseconds: &[f64]| Timing {
            name: "",
            is_peer: false,
            milliseconds: milliseconds.to_vec(),
            failed: None,
        };
        let (slow, fast) = (
            timing(&[2.0, 30.0, 8.0, 9.0, 10.0]),
            timing(&[1.0, 10.0, 2.0]),
        );
        let ratio = slow.ratio(&fast).unwrap();
        assert_eq!(
            (ratio.quarter, ratio.median, ratio.three_quarters),
            (3.0, 3.0, 4.0)
        );
        assert!(slow.ratio(&timing(&[])).is_none());
    }

    #[test]
    fn a_contestant_sits_out_once_it_has_run_enough() {
        let contestant = |name, milliseconds| Contestant {
            name,
            is_peer: false,
            most: if name == "spared" { 2 } else { usize::MAX },
            run: Box::new(move || Ok(Duration::from_millis(milliseconds))),
        };
        let limits = Limits {
            runs: 10,
            time: Duration::from_millis(500),
            fewest: 3,
            patience: Duration::from_millis(1_000),
        };
        let contestants = vec![
            contestant("quick", 1),
            contestant("slow", 400),
            contestant("endless", 2_000),
            contestant("spared", 1),
        ];
        let runs = race(contestants, &limits)
            .into_iter()
            .map(|timing| timing.milliseconds.len());
        assert_eq!(runs.collect::<Vec<_>>(), [10, 3, 1, 2]);
    }
}
