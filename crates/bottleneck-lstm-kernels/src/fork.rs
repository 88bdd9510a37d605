//! Forks into threads of rayon's pool, also from a thread that is not of it.
//!
//! Rayon has such a thread leave its work to the pool and sleep until that is done. To fall asleep and
//! wake up takes the tenth of a millisecond that a kernel takes, so here it works along, and waits
//! awake.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a thread stays awake with nothing to do.
const AWAKE: Duration = Duration::from_micros(100);

/// Runs `mine` here and `theirs` in another thread of the pool.
pub(crate) fn fork<R: Send>(mine: impl FnOnce() -> R + Send, theirs: impl FnOnce() + Send) -> R {
    if rayon::current_thread_index().is_some() {
        return rayon::join(mine, theirs).0;
    }
    let busy = AtomicBool::new(true);
    rayon::in_place_scope(|scope| {
        scope.spawn(|_| {
            let _over = Over(&busy);
            theirs();
        });
        let result = mine();
        wait_awake(&busy);
        result
    })
}

/// Runs `work`, during which `threads`, this one among them, stay awake for its forks, even if it
/// leaves them idle from time to time.
pub fn awake<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    if threads < 2 {
        return work();
    }
    let busy = AtomicBool::new(true);
    let work = || {
        let _over = Over(&busy);
        work()
    };
    fork(work, || take_on_work(threads - 1, &busy))
}

/// Has so many `threads` take on what the pool has to do while it is `busy`, or until there was
/// nothing for a while: a thread that has work of its own to finish may have come here too, and must not
/// wait for ever.
fn take_on_work(threads: usize, busy: &AtomicBool) {
    if threads > 1 {
        rayon::join(|| take_on_work(1, busy), || take_on_work(threads - 1, busy));
        return;
    }
    let mut idle_since = None;
    while busy.load(Ordering::Acquire) {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            idle_since = None;
        } else if idle_since.get_or_insert_with(Instant::now).elapsed() > AWAKE {
            return;
        } else {
            spin_loop();
        }
    }
}

/// Waits, for a while, until another thread is no longer busy. The scope that it is in would sleep until
/// then.
fn wait_awake(busy: &AtomicBool) {
    let since = Instant::now();
    while busy.load(Ordering::Acquire) {
        if since.elapsed() > AWAKE {
            return;
        }
        spin_loop();
    }
    // From here it is not far to the end of the scope.
    for _ in 0..16 {
        spin_loop();
    }
}

/// Clears a flag when it is dropped, be it by a panic.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
