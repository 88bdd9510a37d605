//! The tensors of one call as slices, a video at a time.

use bottleneck_lstm::BottleneckLstmConfig;
use bottleneck_lstm::fused::CellTensors;
use bottleneck_lstm_kernels::forward::State;
use bottleneck_lstm_kernels::{Plan, Team, Weights};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, TensorMetadata};

use crate::backend::CpuBackend;
use crate::plan::plan;

/// The tensors of one call, contiguous.
pub(crate) struct Call<B: CpuBackend> {
    pub plan: Plan,
    pub batch: usize,
    pub tensors: CellTensors<FloatTensor<B>>,
}

/// One video of a call.
#[derive(Clone, Copy)]
pub(crate) struct Video<'a> {
    pub xs: &'a [f32],
    /// The state at the start, channels first.
    cell: &'a [f32],
    hidden: &'a [f32],
}

impl Video<'_> {
    pub(crate) fn start(&self, plan: &Plan, team: Team) -> State {
        State::new(plan, team, self.cell, self.hidden)
    }
}

/// The cell state, channels first.
pub(crate) fn cell(plan: &Plan, team: Team, state: &State) -> Vec<f32> {
    let mut cell = vec![0.0; plan.state()];
    plan.scatter(team, state.cell(), &mut cell);
    cell
}

impl<B: CpuBackend> Call<B> {
    pub(crate) fn new(config: &BottleneckLstmConfig, tensors: CellTensors<FloatTensor<B>>) -> Self {
        let [batch, time, _, height, width] = tensors.xs.shape().dims();
        Self {
            plan: plan(config, time, [height, width]),
            batch,
            tensors: tensors.map(B::contiguous),
        }
    }

    /// Values of one video's outputs.
    pub(crate) fn output_size(&self) -> usize {
        self.plan.time * self.plan.area() * self.plan.output()
    }

    pub(crate) fn videos(&self) -> Vec<Video<'_>> {
        let plan = &self.plan;
        let xs = B::slice(&self.tensors.xs).chunks_exact(plan.time * plan.frame());
        let cells = B::slice(&self.tensors.cell).chunks_exact(plan.state());
        let hiddens = B::slice(&self.tensors.hidden).chunks_exact(plan.state());
        xs.zip(cells.zip(hiddens))
            .map(|(xs, (cell, hidden))| Video { xs, cell, hidden })
            .collect()
    }

    pub(crate) fn result_shapes(&self) -> [Shape; 2] {
        let Plan {
            time, hidden, map, ..
        } = self.plan;
        let (height, width) = (map.height, map.width);
        [
            Shape::from([self.batch, time, self.plan.output(), height, width]),
            Shape::from([self.batch, hidden, height, width]),
        ]
    }
}

/// The weights among `tensors`, which are contiguous.
pub(crate) fn weights<B: CpuBackend>(tensors: &CellTensors<FloatTensor<B>>) -> Weights<&[f32]> {
    fn all<T>([first, second, third]: [Option<T>; 3]) -> Option<[T; 3]> {
        Some([first?, second?, third?])
    }
    Weights {
        depthwise: B::slice(&tensors.depthwise),
        depthwise_bias: tensors.depthwise_bias.as_ref().map(B::slice),
        bottleneck: B::slice(&tensors.bottleneck),
        bottleneck_bias: B::slice(&tensors.bottleneck_bias),
        bottleneck_depthwise: B::slice(&tensors.bottleneck_depthwise),
        gates: B::slice(&tensors.gates),
        gates_bias: tensors.gates_bias.as_ref().map(B::slice),
        peepholes: all([
            tensors.peephole_input.as_ref().map(B::slice),
            tensors.peephole_forget.as_ref().map(B::slice),
            tensors.peephole_output.as_ref().map(B::slice),
        ]),
    }
}
