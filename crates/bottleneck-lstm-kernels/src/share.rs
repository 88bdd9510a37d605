//! Work that can be shared out among threads.

use crate::fork::fork;
use crate::instructions::Instructions;
use crate::lanes::Kernel;

/// A kernel whose work falls into parts that do not touch each other. What a part computes does
/// not depend on where the work is split, so that the same bits come out for any number of threads.
pub trait Share: Kernel<Output = ()> + Send + Sized {
    /// How many parts.
    fn parts(&self) -> usize;

    /// The first `at` parts, and the rest.
    fn split(self, at: usize) -> (Self, Self);
}

/// Who runs the kernels.
#[derive(Debug, Clone, Copy)]
pub struct Team {
    /// On which instructions.
    pub instructions: Instructions,
    /// On how many threads, at least one: the caller's and others of rayon's pool.
    pub threads: usize,
}

impl Team {
    /// Runs `kernel` on all threads.
    pub(crate) fn run<K: Share>(self, kernel: K) {
        let (parts, threads) = (kernel.parts(), self.threads);
        if threads < 2 || parts < 2 {
            return self.instructions.run(kernel);
        }
        let half = threads / 2;
        let (one, other) = kernel.split((parts * half).div_ceil(threads));
        let team = |threads| Self { threads, ..self };
        fork(|| team(half).run(one), || team(threads - half).run(other));
    }
}
