//! How many threads a call takes, from rayon's pool.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

/// Multiply-accumulates below which a thread costs more than it brings.
const WORTH_A_THREAD: usize = 8_000_000;

/// How many threads a call of `macs` multiply-accumulates is worth: `asked` if the caller did,
/// else as many as there are and the work feeds.
pub(crate) fn count(asked: Option<usize>, macs: usize) -> usize {
    asked.unwrap_or_else(|| match macs / WORTH_A_THREAD {
        // Does not start the pool.
        0 | 1 => 1,
        worth => worth.min(rayon::current_num_threads()),
    })
}

/// Splits `threads` between `items` that are worked on at a time and the work on each of them.
pub(crate) fn divide(threads: usize, items: usize) -> (usize, usize) {
    let at_a_time = threads.clamp(1, items.max(1));
    (at_a_time, (threads / at_a_time).max(1))
}

/// How long a thread stays awake for the kernel after next. To wake one up takes the tenth of a
/// millisecond that a kernel takes.
const AWAKE: Duration = Duration::from_micros(100);

/// Runs `work` in the pool if it is for several threads, so that the kernels need not enter it one
/// by one. The others stay awake meanwhile, even if `work` leaves them idle from time to time.
pub(crate) fn enter<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    if threads < 2 {
        return work();
    }
    let done = AtomicBool::new(false);
    let work = || {
        let _done = Done(&done);
        work()
    };
    rayon::join(work, || stay_awake(threads - 1, &done)).0
}

/// Sets a flag when it is dropped, be it by a panic.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Has so many `threads` take on what the pool has to do until `done`, or until there was nothing for a
/// while: a thread that has work of its own to finish may have come here too, and must not wait for
/// ever.
fn stay_awake(threads: usize, done: &AtomicBool) {
    if threads > 1 {
        rayon::join(|| stay_awake(1, done), || stay_awake(threads - 1, done));
        return;
    }
    let mut idle_since = None;
    while !done.load(Ordering::Acquire) {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            idle_since = None;
        } else if idle_since.get_or_insert_with(Instant::now).elapsed() > AWAKE {
            return;
        } else {
            std::hint::spin_loop();
        }
    }
}

/// Calls `run` on every item, `threads` at a time. Results come in the order of the items.
pub(crate) fn map<T: Send, R: Send>(
    threads: usize,
    items: Vec<T>,
    run: impl Fn(T) -> R + Sync + Send,
) -> Vec<R> {
    if threads < 2 {
        return items.into_iter().map(run).collect();
    }
    let share = items.len().div_ceil(threads);
    items.into_par_iter().with_min_len(share).map(run).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_keep_the_order_of_the_items() {
        for threads in 0..6 {
            for items in 0..8 {
                let doubled = super::map(threads, (0..items).collect(), |item| 2 * item);
                assert_eq!(doubled, (0..items).map(|item| 2 * item).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn threads_go_to_the_items_first() {
        assert_eq!(super::divide(4, 1), (1, 4));
        assert_eq!(super::divide(4, 2), (2, 2));
        assert_eq!(super::divide(4, 9), (4, 1));
        assert_eq!(super::divide(0, 0), (1, 1));
    }
}
