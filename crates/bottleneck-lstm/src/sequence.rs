//! Sequences, `[batch, time, channels, height, width]`, shared by the recurrent cells.

use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Tensor};

use crate::{ShapeError, checks};

/// All frames of a sequence as one batch, `[batch * time, channels, height, width]`.
pub(crate) fn flatten_time<B: Backend>(xs: Tensor<B, 5>) -> Tensor<B, 4> {
    let [batch, time, channels, height, width] = xs.dims();
    xs.reshape([batch * time, channels, height, width])
}

/// The frames of a sequence, each `[batch, channels, height, width]`.
pub(crate) fn frames<B: Backend>(xs: Tensor<B, 5>) -> impl Iterator<Item = Tensor<B, 4>> {
    xs.split(1, 1).into_iter().map(|frame| frame.squeeze_dim(1))
}

/// Runs a recurrence over `xs`: what does not depend on the state is computed for all frames at
/// once by `project`, on `[batch * time, channels, height, width]`, then `step` runs frame by
/// frame. Returns what `step` yields, `[batch, time, channels, height, width]`, and the last state.
pub(crate) fn scan<B: Backend, S>(
    xs: Tensor<B, 5>,
    project: impl FnOnce(Tensor<B, 4>) -> Tensor<B, 4>,
    state: S,
    mut step: impl FnMut(Tensor<B, 4>, S) -> (Tensor<B, 4>, S),
) -> (Tensor<B, 5>, S) {
    let [batch, time, _, height, width] = xs.dims();
    let projected = project(flatten_time(xs));
    let channels = projected.dims()[1];
    let mut state = state;
    let mut outputs = Vec::with_capacity(time);
    for frame in frames(projected.reshape([batch, time, channels, height, width])) {
        let (output, next) = step(frame, state);
        state = next;
        outputs.push(output);
    }
    (Tensor::stack(outputs, 1), state)
}

/// Where the rows of a sequence start anew.
pub(crate) struct Resets<B: Backend> {
    /// The rows that start anew before a step, `[batch, time]`.
    rows: Tensor<B, 2, Bool>,
    /// Whether any row does, for each step.
    any: Vec<bool>,
}

impl<B: Backend> Resets<B> {
    /// Reads the mask `rows` of the sequence `xs` back from the device.
    pub(crate) fn read(xs: &Tensor<B, 5>, rows: Tensor<B, 2, Bool>) -> Result<Self, ShapeError> {
        let [batch, time, ..] = xs.dims();
        checks::allocatable("input", &xs.dims())?;
        checks::dimensions("reset", ["batch", "time"], [batch, time], rows.dims())?;
        let any = rows.clone().any_dim(0).into_data().iter::<bool>().collect();
        Ok(Self { rows, any })
    }

    /// Runs a sequence: `restart` resets the rows of a state that its mask, `[batch]`, names, and
    /// `run` runs the steps between two resets.
    pub(crate) fn forward<S>(
        &self,
        xs: Tensor<B, 5>,
        mut state: S,
        restart: impl Fn(S, Tensor<B, 1, Bool>) -> S,
        run: impl Fn(Tensor<B, 5>, S) -> (Tensor<B, 5>, S),
    ) -> (Tensor<B, 5>, S) {
        let time = self.any.len();
        let mut outputs = Vec::new();
        let mut begin = 0;
        while begin < time {
            if self.any[begin] {
                let rows = self.rows.clone().narrow(1, begin, 1);
                state = restart(state, rows.squeeze_dim(1));
            }
            let end = (begin + 1..time)
                .find(|step| self.any[*step])
                .unwrap_or(time);
            let (output, next) = run(xs.clone().narrow(1, begin, end - begin), state);
            outputs.push(output);
            state = next;
            begin = end;
        }
        (Tensor::cat(outputs, 1), state)
    }
}
