//! The loop: damage an input, read it, look at what happened.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::allocator::measure;
use crate::input::Input;
use crate::random::Random;

/// What a file may take. Reading one takes microseconds; this is for machines under load.
const SLOWEST: Duration = Duration::from_secs(10);
/// Inputs that are kept to go on from.
const POOL: usize = 4096;

/// What a reader may hold for a file, in bytes.
pub fn memory_limit(file: &[u8]) -> usize {
    40 * file.len() + (1 << 20)
}

/// What is fuzzed: a function that reads a file and says in a few words what came of it.
pub type Target = fn(&[u8]) -> String;

/// What a run has seen.
#[derive(Debug)]
pub struct Report {
    /// The number of files read.
    pub executions: u64,
    /// The time it took.
    pub elapsed: Duration,
    /// How often each outcome was seen.
    pub outcomes: BTreeMap<String, u64>,
    /// The first file of each outcome that no seed had.
    pub discoveries: Vec<Vec<u8>>,
    /// The most memory that a reader held, in bytes, and the length of that file.
    pub peak: (usize, usize),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (peak, length) = self.peak;
        write!(
            f,
            "{} executions in {:.1} s, {} outcomes, at most {peak} bytes held for a file of {length}",
            self.executions,
            self.elapsed.as_secs_f64(),
            self.outcomes.len(),
        )
    }
}

/// A file that breaks the reader.
#[derive(Debug)]
pub struct Failure {
    /// The number of the execution.
    pub execution: u64,
    /// The file.
    pub file: Vec<u8>,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "execution {}, {} bytes: {}",
            self.execution,
            self.file.len(),
            self.what
        )
    }
}

/// Reads `executions` files, `seeds` first, then what becomes of them. The same arguments read
/// the same files.
///
/// An input that leads to an outcome not seen before joins the seeds: the reader's own errors
/// say how far a file got.
pub fn run(
    target: Target,
    seeds: &[Vec<u8>],
    executions: u64,
    seed: u64,
) -> Result<Report, Failure> {
    let start = Instant::now();
    let mut random = Random::new(seed);
    let mut pool: Vec<Input> = seeds.iter().flat_map(|file| Input::forms(file)).collect();
    let mut report = Report {
        executions,
        elapsed: Duration::ZERO,
        outcomes: BTreeMap::new(),
        discoveries: Vec::new(),
        peak: (0, 0),
    };
    let given = pool.len();
    for execution in 0..executions {
        let input = match pool.get(execution as usize) {
            Some(input) if (execution as usize) < given => input.clone(),
            _ => {
                let [one, other] = [(); 2].map(|()| random.below(pool.len()));
                pool[one].mutated(&mut random, &pool[other])
            }
        };
        let file = input.render();
        let fail = |what: String| Failure {
            execution,
            file: file.clone(),
            what,
        };
        let (outcome, peak) = execute(target, &file).map_err(fail)?;
        if peak > report.peak.0 {
            report.peak = (peak, file.len());
        }
        let count = report.outcomes.entry(outcome).or_default();
        *count += 1;
        if *count == 1 {
            if execution as usize >= given {
                report.discoveries.push(file);
            }
            if pool.len() < POOL {
                pool.push(input);
            }
        }
    }
    report.elapsed = start.elapsed();
    Ok(report)
}

fn execute(target: Target, file: &[u8]) -> Result<(String, usize), String> {
    let start = Instant::now();
    let (result, peak) = measure(|| catch_unwind(AssertUnwindSafe(|| target(file))));
    let elapsed = start.elapsed();
    let outcome = result.map_err(|panic| format!("a panic: {}", message(&*panic)))?;
    let limit = memory_limit(file);
    if peak > limit {
        return Err(format!("{peak} bytes of memory, more than {limit}"));
    }
    if elapsed > SLOWEST {
        return Err(format!("{elapsed:?}, more than {SLOWEST:?}"));
    }
    Ok((outcome, peak))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
