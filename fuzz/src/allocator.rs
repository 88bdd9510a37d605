//! An allocator that counts what the current thread holds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with a count for each thread.
pub struct Counting;

/// No single allocation of a thread that is being [`measure`]d may be larger: it fails, which ends
/// the process with a line that says so.
const LARGEST: usize = 1 << 30;

thread_local! {
    static MEASURED: Cell<bool> = const { Cell::new(false) };
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// Runs `work`, and returns the most memory that it held at any time, in bytes.
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, usize) {
    HELD.set(0);
    PEAK.set(0);
    MEASURED.set(true);
    let result = work();
    MEASURED.set(false);
    (result, PEAK.get())
}

fn take(size: usize) -> bool {
    if !MEASURED.get() {
        return true;
    }
    if size > LARGEST {
        MEASURED.set(false);
        eprintln!("refused an allocation of {size} bytes");
        return false;
    }
    HELD.set(HELD.get() + size);
    PEAK.set(PEAK.get().max(HELD.get()));
    true
}

fn give(size: usize) {
    if MEASURED.get() {
        // What was allocated before the measurement may be freed in it.
        HELD.set(HELD.get().saturating_sub(size));
    }
}

// SAFETY: every call is passed on unchanged to the system's allocator, whose contract is the same;
// `alloc` may fail, and does so with a null pointer. The counters are cells of plain numbers with
// constant initialisers and no destructor, so touching them neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !take(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !take(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both blocks exist while the content is copied.
        if !take(size) {
            return std::ptr::null_mut();
        }
        give(layout.size());
        // SAFETY: the caller's promises about `pointer` and `layout` are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        give(layout.size());
        // SAFETY: the caller's promises about `pointer` and `layout` are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}
