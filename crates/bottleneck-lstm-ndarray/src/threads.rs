//! How many threads a call takes, and how a batch is spread over them.

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
