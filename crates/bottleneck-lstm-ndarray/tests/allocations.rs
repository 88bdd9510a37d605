//! What a step and a frame allocate. One test, so that nothing else in the process allocates meanwhile.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use bottleneck_lstm::{BottleneckLstmConfig, Peephole};
use bottleneck_lstm_ndarray::CpuRunner;
use bottleneck_lstm_ndarray::network::{self, Activation, Convolution, Graph, Kind};
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
fn a_step_allocates_its_result_alone_and_a_frame_nothing() {
    a_step_allocates_its_result_alone();
    a_frame_allocates_nothing();
}

/// A network with all kinds of layers, a sum and two outputs.
fn graph() -> Graph {
    let mut graph = Graph::new(3, [21, 30]).unwrap();
    let mut map = graph.input();
    let layers = [
        (Kind::Dense, [3, 16], 2),
        (Kind::Depthwise, [16, 16], 1),
        (Kind::Pointwise, [16, 9], 1),
        (Kind::Pointwise, [9, 40], 1),
        (Kind::Depthwise, [40, 40], 1),
        (Kind::Pointwise, [40, 9], 1),
        (Kind::Dense, [9, 20], 2),
    ];
    let mut earlier = map;
    for (index, (kind, channels, stride)) in layers.into_iter().enumerate() {
        let [input, output] = channels;
        let count = match kind {
            Kind::Pointwise => input * output,
            Kind::Depthwise => input * 9,
            Kind::Dense => input * output * 9,
        };
        let convolution = Convolution {
            name: index.to_string(),
            kind,
            channels,
            stride,
            activation: Activation::Identity,
            weight: vec![0.1; count],
            bias: vec![0.1; output],
        };
        map = graph.convolve(map, convolution).unwrap();
        match index {
            2 => earlier = map,
            5 => map = graph.add(map, earlier).unwrap(),
            _ => {}
        }
    }
    graph
        .output(&[earlier], network::Layout::ChannelsFirst)
        .unwrap();
    graph
        .output(&[map, earlier], network::Layout::ChannelsLast)
        .unwrap();
    graph
}

fn a_frame_allocates_nothing() {
    let graph = graph();
    let frame = vec![0.5; 3 * 21 * 30];
    let planned = allocations_here(|| drop(CpuRunner::new().network(&graph)));
    assert!(planned > 0, "the allocator does not count");
    let mut network = CpuRunner::new().with_threads(1).network(&graph);
    for _ in 0..50 {
        assert_eq!(allocations_here(|| network.run(&frame).unwrap()), 0);
    }
}

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
