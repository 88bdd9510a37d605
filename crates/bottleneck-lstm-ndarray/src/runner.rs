//! The runner and the backends that it runs on.

use std::sync::Arc;

use bottleneck_lstm::fused;
use bottleneck_lstm::{BottleneckLstm, BottleneckLstmConfig, BottleneckLstmState, CellRunner};
use bottleneck_lstm_kernels::{self as kernels, Instructions, Memory, Team, awake};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_flex::Flex;
use burn_ndarray::NdArray;

use crate::backend::CpuBackend;
use crate::call::{Call, Video};
use crate::kept::Kept;
use crate::threads;

/// Runs a [`BottleneckLstm`] on the CPU with fused kernels, forward and backward.
///
/// It covers every variant in `f32` with kernels of 1, 3 or 5, on `NdArray` and `Flex` and on
/// `Autodiff` of both. Other element types, `f64` among them, and other kernel sizes go to
/// [`Reference`](bottleneck_lstm::Reference); [`is_fused`](CellRunner::is_fused) says which. The
/// same input gives the same bits for any number of threads, on the same [`Instructions`].
///
/// It keeps the memory that a call has worked in for the next one, and the weights that it packed
/// last beside the tensors that they are made of; clones share both. Gradients aside, calls with the
/// same weights pack them once.
///
/// State smaller than 1e-30 in size becomes 0, so that none decays into denormal numbers.
///
/// # Example
///
/// ```
/// use bottleneck_lstm::BottleneckLstmConfig;
/// use bottleneck_lstm_ndarray::CpuRunner;
/// use burn::tensor::{Distribution, Tensor};
/// use burn_autodiff::Autodiff;
/// use burn_flex::Flex;
///
/// type B = Autodiff<Flex>;
/// let device = Default::default();
/// let cell = BottleneckLstmConfig::new(16, 8).init::<B>(&device);
/// let xs = Tensor::random([2, 5, 16, 10, 10], Distribution::Default, &device);
/// let (hs, _state) = cell.forward_with(&CpuRunner::new(), xs, None);
/// let gradients = hs.square().mean().backward();
/// assert!(cell.gates.val().grad(&gradients).is_some());
/// ```
#[derive(Debug, Clone)]
pub struct CpuRunner {
    threads: Option<usize>,
    instructions: Instructions,
    memory: Arc<Memory>,
    kept: Arc<Kept>,
}

impl Default for CpuRunner {
    fn default() -> Self {
        Self::new()
    }
}

impl CpuRunner {
    /// A runner that chooses its number of threads by the size of the work, on the best
    /// instructions that the machine has.
    pub fn new() -> Self {
        Self {
            threads: None,
            instructions: Instructions::best(),
            memory: Arc::default(),
            kept: Arc::default(),
        }
    }

    /// Sets the number of threads, at least one: the caller's and others of rayon's pool, the global
    /// one or that in which the call is made, of which there are no more than it has. The videos of a
    /// batch are spread over them first, then the rows of its maps.
    pub fn with_threads(self, n: usize) -> Self {
        Self {
            threads: Some(n.max(1)),
            ..self
        }
    }

    /// Sets the instructions; those that the machine lacks are replaced by
    /// [`Instructions::Portable`].
    pub fn with_instructions(self, instructions: Instructions) -> Self {
        Self {
            instructions,
            ..self
        }
    }

    /// The instructions that it runs on.
    pub fn instructions(&self) -> Instructions {
        match self.instructions.is_available() {
            true => self.instructions,
            false => Instructions::Portable,
        }
    }

    /// Puts `1 / (1 + exp(-x))` in the place of every `x`, to 2 units in the last place, on the caller's thread.
    pub fn sigmoid(&self, values: &mut [f32]) {
        kernels::sigmoid_all(self.instructions, values);
    }

    pub(crate) fn threads(&self, macs: usize) -> usize {
        threads::count(self.threads, macs)
    }

    pub(crate) fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    pub(crate) fn team(&self, threads: usize) -> Team {
        Team {
            instructions: self.instructions,
            threads,
        }
    }
}

macro_rules! runs_on {
    ($backend:ty) => {
        impl CellRunner<$backend> for CpuRunner {
            fn forward(
                &self,
                cell: &BottleneckLstm<$backend>,
                xs: Tensor<$backend, 5>,
                state: BottleneckLstmState<$backend>,
            ) -> (Tensor<$backend, 5>, BottleneckLstmState<$backend>) {
                fused::forward(self, cell, xs, state)
            }

            fn is_fused(&self, cell: &BottleneckLstm<$backend>) -> bool {
                covers(cell)
            }
        }

        impl<C: CheckpointStrategy> CellRunner<Autodiff<$backend, C>> for CpuRunner {
            fn forward(
                &self,
                cell: &BottleneckLstm<Autodiff<$backend, C>>,
                xs: Tensor<Autodiff<$backend, C>, 5>,
                state: BottleneckLstmState<Autodiff<$backend, C>>,
            ) -> (
                Tensor<Autodiff<$backend, C>, 5>,
                BottleneckLstmState<Autodiff<$backend, C>>,
            ) {
                fused::forward_autodiff(self, cell, xs, state)
            }

            fn is_fused(&self, cell: &BottleneckLstm<Autodiff<$backend, C>>) -> bool {
                covers(cell)
            }
        }
    };
}

runs_on!(NdArray);
runs_on!(NdArray<f64>);
runs_on!(Flex);

/// Whether the kernels cover a cell.
pub(crate) fn covers<B: Backend>(cell: &BottleneckLstm<B>) -> bool {
    covers_all(cell.config(), cell.bottleneck.val().dtype())
}

/// The kernels are written for `f32` and a few kernel sizes.
pub(crate) fn covers_all(config: &BottleneckLstmConfig, dtype: DType) -> bool {
    dtype == DType::F32 && kernels::covers(config.kernel_size)
}

impl CpuRunner {
    /// Calls `run` on every video of `call`, each time with a vector to append to. Returns what was
    /// appended, video after video, in a vector with room for `values`, and the results.
    ///
    /// Videos that are worked on one by one append to one vector: what several yield has to be
    /// copied once more.
    pub(crate) fn append<B: CpuBackend, R: Send>(
        &self,
        call: &Call<B>,
        values: usize,
        run: impl Fn(Team, Video<'_>, &mut Vec<f32>) -> R + Sync + Send,
    ) -> (Vec<f32>, Vec<R>) {
        let mut all = Vec::with_capacity(values);
        let (videos, threads) = (call.videos(), self.threads(call.batch * call.plan.macs()));
        let (at_a_time, each) = threads::divide(threads, call.batch);
        let team = self.team(each);
        let results = awake(threads, || {
            if at_a_time < 2 {
                let one = |video| run(team, video, &mut all);
                return videos.into_iter().map(one).collect();
            }
            let outcomes = threads::map(at_a_time, videos, |video| {
                let mut own = Vec::with_capacity(call.output_size());
                let result = run(team, video, &mut own);
                (own, result)
            });
            let append = |(own, result): (Vec<f32>, R)| {
                all.extend_from_slice(&own);
                result
            };
            outcomes.into_iter().map(append).collect()
        });
        (all, results)
    }

    /// Calls `run` on every item of a call of `macs` multiply-accumulates, in its threads.
    pub(crate) fn each<T: Send, R: Send>(
        &self,
        macs: usize,
        items: Vec<T>,
        run: impl Fn(Team, T) -> R + Sync + Send,
    ) -> Vec<R> {
        let threads = self.threads(macs);
        let (at_a_time, each) = threads::divide(threads, items.len());
        let team = self.team(each);
        awake(threads, || {
            threads::map(at_a_time, items, |item| run(team, item))
        })
    }
}
