//! A count of what a runner has the device do. CubeCL keeps none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the kernels that a runner and its clones launch, and the bytes that go through them.
///
/// Every dispatch between the input's handle and a readable result is counted, copies that make a strided
/// tensor contiguous among them. Runners read nothing back, so there are no reads to count.
#[derive(Debug, Clone, Default)]
pub struct Launches(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    launches: AtomicU64,
    bytes: AtomicU64,
}

impl Launches {
    /// Kernels launched so far.
    ///
    /// On `Fusion`, a call only counts once it is executed: synchronise the device first.
    pub fn count(&self) -> u64 {
        self.0.launches.load(Ordering::Relaxed)
    }

    /// Bytes of the buffers that they read and wrote, each counted once a kernel.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.0.launches.fetch_add(1, Ordering::Relaxed);
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}
