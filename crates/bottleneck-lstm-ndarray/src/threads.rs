//! Videos of a batch over threads.

use std::num::NonZero;
use std::thread;

/// Multiply-accumulates below which a thread costs more than it brings.
const WORTH_A_THREAD: usize = 8_000_000;

/// How many threads a call of `macs` multiply-accumulates is worth: `asked` if the caller did,
/// else as many as there are and the work feeds.
pub(crate) fn count(asked: Option<usize>, macs: usize) -> usize {
    asked.unwrap_or_else(|| {
        let available = thread::available_parallelism().map_or(1, NonZero::get);
        (macs / WORTH_A_THREAD).clamp(1, available)
    })
}

/// Calls `run` on every item, on up to `threads` threads. Results come in the order of the items,
/// and are the same for any number of threads.
pub(crate) fn map<T: Send, R: Send>(
    threads: usize,
    mut items: Vec<T>,
    run: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let threads = threads.clamp(1, items.len().max(1));
    let mut shares = Vec::with_capacity(threads);
    for share in (1..threads).rev() {
        shares.push(items.split_off(items.len() * share / (share + 1)));
    }
    let run = |items: Vec<T>| items.into_iter().map(&run).collect::<Vec<_>>();
    thread::scope(|scope| {
        let run = &run;
        let handles = shares
            .into_iter()
            .rev()
            .map(|share| scope.spawn(move || run(share)))
            .collect::<Vec<_>>();
        let mut results = run(items);
        for handle in handles {
            match handle.join() {
                Ok(share) => results.extend(share),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    })
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
}
