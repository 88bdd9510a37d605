//! Memory does not grow with the length of a stream.
//!
//! The meter counts the whole process, hence a test binary of its own and one test at a time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bottleneck_lstm::{BottleneckLstmConfig, BottleneckLstmState, CellRunner, Reference};
use bottleneck_lstm_ndarray::CpuRunner;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
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

/// Runs `steps` steps of a small cell and returns the peak of memory in use.
fn stream<B: Backend, R: CellRunner<B>>(runner: &R, steps: usize, detach: bool) -> usize {
    let device = B::Device::default();
    let cell = BottleneckLstmConfig::new(1, 2).init::<B>(&device);
    let x = Tensor::<B, 4>::ones([1, 1, 1, 1], &device);
    METER.peak_of(|| {
        let mut state: Option<BottleneckLstmState<B>> = None;
        for _ in 0..steps {
            let next = cell.step_with(runner, x.clone(), state);
            state = Some(if detach { next.detach() } else { next });
        }
        assert!(state.is_some_and(|state| state.is_finite()));
    })
}

fn a_long_stream_takes_no_more<B: Backend, R: CellRunner<B>>(runner: &R) {
    let _alone = ONE_AT_A_TIME.lock();
    // Whatever is set up once is set up here.
    stream(runner, 100, true);
    let short = stream(runner, 10_000, true);
    let long = stream(runner, 100_000, true);
    assert!(
        long.abs_diff(short) < MIB,
        "10,000 steps: {short} bytes, 100,000 steps: {long}"
    );
}

/// What the meter would show if the state were never cut off.
#[test]
fn an_attached_stream_grows() {
    let _alone = ONE_AT_A_TIME.lock();
    let runner = CpuRunner::new();
    let short = stream::<Autodiff<Flex>, _>(&runner, 100, false);
    let long = stream::<Autodiff<Flex>, _>(&runner, 1_000, false);
    assert!(
        long > short + MIB,
        "100 steps: {short} bytes, 1,000 steps: {long}"
    );
}

macro_rules! streams {
    ($($name:ident: $backend:ty, $runner:expr;)*) => {
        $(
            #[test]
            fn $name() {
                a_long_stream_takes_no_more::<$backend, _>(&$runner);
            }
        )*
    };
}

streams! {
    ndarray_reference: NdArray, Reference;
    ndarray_cpu_runner: NdArray, CpuRunner::new();
    ndarray_autodiff_reference: Autodiff<NdArray>, Reference;
    ndarray_autodiff_cpu_runner: Autodiff<NdArray>, CpuRunner::new();
    flex_reference: Flex, Reference;
    flex_cpu_runner: Flex, CpuRunner::new();
    flex_autodiff_reference: Autodiff<Flex>, Reference;
    flex_autodiff_cpu_runner: Autodiff<Flex>, CpuRunner::new();
}
