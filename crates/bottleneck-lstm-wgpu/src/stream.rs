//! A batch of videos, frame by frame.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bottleneck_lstm::{
    BottleneckLstm, BottleneckLstmState, CellRunner, LearnedState, ShapeError, checks,
};
use burn::tensor::{DType, Tensor};

use crate::WgpuRunner;
use crate::backend::GpuBackend;
use crate::error::GpuError;

/// Runs a cell frame by frame; weights and state stay on the device, and nothing is read back unless the
/// caller asks. Made by [`WgpuRunner::stream`].
///
/// # Example
///
/// ```no_run
/// use bottleneck_lstm::BottleneckLstmConfig;
/// use bottleneck_lstm_wgpu::WgpuRunner;
/// use burn::tensor::Tensor;
/// use burn_wgpu::Wgpu;
///
/// let device = Default::default();
/// let cell = BottleneckLstmConfig::new(16, 8).init::<Wgpu>(&device);
/// let mut stream = WgpuRunner::new().stream(&cell, 1, [10, 10]);
/// for _frame in 0..3 {
///     let h = stream.step(Tensor::ones([1, 16, 10, 10], &device));
///     assert_eq!(h.dims(), [1, 8, 10, 10]);
/// }
/// stream.reset(); // the next video starts anew
/// ```
#[derive(Debug)]
pub struct Stream<B: GpuBackend> {
    runner: WgpuRunner,
    cell: BottleneckLstm<B>,
    start: BottleneckLstmState<B>,
    state: BottleneckLstmState<B>,
}

impl WgpuRunner {
    /// A stream of `batch` videos of `spatial = [height, width]` through `cell`, at their start.
    ///
    /// # Panics
    ///
    /// As [`try_stream`](Self::try_stream) errs.
    pub fn stream<B: GpuBackend>(
        &self,
        cell: &BottleneckLstm<B>,
        batch: usize,
        spatial: [usize; 2],
    ) -> Stream<B> {
        self.try_stream(cell, batch, spatial)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// A stream, as [`stream`](Self::stream).
    ///
    /// # Errors
    ///
    /// As [`BottleneckLstm::try_init_state`] and [`WgpuRunner::check`], and [`GpuError::NoHalf`] if weights are to be
    /// in `f16` and the device has none.
    pub fn try_stream<B: GpuBackend>(
        &self,
        cell: &BottleneckLstm<B>,
        batch: usize,
        spatial: [usize; 2],
    ) -> Result<Stream<B>, GpuError> {
        self.check(cell.config(), [batch, 1], spatial)?;
        let start = cell.try_init_state(batch, spatial)?;
        // A learned state is one for all rows and positions, which every first step would copy out.
        let laid_out = |state: Tensor<B, 4>| state.zeros_like() + state;
        let start = match cell.config().learned_state {
            LearnedState::None => start,
            _ => BottleneckLstmState::new(laid_out(start.cell), laid_out(start.hidden)),
        };
        let mut cell = cell.clone();
        if self.has_half_weights() && self.is_fused(&cell) {
            let device = cell.bottleneck.val().device();
            if !B::supports_dtype(&device, DType::F16) {
                return Err(self.no_half(&device));
            }
            let half = |weights: Tensor<B, 4>| weights.cast(DType::F16);
            cell.bottleneck = cell.bottleneck.map(half);
            cell.gates = cell.gates.map(half);
        }
        Ok(Stream {
            runner: self.clone(),
            cell,
            state: start.clone(),
            start,
        })
    }
}

impl<B: GpuBackend> Stream<B> {
    /// Runs one step on `x`, `[batch, input, height, width]`. Returns what the cell yields,
    /// `[batch, output, height, width]`.
    ///
    /// # Panics
    ///
    /// As [`try_step`](Self::try_step) errs.
    pub fn step(&mut self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        self.try_step(x).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs one step, as [`step`](Self::step). The state is untouched by an error.
    ///
    /// # Errors
    ///
    /// If the shape or the element type of `x` is not the stream's.
    pub fn try_step(&mut self, x: Tensor<B, 4>) -> Result<Tensor<B, 4>, ShapeError> {
        let [batch, _, height, width] = self.state.cell.dims();
        let input = self.cell.config().input_channels;
        checks::image_exactly("input", [batch, input, height, width], x.dims())?;
        checks::dtype("input", self.start.cell.dtype(), x.dtype())?;
        let (output, state) = self.runner.step(&self.cell, x, self.state.clone());
        self.state = state;
        Ok(output)
    }

    /// Goes back to the start of a video.
    pub fn reset(&mut self) {
        self.state = self.start.clone();
    }

    /// The state, `[batch, hidden, height, width]` each.
    pub fn state(&self) -> BottleneckLstmState<B> {
        self.state.clone()
    }

    /// Goes on from `s`.
    ///
    /// # Panics
    ///
    /// As [`try_set_state`](Self::try_set_state) errs.
    pub fn set_state(&mut self, s: BottleneckLstmState<B>) {
        self.try_set_state(s)
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// Goes on from `state`. Nothing changes on an error.
    ///
    /// # Errors
    ///
    /// If the shapes or the element types are not the stream's.
    pub fn try_set_state(&mut self, state: BottleneckLstmState<B>) -> Result<(), ShapeError> {
        let start = &self.start.cell;
        checks::state(&state, start.dims(), start.dtype())?;
        self.state = state;
        Ok(())
    }

    /// Waits until the device has run all steps so far, and reads one value of the state back: nothing else
    /// notices that a device was lost.
    ///
    /// # Errors
    ///
    /// [`GpuError::Execution`] with what the device reports: that it was lost, or out of memory, surfaces
    /// here or where a result is read, not in the step that it happened in. CubeCL panics there, which is
    /// caught here; the process's panic hook has its say first.
    pub fn sync(&self) -> Result<(), GpuError> {
        let device = self.cell.bottleneck.val().device();
        B::sync(&device).map_err(GpuError::execution)?;
        let value = self.state.cell.clone().slice([0..1, 0..1, 0..1, 0..1]);
        match catch_unwind(AssertUnwindSafe(|| value.try_into_data())) {
            Ok(read) => read.map(drop).map_err(GpuError::execution),
            Err(_) => Err(GpuError::Execution {
                reason: "a read of its memory failed; it may be lost or out of memory".to_owned(),
            }),
        }
    }
}
