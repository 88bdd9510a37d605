//! The runner: a batch of videos through the kernels, forward and backward.

use std::fmt;
use std::sync::Arc;

use bottleneck_lstm::fused::{self, CellGradients, CellTensors, FusedCell};
use bottleneck_lstm::{BottleneckLstm, BottleneckLstmConfig, BottleneckLstmState, CellRunner};
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Shape, Tensor, TensorMetadata};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_flex::Flex;
use burn_ndarray::NdArray;

use crate::backend::CpuBackend;
use crate::kernels::backward::{self, Wanted};
use crate::kernels::forward::{self, Scratch, State, Tape};
use crate::kernels::{Plan, layout};
use crate::pack::{Packed, Weights};
use crate::threads;

/// Runs a [`BottleneckLstm`] on the CPU with fused kernels, forward and backward.
///
/// It covers every variant in `f32`, on `NdArray` and `Flex` and on `Autodiff` of both. Other
/// element types go to [`Reference`](bottleneck_lstm::Reference);
/// [`is_fused`](CellRunner::is_fused) says which. The same input gives the same bits for any number
/// of threads.
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
#[derive(Debug, Clone, Default)]
pub struct CpuRunner {
    threads: Option<usize>,
}

impl CpuRunner {
    /// A runner that chooses its number of threads by the size of the work.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of threads, at least one. The videos of a batch are spread over them.
    pub fn with_threads(self, n: usize) -> Self {
        Self {
            threads: Some(n.max(1)),
        }
    }

    pub(crate) fn threads(&self, macs: usize) -> usize {
        threads::count(self.threads, macs)
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

/// Whether the kernels cover a cell: they are written for `f32`.
pub(crate) fn covers<B: Backend>(cell: &BottleneckLstm<B>) -> bool {
    cell.bottleneck.val().dtype() == DType::F32
}

/// What a forward pass leaves for the backward pass.
#[derive(Clone)]
pub struct Recording(Arc<Recorded>);

struct Recorded {
    plan: Plan,
    packed: Packed,
    /// One a video.
    tapes: Vec<Tape>,
    shapes: CellTensors<Shape>,
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("plan", &self.0.plan)
            .field("videos", &self.0.tapes.len())
            .finish_non_exhaustive()
    }
}

impl<B: CpuBackend> FusedCell<B> for CpuRunner {
    type Tape = Recording;

    fn covers(&self, _config: &BottleneckLstmConfig, dtype: DType) -> bool {
        dtype == DType::F32
    }

    fn forward(
        &self,
        config: &BottleneckLstmConfig,
        tensors: CellTensors<FloatTensor<B>>,
    ) -> (FloatTensor<B>, FloatTensor<B>) {
        let call = Call::<B>::new(config, tensors);
        let (plan, packed) = (&call.plan, call.pack(config));
        let mut outputs = vec![0.0; call.batch * call.output_size()];
        let mut last = vec![0.0; call.batch * plan.state()];
        let items = call.videos(&mut outputs, &mut last);
        threads::map(
            self.threads(call.batch * plan.macs()),
            items,
            |mut video| {
                let scratch = &mut Scratch::default();
                forward::run(
                    plan,
                    &packed,
                    video.xs,
                    &mut video.state,
                    video.outputs,
                    scratch,
                );
                layout::to_channels_first(&video.state.cell, video.last, plan.hidden, plan.area());
            },
        );
        let [outputs_shape, last_shape] = call.result_shapes();
        (
            B::tensor(outputs, outputs_shape),
            B::tensor(last, last_shape),
        )
    }

    fn forward_taped(
        &self,
        config: &BottleneckLstmConfig,
        tensors: CellTensors<FloatTensor<B>>,
    ) -> (FloatTensor<B>, Recording) {
        let call = Call::<B>::new(config, tensors);
        let (plan, packed) = (&call.plan, call.pack(config));
        let split = call.batch * call.output_size();
        let mut both = vec![0.0; split + call.batch * plan.state()];
        let (outputs, last) = both.split_at_mut(split);
        let items = call.videos(outputs, last);
        let macs = call.batch * plan.macs();
        let tapes = threads::map(self.threads(macs), items, |mut video| {
            let tape = forward::run_taped(plan, &packed, video.xs, &mut video.state, video.outputs);
            layout::to_channels_first(&video.state.cell, video.last, plan.hidden, plan.area());
            tape
        });
        let shapes = call.tensors.clone().map(|tensor| tensor.shape());
        let recorded = Recorded {
            plan: plan.clone(),
            packed,
            tapes,
            shapes,
        };
        let shape = Shape::from([both.len()]);
        (B::tensor(both, shape), Recording(Arc::new(recorded)))
    }

    fn backward(
        &self,
        _config: &BottleneckLstmConfig,
        Recording(recorded): Recording,
        wanted: CellTensors<bool, bool>,
        gradient: FloatTensor<B>,
    ) -> CellGradients<FloatTensor<B>> {
        // The graph lets go of its own copy before it calls, so this is the only one unless the
        // caller keeps the graph.
        let Recorded {
            plan,
            packed,
            tapes,
            shapes,
        } = match Arc::try_unwrap(recorded) {
            Ok(recorded) => recorded,
            Err(shared) => Recorded {
                plan: shared.plan.clone(),
                packed: shared.packed.clone(),
                tapes: shared.tapes.clone(),
                shapes: shared.shapes.clone(),
            },
        };
        let batch = tapes.len();
        let (output_size, state) = (plan.time * plan.area() * plan.output(), plan.state());
        let gradient = B::contiguous(gradient);
        let (outputs, last) = B::slice(&gradient).split_at(batch * output_size);

        let wants = Wanted {
            xs: wanted.xs,
            weights: wants_weights(&wanted),
        };
        let videos = tapes
            .into_iter()
            .zip(outputs.chunks_exact(output_size))
            .zip(last.chunks_exact(state))
            .collect::<Vec<_>>();
        let macs = 2 * batch * plan.macs();
        let videos = threads::map(self.threads(macs), videos, |((tape, outputs), last)| {
            backward::run(&plan, &packed, tape, outputs, last, wants)
        });

        let mut xs = Vec::with_capacity(if wanted.xs {
            shapes.xs.num_elements()
        } else {
            0
        });
        let mut cell = vec![0.0; batch * state];
        let mut hidden = vec![0.0; batch * state];
        let mut sums: Option<Weights<Vec<f32>>> = None;
        for (index, video) in videos.into_iter().enumerate() {
            let place = index * state..(index + 1) * state;
            let (c, h) = (&mut cell[place.clone()], &mut hidden[place]);
            layout::to_channels_first(&video.start.cell, c, plan.hidden, plan.area());
            layout::to_channels_first(&video.start.hidden, h, plan.hidden, plan.area());
            xs.extend_from_slice(&video.xs);
            match &mut sums {
                Some(sums) => sums.add(&video.weights),
                None => sums = Some(video.weights),
            }
        }
        let sums = sums.expect("a batch has at least one video, as the cell checked");
        let [input, forget, output] = match sums.peepholes {
            Some(peepholes) => peepholes.map(Some),
            None => [None, None, None],
        };
        let give =
            |wanted: bool, values: Vec<f32>, shape: Shape| wanted.then(|| B::tensor(values, shape));
        let maybe = |wanted: bool, values: Option<Vec<f32>>, shape: Option<Shape>| {
            values
                .zip(shape)
                .and_then(|(values, shape)| give(wanted, values, shape))
        };
        CellTensors {
            xs: give(wanted.xs, xs, shapes.xs),
            cell: give(wanted.cell, cell, shapes.cell),
            hidden: give(wanted.hidden, hidden, shapes.hidden),
            depthwise: give(wanted.depthwise, sums.depthwise, shapes.depthwise),
            depthwise_bias: maybe(
                wanted.depthwise_bias,
                sums.depthwise_bias,
                shapes.depthwise_bias,
            ),
            bottleneck: give(wanted.bottleneck, sums.bottleneck, shapes.bottleneck),
            bottleneck_bias: give(
                wanted.bottleneck_bias,
                sums.bottleneck_bias,
                shapes.bottleneck_bias,
            ),
            bottleneck_depthwise: give(
                wanted.bottleneck_depthwise,
                sums.bottleneck_depthwise,
                shapes.bottleneck_depthwise,
            ),
            gates: give(wanted.gates, sums.gates, shapes.gates),
            gates_bias: maybe(wanted.gates_bias, sums.gates_bias, shapes.gates_bias),
            peephole_input: maybe(wanted.peephole_input, input, shapes.peephole_input),
            peephole_forget: maybe(wanted.peephole_forget, forget, shapes.peephole_forget),
            peephole_output: maybe(wanted.peephole_output, output, shapes.peephole_output),
        }
    }
}

fn wants_weights(wanted: &CellTensors<bool, bool>) -> bool {
    wanted.depthwise
        || wanted.depthwise_bias
        || wanted.bottleneck
        || wanted.bottleneck_bias
        || wanted.bottleneck_depthwise
        || wanted.gates
        || wanted.gates_bias
        || wanted.peephole_input
        || wanted.peephole_forget
        || wanted.peephole_output
}

/// The tensors of one call, contiguous.
struct Call<B: CpuBackend> {
    plan: Plan,
    batch: usize,
    tensors: CellTensors<FloatTensor<B>>,
}

/// One video of a call.
struct Video<'a> {
    xs: &'a [f32],
    state: State,
    outputs: &'a mut [f32],
    /// Of the last cell state, channels first.
    last: &'a mut [f32],
}

impl<B: CpuBackend> Call<B> {
    fn new(config: &BottleneckLstmConfig, tensors: CellTensors<FloatTensor<B>>) -> Self {
        let [batch, time, _, height, width] = tensors.xs.shape().dims();
        let plan = Plan::new(config, time, [height, width]);
        Self {
            plan,
            batch,
            tensors: tensors.map(B::contiguous),
        }
    }

    fn pack(&self, config: &BottleneckLstmConfig) -> Packed {
        pack::<B>(&self.plan, config, &self.tensors)
    }

    /// Values of one video's outputs.
    fn output_size(&self) -> usize {
        self.plan.time * self.plan.area() * self.plan.output()
    }

    fn videos<'a>(&'a self, outputs: &'a mut [f32], last: &'a mut [f32]) -> Vec<Video<'a>> {
        let plan = &self.plan;
        let frames = plan.time * plan.area() * plan.input;
        let xs = B::slice(&self.tensors.xs).chunks_exact(frames);
        let cells = B::slice(&self.tensors.cell).chunks_exact(plan.state());
        let hiddens = B::slice(&self.tensors.hidden).chunks_exact(plan.state());
        let outputs = outputs.chunks_exact_mut(self.output_size());
        let last = last.chunks_exact_mut(plan.state());
        let starts = cells
            .zip(hiddens)
            .map(|(cell, hidden)| State::new(plan, cell, hidden));
        xs.zip(starts)
            .zip(outputs.zip(last))
            .map(|((xs, state), (outputs, last))| Video {
                xs,
                state,
                outputs,
                last,
            })
            .collect()
    }

    fn result_shapes(&self) -> [Shape; 2] {
        let Plan {
            time,
            height,
            width,
            hidden,
            ..
        } = self.plan;
        [
            Shape::from([self.batch, time, self.plan.output(), height, width]),
            Shape::from([self.batch, hidden, height, width]),
        ]
    }
}

/// Packs the weights among `tensors`, which are contiguous.
pub(crate) fn pack<B: CpuBackend>(
    plan: &Plan,
    config: &BottleneckLstmConfig,
    tensors: &CellTensors<FloatTensor<B>>,
) -> Packed {
    fn all<T>([first, second, third]: [Option<T>; 3]) -> Option<[T; 3]> {
        Some([first?, second?, third?])
    }
    let weights = Weights {
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
    };
    Packed::new(plan, &weights, config.forget_bias)
}
