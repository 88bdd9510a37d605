//! Memory does not grow with the length of a stream.
//!
//! The meter counts the whole process, hence a test binary of its own and one test at a time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bottleneck_lstm::{
    BottleneckLstm, BottleneckLstmConfig, BottleneckLstmState, CellRunner, Reference,
};
use bottleneck_lstm_ndarray::CpuRunner;
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use burn_ndarray::NdArray;

/// The system's allocator, with a count of the bytes in use and of their peak.
struct Meter {
    live: AtomicUsize,
    peak: AtomicUsize,
}

#[global_allocator]
static METER: Meter = Meter {
    live: AtomicUsize::new(0),
    peak: AtomicUsize::new(0),
};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

impl Meter {
    /// The most bytes in use while `work` runs, above those before it.
    fn peak_of(&self, work: impl FnOnce()) -> usize {
        let before = self.live.load(Relaxed);
        self.peak.store(before, Relaxed);
        work();
        self.peak.load(Relaxed) - before
    }
}

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = self.live.fetch_add(layout.size(), Relaxed) + layout.size();
        self.peak.fetch_max(live, Relaxed);
        // SAFETY: the caller's obligations are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        self.live.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above; the memory came from the system's allocator with this layout.
        unsafe { System.dealloc(memory, layout) }
    }
}

const MIB: usize = 1 << 20;

/// The smallest cell, a frame for it, and the peak of memory in use while `run` runs.
fn peak<B: Backend>(run: impl FnOnce(BottleneckLstm<B>, Tensor<B, 4>)) -> usize {
    let device = B::Device::default();
    let cell = BottleneckLstmConfig::new(1, 2).init::<B>(&device);
    let x = Tensor::ones([1, 1, 1, 1], &device);
    METER.peak_of(|| run(cell, x))
}

/// Steps of a cell without `Autodiff`.
fn inference<B: Backend, R: CellRunner<B>>(runner: &R, steps: usize) -> usize {
    peak::<B>(|cell, x| {
        let mut state: Option<BottleneckLstmState<B>> = None;
        for _ in 0..steps {
            state = Some(cell.step_with(runner, x.clone(), state).detach());
        }
        assert!(state.is_some_and(|state| state.is_finite()));
    })
}

/// Steps of a cell that trains, with truncated back-propagation through ten of them. If the state
/// is not `detach`ed, through all that were ever run.
///
/// Burn's `Autodiff` records every operation, that of a frozen cell too, and lets go in a backward
/// pass alone: a stream without one belongs on the inner backend, as `valid` of a module gives it.
fn training<B: AutodiffBackend, R: CellRunner<B>>(runner: &R, steps: usize, detach: bool) -> usize {
    const WINDOW: usize = 10;
    peak::<B>(|cell, x| {
        let xs = x.unsqueeze_dim::<5>(1).repeat_dim(1, WINDOW);
        let mut state: Option<BottleneckLstmState<B>> = None;
        for _ in 0..steps / WINDOW {
            let (outputs, next) = cell.forward_with(runner, xs.clone(), state);
            state = Some(if detach {
                let gradients = outputs.sum().backward();
                assert!(cell.gates.val().grad(&gradients).is_some());
                next.detach()
            } else {
                next
            });
        }
        assert!(state.is_some_and(|state| state.is_finite()));
    })
}

/// That ten times as many steps take no more memory: from 10,000 to 100,000, less than 1 MiB, and
/// for a shorter stream as much less.
fn assert_bounded(steps: usize, stream: impl Fn(usize) -> usize) {
    let _alone = ONE_AT_A_TIME.lock();
    // Whatever is set up once is set up here.
    stream(100);
    let (short, long) = (stream(steps / 10), stream(steps));
    let growth = long.abs_diff(short);
    assert!(
        growth < MIB * steps / 100_000,
        "{short} bytes, ten times as many steps: {long}"
    );
}

/// What the meter would show if the state were never cut off.
#[test]
fn an_attached_stream_grows() {
    let _alone = ONE_AT_A_TIME.lock();
    let stream = |steps| training::<Autodiff<Flex>, _>(&CpuRunner::new(), steps, false);
    let (short, long) = (stream(100), stream(10_000));
    assert!(
        long > short + MIB,
        "100 steps: {short} bytes, 10,000 steps: {long}"
    );
}

macro_rules! streams {
    ($($name:ident: $backend:ty, $runner:expr, $training:expr;)*) => {
        $(
            mod $name {
                use super::*;

                #[test]
                fn inference_is_bounded() {
                    assert_bounded(100_000, |steps| inference::<$backend, _>(&$runner, steps));
                }

                #[test]
                fn training_is_bounded() {
                    assert_bounded($training, |steps| {
                        training::<Autodiff<$backend>, _>(&$runner, steps, true)
                    });
                }
            }
        )*
    };
}

// Plain operations take minutes to be differentiated 100,000 times.
streams! {
    ndarray_reference: NdArray, Reference, 10_000;
    ndarray_cpu_runner: NdArray, CpuRunner::new(), 100_000;
    flex_reference: Flex, Reference, 10_000;
    flex_cpu_runner: Flex, CpuRunner::new(), 100_000;
}
