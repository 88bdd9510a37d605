//! The runner.

use std::fmt;

use bottleneck_lstm::fused::{self, CellGradients, CellTensors, FusedCell, Outcome};
use bottleneck_lstm::{BottleneckLstm, BottleneckLstmConfig, BottleneckLstmState, CellRunner};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Shape, Tensor, TensorMetadata};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_wgpu::WgpuDevice;

use crate::adapter::Adapter;
use crate::backend::{Call, GpuBackend, Recording};
use crate::error::GpuError;
use crate::launches::Launches;
use crate::plan::Plan;
use crate::tiling::Tiling;

/// Runs a [`BottleneckLstm`] on a GPU with fused kernels, forward and backward.
///
/// It covers every variant in `f32`, on every [`GpuBackend`] and `Autodiff` of it; other element types go to
/// [`Reference`](bottleneck_lstm::Reference), and [`is_fused`](CellRunner::is_fused) says which. The same input
/// gives the same bits on the same device.
///
/// # Launches
///
/// A step is at most four launches, whatever the variant, and a sequence of `T` steps at most `4 T + 1`: its
/// input goes through two of them for all steps at once. Without a depthwise convolution of the hidden state it
/// is `3 T + 2`. A strided tensor is one copy more, as the two of a learned state are at the start of a sequence.
/// Recorded for a backward pass, a sequence takes at most `5 T + 4`, and the backward pass `5 T + 15`, or with scaling `7 T + 15`.
///
/// On the first use of a shape its kernels are compiled, which takes a moment; nothing is tuned at run time and
/// nothing is kept on disk.
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
    tiling: Tiling,
    half_weights: bool,
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
            adapter: Some(adapter),
            ..Self::default()
        }
    }

    /// Sets how much of a result a thread computes: for those who measure.
    pub fn with_tiling(self, tiling: Tiling) -> Self {
        Self { tiling, ..self }
    }

    /// Has streams of `f32` cells keep the weights of their pointwise convolutions, which are nearly all there
    /// are, in `f16`: half of the memory and of the reads that these take. All arithmetic stays in `f32`.
    ///
    /// Results are those of a cell whose weights were rounded so: each by at most one part in 2048 if it is
    /// between 6.1e-5 and 65504 in magnitude, and by at most 3.0e-8 if it is smaller; larger ones become infinite.
    /// Where none is smaller or larger, a sum `w · x` is off by at most the sum of `|w x| / 2048`. How that adds up over a
    /// video depends on the cell: with weights as [`BottleneckLstmConfig::init`] draws them, hidden states of 16 steps
    /// stay within 4e-3 of the largest of their step over 240 small cells drawn at random; the suite holds such cells to
    /// 1e-2.
    ///
    /// Calls that are not a stream's are not affected: they would have to round the weights each time.
    pub fn with_half_weights(self) -> Self {
        Self {
            half_weights: true,
            ..self
        }
    }

    pub(crate) fn has_half_weights(&self) -> bool {
        self.half_weights
    }

    /// That `device` has no `f16`.
    pub(crate) fn no_half(&self, device: &impl fmt::Debug) -> GpuError {
        GpuError::NoHalf {
            device: match &self.adapter {
                Some(adapter) => adapter.name.clone(),
                None => format!("{device:?}"),
            },
        }
    }

    fn call(&self, config: &BottleneckLstmConfig) -> Call {
        Call {
            config: config.clone(),
            launches: self.launches.clone(),
            tiling: self.tiling(),
        }
    }

    /// The tiling that is meant, as far as it is known without the device.
    fn tiling(&self) -> Tiling {
        match (self.tiling, &self.adapter) {
            (Tiling::ByDevice, Some(adapter)) if !adapter.is_cpu => Tiling::Gpu,
            (Tiling::ByDevice, Some(adapter)) if adapter.has_subgroups => Tiling::CpuSubgroups,
            (Tiling::ByDevice, Some(_)) => Tiling::Cpu,
            (tiling, _) => tiling,
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
            tiling: self.tiling(),
            half_weights: self.half_weights,
        }
    }

    /// That the adapter, if it was looked at, can run a call of `time` steps of `batch` videos of
    /// `spatial = [height, width]`, without a backward pass.
    ///
    /// # Errors
    ///
    /// [`GpuError::TooLarge`] and [`GpuError::TooFewBindings`].
    pub fn check(
        &self,
        config: &BottleneckLstmConfig,
        batch_time: [usize; 2],
        spatial: [usize; 2],
    ) -> Result<(), GpuError> {
        self.check_call(config, batch_time, spatial, false)
    }

    /// As [`check`](Self::check), with a backward pass, which takes more.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn check_training(
        &self,
        config: &BottleneckLstmConfig,
        batch_time: [usize; 2],
        spatial: [usize; 2],
    ) -> Result<(), GpuError> {
        self.check_call(config, batch_time, spatial, true)
    }

    fn check_call(
        &self,
        config: &BottleneckLstmConfig,
        [batch, time]: [usize; 2],
        [height, width]: [usize; 2],
        training: bool,
    ) -> Result<(), GpuError> {
        let Some(adapter) = &self.adapter else {
            return Ok(());
        };
        let too_large = |tensor, bytes| GpuError::TooLarge {
            adapter: adapter.name.clone(),
            tensor,
            bytes,
            limit: adapter.max_buffer,
        };
        let positions = [batch, time, height, width]
            .into_iter()
            .fold(1, usize::saturating_mul);
        if positions > MOST_POSITIONS {
            let values = positions.saturating_mul(config.input_channels);
            let bytes = values.saturating_mul(size_of::<f32>());
            return Err(too_large("the input", bytes as u64));
        }
        let plan = Plan::new(config, &Shape::from([batch, time, 0, height, width]));
        let records = plan.record_buffers().into_iter().filter(|_| training);
        for (tensor, values) in plan.buffers().into_iter().chain(records) {
            let bytes = (values * size_of::<f32>()) as u64;
            if bytes > adapter.max_buffer {
                return Err(too_large(tensor, bytes));
            }
        }
        let buffers = plan.bindings(config.gate_bias, config.peephole.is_some(), training);
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

/// Positions of a call past which its values are not worth counting, and might not be.
const MOST_POSITIONS: usize = 1 << 40;

/// What a [`WgpuRunner`] runs on, to be printed.
#[derive(Debug, Clone, Copy)]
pub struct Description<'a> {
    /// The adapter, if the runner has looked at it.
    pub adapter: Option<&'a Adapter>,
    /// How much of a result a thread computes.
    pub tiling: Tiling,
    /// Whether streams keep weights in `f16`.
    pub half_weights: bool,
}

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.adapter {
            Some(adapter) => write!(f, "{adapter}")?,
            None => f.write_str("an adapter that was not looked at")?,
        }
        let tiles = match self.tiling {
            Tiling::ByDevice => "the device",
            Tiling::Gpu => "a GPU",
            Tiling::Cpu => "a CPU",
            Tiling::CpuSubgroups => "a CPU's subgroups",
        };
        write!(f, "; kernels: f32, tiles for {tiles}")?;
        match self.half_weights {
            true => f.write_str("; weights of streams: f16"),
            false => Ok(()),
        }
    }
}

impl<B: GpuBackend> CellRunner<B> for WgpuRunner {
    fn forward(
        &self,
        cell: &BottleneckLstm<B>,
        xs: Tensor<B, 5>,
        state: BottleneckLstmState<B>,
    ) -> (Tensor<B, 5>, BottleneckLstmState<B>) {
        fused::forward(self, cell, xs, state)
    }

    fn is_fused(&self, cell: &BottleneckLstm<B>) -> bool {
        covers(cell.bottleneck.val().dtype())
    }
}

impl<B: GpuBackend, C: CheckpointStrategy> CellRunner<Autodiff<B, C>> for WgpuRunner {
    fn forward(
        &self,
        cell: &BottleneckLstm<Autodiff<B, C>>,
        xs: Tensor<Autodiff<B, C>, 5>,
        state: BottleneckLstmState<Autodiff<B, C>>,
    ) -> (
        Tensor<Autodiff<B, C>, 5>,
        BottleneckLstmState<Autodiff<B, C>>,
    ) {
        fused::forward_autodiff(self, cell, xs, state)
    }

    fn is_fused(&self, cell: &BottleneckLstm<Autodiff<B, C>>) -> bool {
        covers(cell.bottleneck.val().dtype())
    }
}

/// The kernels are written for `f32`.
fn covers(dtype: DType) -> bool {
    dtype == DType::F32
}

/// At the border, since the kernels run unchecked, and with fusion in another thread.
fn check_parameters<B: GpuBackend>(
    config: &BottleneckLstmConfig,
    tensors: &CellTensors<FloatTensor<B>>,
    weights: &[DType],
) {
    let mut others = tensors.clone().map(|tensor| tensor.dtype());
    for weight in [&mut others.bottleneck, &mut others.gates] {
        let dtype = std::mem::replace(weight, DType::F32);
        assert!(
            weights.contains(&dtype),
            "weights are {dtype:?}, where their cell is f32"
        );
    }
    for dtype in others.into_options().into_array().into_iter().flatten() {
        assert!(
            covers(dtype),
            "a parameter is {dtype:?}, where its cell is f32"
        );
    }
    let values = tensors.clone().map(|tensor| tensor.shape().num_elements());
    Plan::new(config, &tensors.xs.shape()).check(&values);
}

impl<B: GpuBackend> FusedCell<B> for WgpuRunner {
    type Tape = Recording<FloatTensor<B>>;

    fn covers(&self, _config: &BottleneckLstmConfig, dtype: DType) -> bool {
        covers(dtype)
    }

    fn forward(
        &self,
        config: &BottleneckLstmConfig,
        tensors: CellTensors<FloatTensor<B>>,
    ) -> Outcome<FloatTensor<B>> {
        check_parameters::<B>(config, &tensors, &[DType::F32, DType::F16]);
        B::forward(&self.call(config), tensors)
    }

    fn forward_taped(
        &self,
        config: &BottleneckLstmConfig,
        tensors: CellTensors<FloatTensor<B>>,
    ) -> (FloatTensor<B>, Recording<FloatTensor<B>>) {
        check_parameters::<B>(config, &tensors, &[DType::F32]);
        let (packed, tape) = B::forward_taped(&self.call(config), tensors.clone());
        let recording = Recording {
            tensors,
            tape,
            packed: packed.clone(),
        };
        (packed, recording)
    }

    fn backward(
        &self,
        config: &BottleneckLstmConfig,
        recording: Recording<FloatTensor<B>>,
        wanted: CellTensors<bool, bool>,
        gradient: FloatTensor<B>,
    ) -> CellGradients<FloatTensor<B>> {
        B::backward(&self.call(config), recording, wanted, gradient)
    }
}
