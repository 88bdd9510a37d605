//! What is read back from the device. wgpu maps a buffer for each read and logs it, which is how they are
//! counted.

use std::env;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use bottleneck_lstm::BottleneckLstmConfig;
use bottleneck_lstm_wgpu::WgpuRunner;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn_fusion::Fusion;
use log::{LevelFilter, Log, Metadata, Record};

use super::Cube;

/// Set where the test runs alone: others of its process read too.
const ALONE: &str = "BOTTLENECK_LSTM_READS_ALONE";
const NAME: &str = "reads::a_stream_reads_nothing_back_unless_asked";

static READS: AtomicUsize = AtomicUsize::new(0);

struct Reads;

impl Log for Reads {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("wgpu_core")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) && record.args().to_string().contains("map_async") {
            READS.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

#[test]
fn a_stream_reads_nothing_back_unless_asked() {
    if env::var_os(ALONE).is_none() {
        let mut alone = Command::new(env::current_exe().expect("a test has a binary"));
        let status = alone.args(["--exact", NAME]).env(ALONE, "").status();
        assert!(status.expect("it runs").success());
        return;
    }
    log::set_logger(&Reads).expect("there is no other");
    log::set_max_level(LevelFilter::Trace);
    let device = Default::default();
    let cell = BottleneckLstmConfig::new(6, 4).init::<Fusion<Cube>>(&device);
    let mut stream = WgpuRunner::new().stream(&cell, 1, [5, 5]);
    let mut last = None;
    for _ in 0..5 {
        last = Some(stream.step(Tensor::ones([1, 6, 5, 5], &device)));
    }
    stream.reset();
    <Fusion<Cube> as Backend>::sync(&device).expect("a device that works");
    let reads = || READS.load(Ordering::Relaxed);
    assert_eq!(reads(), 0);
    stream.sync().expect("a device that works");
    assert_eq!(reads(), 1);
    let asked = last.expect("five steps").into_data();
    assert_eq!(asked.shape.num_elements(), 100);
    assert_eq!(reads(), 2);
}
