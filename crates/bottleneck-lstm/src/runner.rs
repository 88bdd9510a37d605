//! The seam between a cell and what computes it.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::{BottleneckLstm, BottleneckLstmState};

/// Computes a [`BottleneckLstm`] on backend `B`.
///
/// The cell validates input and state before it calls a runner, so an implementation may rely on
/// them: `xs` is `[batch, time, input, height, width]` with every size at least 1, the state is
/// `[batch, hidden, height, width]`, and both have the element type of the cell's `bottleneck`.
///
/// The parameters are as the configuration says unless a caller replaced one, which the cell does
/// not check: an implementation whose memory safety depends on them checks them itself.
///
/// Call a runner through [`BottleneckLstm::forward_with`] and its siblings.
pub trait CellRunner<B: Backend> {
    /// Runs `cell` over the sequence `xs` from `state`. Returns what the cell yields at every
    /// step, `[batch, time, output, height, width]`, and the last state.
    fn forward(
        &self,
        cell: &BottleneckLstm<B>,
        xs: Tensor<B, 5>,
        state: BottleneckLstmState<B>,
    ) -> (Tensor<B, 5>, BottleneckLstmState<B>);

    /// Runs one step. Returns what the cell yields, `[batch, output, height, width]`, and the new
    /// state.
    fn step(
        &self,
        cell: &BottleneckLstm<B>,
        x: Tensor<B, 4>,
        state: BottleneckLstmState<B>,
    ) -> (Tensor<B, 4>, BottleneckLstmState<B>) {
        let (outputs, state) = self.forward(cell, x.unsqueeze_dim(1), state);
        (outputs.squeeze_dim(1), state)
    }

    /// Whether this runner computes `cell` with kernels of its own rather than handing it to
    /// [`Reference`](crate::Reference).
    fn is_fused(&self, cell: &BottleneckLstm<B>) -> bool;
}
