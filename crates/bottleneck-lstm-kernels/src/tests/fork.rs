//! Forks from a thread of the pool and from one that is not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use rayon::ThreadPoolBuilder;

use crate::fork::{awake, fork};

/// Counts by halves, each in a fork.
fn count(parts: &mut [usize]) {
    match parts {
        [] => {}
        [part] => *part += 1,
        _ => {
            let (one, other) = parts.split_at_mut(parts.len() / 2);
            fork(|| count(one), || count(other));
        }
    }
}

fn both(run: impl Fn() + Send + Sync) {
    run();
    let pool = ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    pool.install(run);
}

#[test]
fn every_part_is_done_once() {
    both(|| {
        for threads in 1..5 {
            for size in 0..40 {
                let mut parts = vec![0; size];
                awake(threads, || count(&mut parts));
                assert_eq!(parts, vec![1; size]);
            }
        }
    });
}

#[test]
fn a_thread_outside_the_pool_works_along() {
    let here = thread::current().id();
    let mut ran_in = None;
    awake(2, || fork(|| ran_in = Some(thread::current().id()), || ()));
    assert_eq!(ran_in, Some(here));
}

#[test]
fn many_callers_share_one_pool() {
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let mut parts = [0; 16];
                    awake(4, || count(&mut parts));
                    assert_eq!(parts, [1; 16]);
                }
            });
        }
    });
}

#[test]
fn a_panic_on_either_side_comes_out() {
    both(|| {
        let panics = |mine: bool, theirs: bool| {
            let fork = || fork(|| assert!(!mine, "mine"), || assert!(!theirs, "theirs"));
            catch_unwind(AssertUnwindSafe(|| awake(2, fork))).is_err()
        };
        assert!(panics(true, false));
        assert!(panics(false, true));
        assert!(!panics(false, false));
    });
}
