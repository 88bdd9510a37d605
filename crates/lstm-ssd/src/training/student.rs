//! The parts of a memory that can be trained.

use bottleneck_lstm::{BottleneckLstm, CellRunner};
use burn::module::{Module, ParamId};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::network::{FrameMemory, Memory, MemoryState, NetworkError};

/// A part of a memory: a [`Memory`] learns from maps, a [`FrameMemory`] from frames as maps of patches.
pub trait Student<B: Backend>: Module<B> {
    /// How much faster the amounts learn than the weights: all that the part does is multiplied by them, and they start
    /// at zero.
    const AMOUNT: f64;

    /// The cell within.
    fn cell(&self) -> &BottleneckLstm<B>;

    /// How much of what it remembers it may put in.
    fn amounts(&self) -> Tensor<B, 1>;

    /// The parameters that the amounts come of.
    fn amount_ids(&self) -> Vec<ParamId>;

    /// What is remembered of the first map of a video, `[batch, channels, height, width]` both.
    fn first(&self, map: Tensor<B, 4>) -> Tensor<B, 4>;

    /// What it makes of maps, `[batch, time, channels, height, width]`, one after the other.
    ///
    /// # Errors
    ///
    /// If maps or state are of another shape.
    fn repair<R: CellRunner<B>>(
        &self,
        runner: &R,
        maps: Tensor<B, 5>,
        state: Option<MemoryState<B>>,
    ) -> Result<(Tensor<B, 5>, MemoryState<B>), NetworkError>;
}

impl<B: Backend> Student<B> for Memory<B> {
    const AMOUNT: f64 = 20.0;

    fn cell(&self) -> &BottleneckLstm<B> {
        &self.cell
    }

    fn amounts(&self) -> Tensor<B, 1> {
        Memory::amounts(self)
    }

    fn amount_ids(&self) -> Vec<ParamId> {
        Memory::amount_ids(self)
    }

    fn first(&self, map: Tensor<B, 4>) -> Tensor<B, 4> {
        let scale = self.scale();
        let channels = scale.dims()[0];
        map / scale.reshape([1, channels, 1, 1])
    }

    fn repair<R: CellRunner<B>>(
        &self,
        runner: &R,
        maps: Tensor<B, 5>,
        state: Option<MemoryState<B>>,
    ) -> Result<(Tensor<B, 5>, MemoryState<B>), NetworkError> {
        self.try_forward_with(runner, maps, state)
    }
}

impl<B: Backend> Student<B> for FrameMemory<B> {
    const AMOUNT: f64 = 5.0;

    fn cell(&self) -> &BottleneckLstm<B> {
        &self.cell
    }

    fn amounts(&self) -> Tensor<B, 1> {
        self.amount()
    }

    fn amount_ids(&self) -> Vec<ParamId> {
        FrameMemory::amount_ids(self)
    }

    fn first(&self, map: Tensor<B, 4>) -> Tensor<B, 4> {
        map
    }

    fn repair<R: CellRunner<B>>(
        &self,
        runner: &R,
        maps: Tensor<B, 5>,
        state: Option<MemoryState<B>>,
    ) -> Result<(Tensor<B, 5>, MemoryState<B>), NetworkError> {
        self.try_forward_with(runner, maps, state)
    }
}
