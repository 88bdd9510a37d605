//! The runner.

use std::fmt;

use bottleneck_lstm::fused;
use bottleneck_lstm::{
    BottleneckLstm, BottleneckLstmConfig, BottleneckLstmState, CellRunner, Reference,
};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Shape, Tensor, TensorPrimitive};
use burn_wgpu::WgpuDevice;

use crate::adapter::Adapter;
use crate::backend::GpuBackend;
use crate::error::GpuError;
use crate::launches::Launches;
use crate::plan::Plan;

/// Runs a [`BottleneckLstm`] on a GPU with fused kernels: a step is four launches, whatever the variant.
///
/// It covers every variant in `f32`, on every [`GpuBackend`]; other element types go to [`Reference`], and
/// [`is_fused`](CellRunner::is_fused) says which. Training is still to come: under `Autodiff`, use
/// [`Reference`].
///
/// # Example
///
/// ```no_run
/// use bottleneck_lstm::BottleneckLstmConfig;
/// use bottleneck_lstm_wgpu::WgpuRunner;
/// use burn::tensor::{Distribution, Tensor};
/// use burn_wgpu::Wgpu;
///
/// let device = Default::default();
/// let runner = WgpuRunner::try_new(&device)?;
/// println!("{}", runner.describe());
/// let cell = BottleneckLstmConfig::new(16, 8).init::<Wgpu>(&device);
/// let xs = Tensor::random([2, 5, 16, 10, 10], Distribution::Default, &device);
/// let (hs, _state) = cell.forward_with(&runner, xs, None);
/// assert_eq!(hs.dims(), [2, 5, 8, 10, 10]);
/// # Ok::<(), bottleneck_lstm_wgpu::GpuError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct WgpuRunner {
    launches: Launches,
    adapter: Option<Adapter>,
}

impl WgpuRunner {
    /// A runner that looks at no adapter beforehand: where there is none, Burn panics with the first tensor.
    pub fn new() -> Self {
        Self::default()
    }

    /// A runner for `device`, whose adapter it looks at before Burn does.
    ///
    /// # Errors
    ///
    /// [`GpuError::NoAdapter`].
    pub fn try_new(device: &WgpuDevice) -> Result<Self, GpuError> {
        Ok(Self::with_adapter(Adapter::of(device)?))
    }

    /// A runner for a device that the caller set up on `adapter`.
    pub fn with_adapter(adapter: Adapter) -> Self {
        Self {
            launches: Launches::default(),
            adapter: Some(adapter),
        }
    }

    /// What it and its clones have had the device do.
    pub fn launches(&self) -> &Launches {
        &self.launches
    }

    /// The adapter, if it was looked at, and the kernels that run on it.
    pub fn describe(&self) -> Description<'_> {
        Description {
            adapter: self.adapter.as_ref(),
            kernels: "sums in registers, without subgroups, f32",
        }
    }

    /// That the adapter, if it was looked at, can run a call of `time` steps of `batch` videos of
    /// `spatial = [height, width]`.
    ///
    /// # Errors
    ///
    /// [`GpuError::TooLarge`] and [`GpuError::TooFewBindings`].
    pub fn check(
        &self,
        config: &BottleneckLstmConfig,
        [batch, time]: [usize; 2],
        [height, width]: [usize; 2],
    ) -> Result<(), GpuError> {
        let Some(adapter) = &self.adapter else {
            return Ok(());
        };
        let plan = Plan::new(config, &Shape::from([batch, time, 0, height, width]));
        for (tensor, values) in plan.buffers() {
            let bytes = (values * size_of::<f32>()) as u64;
            if bytes > adapter.max_buffer {
                return Err(GpuError::TooLarge {
                    adapter: adapter.name.clone(),
                    tensor,
                    bytes,
                    limit: adapter.max_buffer,
                });
            }
        }
        let buffers = plan.bindings(config.gate_bias, config.peephole.is_some());
        if buffers > adapter.max_bindings {
            return Err(GpuError::TooFewBindings {
                adapter: adapter.name.clone(),
                buffers,
                limit: adapter.max_bindings,
            });
        }
        Ok(())
    }
}

/// What a [`WgpuRunner`] runs on, to be printed.
#[derive(Debug, Clone, Copy)]
pub struct Description<'a> {
    /// The adapter, if the runner has looked at it.
    pub adapter: Option<&'a Adapter>,
    /// The kernels' variant.
    pub kernels: &'a str,
}

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.adapter {
            Some(adapter) => write!(f, "{adapter}")?,
            None => f.write_str("an adapter that was not looked at")?,
        }
        write!(f, "; kernels: {}", self.kernels)
    }
}

impl<B: GpuBackend> CellRunner<B> for WgpuRunner {
    fn forward(
        &self,
        cell: &BottleneckLstm<B>,
        xs: Tensor<B, 5>,
        state: BottleneckLstmState<B>,
    ) -> (Tensor<B, 5>, BottleneckLstmState<B>) {
        if !CellRunner::<B>::is_fused(self, cell) {
            return Reference.forward(cell, xs, state);
        }
        let tensors = fused::tensors(cell, xs, state);
        let outcome = B::forward(cell.config(), &self.launches, tensors);
        let tensor = |primitive| Tensor::from_primitive(TensorPrimitive::Float(primitive));
        let hidden = outcome.hidden.expect("the kernels have it");
        (
            Tensor::from_primitive(TensorPrimitive::Float(outcome.outputs)),
            BottleneckLstmState::new(tensor(outcome.cell), tensor(hidden)),
        )
    }

    fn is_fused(&self, cell: &BottleneckLstm<B>) -> bool {
        covers(cell)
    }
}

/// Whether the kernels cover a cell: they are written for `f32`.
fn covers<B: Backend>(cell: &BottleneckLstm<B>) -> bool {
    cell.bottleneck.val().dtype() == DType::F32
}
