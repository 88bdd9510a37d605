//! What a step allocates. One test, so that nothing else in the process allocates meanwhile.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use bottleneck_lstm::{BottleneckLstmConfig, Peephole};
use bottleneck_lstm_ndarray::CpuRunner;
use burn::tensor::Tensor;
use burn_flex::Flex;
use rayon::ThreadPoolBuilder;

struct Counting;

/// Of all threads.
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Of this thread.
    static HERE: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    HERE.set(HERE.get() + 1);
}

// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps what `alloc` demands.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps what `dealloc` demands, and `ptr` came from `System`.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps what `realloc` demands, and `ptr` came from `System`.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of this thread.
fn allocations_here(run: impl FnOnce()) -> usize {
    let before = HERE.get();
    run();
    HERE.get() - before
}

/// Allocations of all threads.
fn allocations(run: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    run();
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

#[test]
fn a_step_allocates_its_result_alone() {
    let device = Default::default();
    let configs = [
        BottleneckLstmConfig::new(20, 24),
        BottleneckLstmConfig::tensorflow(20, 24)
            .with_groups(2)
            .with_peephole(Peephole::PerChannel)
            .with_scale_state(true)
            .with_output_bottleneck(true),
    ];
    for config in configs {
        let cell = config.init::<Flex>(&device);
        for batch in [1, 3] {
            let values = vec![0.5; batch * 20 * 90];
            let mut output = vec![0.0; batch * config.output_channels() * 90];
            let x = Tensor::<Flex, 4>::ones([batch, 20, 9, 10], &device);

            let mut stream = CpuRunner::new()
                .with_threads(1)
                .stream(&cell, batch, [9, 10]);
            stream.step(x.clone());
            for _ in 0..50 {
                let found = allocations_here(|| stream.step_into(&values, &mut output).unwrap());
                assert_eq!(found, 0);
            }
            let first = allocations_here(|| drop(stream.step(x.clone())));
            assert!(first > 0, "the allocator does not count");
            for _ in 0..50 {
                assert_eq!(allocations_here(|| drop(stream.step(x.clone()))), first);
            }

            // Several threads meet in rayon's queues, which grow by a block now and then.
            let mut stream = CpuRunner::new()
                .with_threads(2)
                .stream(&cell, batch, [9, 10]);
            let mut run = |steps: usize| {
                for _ in 0..steps {
                    stream.step_into(&values, &mut output).unwrap();
                }
            };
            let growth = 200 / 10;
            let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
            let inside = pool.install(|| {
                run(50);
                allocations(|| run(200))
            });
            assert!(inside <= growth, "{inside} allocations in the pool");
            // From outside, rayon has what it is handed in a box: one that keeps a thread awake, and
            // one a fork.
            run(50);
            let outside = allocations(|| run(200));
            assert!(outside <= 3 * 200 + growth, "{outside} allocations");
        }
    }
}
