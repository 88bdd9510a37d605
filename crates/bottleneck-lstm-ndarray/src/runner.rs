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
use crate::kernels::backward::{self, Backward, Wanted};
use crate::kernels::forward::{self, Scratch, State, Tape};
use crate::kernels::instructions::Instructions;
use crate::kernels::lanes::Octet;
use crate::kernels::octets::{Gather, Scatter};
use crate::kernels::share::Team;
use crate::kernels::{Plan, depthwise};
use crate::memory::Memory;
use crate::pack::{Packed, Transposed, Weights};
use crate::sums::Sums;
use crate::threads;

/// Sums that the videos of a batch share: as many can be worked on at a time, and however many
/// are, each sum has the same videos in the same order.
const SUMS: usize = 8;

/// Runs a [`BottleneckLstm`] on the CPU with fused kernels, forward and backward.
///
/// It covers every variant in `f32` with kernels of 1, 3, 5 or 7, on `NdArray` and `Flex` and on
/// `Autodiff` of both. Other element types, `f64` among them, and other kernel sizes go to
/// [`Reference`](bottleneck_lstm::Reference); [`is_fused`](CellRunner::is_fused) says which. The
/// same input gives the same bits for any number of threads, on the same [`Instructions`].
///
/// It keeps the memory that a call has worked in for the next one; clones share it.
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
        }
    }

    /// Sets the number of threads, at least one. They come from rayon's pool, the global one or
    /// that in which the call is made, and are no more than it has. The videos of a batch are
    /// spread over them first, then the channels of a video.
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

    pub(crate) fn threads(&self, macs: usize) -> usize {
        threads::count(self.threads, macs)
    }

    pub(crate) fn memory(&self) -> &Arc<Memory> {
        &self.memory
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
fn covers_all(config: &BottleneckLstmConfig, dtype: DType) -> bool {
    dtype == DType::F32 && depthwise::covers(config.kernel_size)
}

/// What a forward pass leaves for the backward pass.
#[derive(Clone)]
pub struct Recording<B: CpuBackend>(Arc<Recorded<B>>);

#[derive(Clone)]
struct Recorded<B: CpuBackend> {
    plan: Plan,
    packed: Packed,
    transposed: Transposed,
    /// One a video.
    tapes: Vec<Tape>,
    /// Contiguous.
    xs: FloatTensor<B>,
    shapes: CellTensors<Shape>,
}

impl<B: CpuBackend> fmt::Debug for Recording<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("plan", &self.0.plan)
            .field("videos", &self.0.tapes.len())
            .finish_non_exhaustive()
    }
}

impl<B: CpuBackend> FusedCell<B> for CpuRunner {
    type Tape = Recording<B>;

    fn covers(&self, config: &BottleneckLstmConfig, dtype: DType) -> bool {
        covers_all(config, dtype)
    }

    fn forward(
        &self,
        config: &BottleneckLstmConfig,
        tensors: CellTensors<FloatTensor<B>>,
    ) -> (FloatTensor<B>, FloatTensor<B>) {
        let call = Call::<B>::new(config, tensors);
        let (plan, memory) = (&call.plan, &self.memory);
        let packed = Packed::new(
            plan,
            &weights::<B>(&call.tensors),
            config.forget_bias,
            self.instructions,
        );
        let mut outputs = vec![0.0; call.batch * call.output_size()];
        let mut last = vec![0.0; call.batch * plan.state()];
        let videos = call.videos(&mut outputs, &mut last);
        self.each(call.batch * plan.macs(), videos, |team, mut video| {
            let mut state = video.start(plan, team);
            let (xs, outputs, scratch) = (
                video.xs,
                &mut *video.outputs,
                &mut Scratch::new(plan, memory),
            );
            forward::run(plan, &packed, team, xs, &mut state, outputs, scratch);
            video.finish(plan, team, &state);
        });
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
    ) -> (FloatTensor<B>, Recording<B>) {
        let call = Call::<B>::new(config, tensors);
        let (plan, memory) = (&call.plan, &self.memory);
        let weights = weights::<B>(&call.tensors);
        let packed = Packed::new(plan, &weights, config.forget_bias, self.instructions);
        let split = call.batch * call.output_size();
        let mut both = vec![0.0; split + call.batch * plan.state()];
        let (outputs, last) = both.split_at_mut(split);
        let videos = call.videos(outputs, last);
        let tapes = self.each(call.batch * plan.macs(), videos, |team, mut video| {
            let mut state = video.start(plan, team);
            let (xs, outputs) = (video.xs, &mut *video.outputs);
            let tape = forward::run_taped(plan, &packed, team, memory, xs, &mut state, outputs);
            video.finish(plan, team, &state);
            tape
        });
        let recorded = Recorded {
            plan: plan.clone(),
            packed,
            transposed: Transposed::new(plan, &weights),
            tapes,
            xs: call.tensors.xs.clone(),
            shapes: call.tensors.clone().map(|tensor| tensor.shape()),
        };
        let shape = Shape::from([both.len()]);
        (B::tensor(both, shape), Recording(Arc::new(recorded)))
    }

    fn backward(
        &self,
        _config: &BottleneckLstmConfig,
        Recording(recorded): Recording<B>,
        wanted: CellTensors<bool, bool>,
        gradient: FloatTensor<B>,
    ) -> CellGradients<FloatTensor<B>> {
        // The graph lets go of its own copy before it calls, so this is the only one unless the
        // caller keeps the graph.
        let Recorded {
            plan,
            packed,
            transposed,
            tapes,
            xs,
            shapes,
        } = Arc::unwrap_or_clone(recorded);
        let batch = tapes.len();
        let (output_size, state) = (plan.time * plan.area() * plan.output(), plan.state());
        let gradient = B::contiguous(gradient);
        let (outputs, last) = B::slice(&gradient).split_at(batch * output_size);
        let wants = Wanted {
            xs: wanted.xs,
            weights: wants_weights(&wanted),
        };

        let video = plan.time * plan.frame();
        let mut d_xs = vec![0.0; if wanted.xs { batch * video } else { 0 }];
        let mut cell = vec![0.0; batch * state];
        let mut hidden = vec![0.0; batch * state];
        let mut d_frames = d_xs.chunks_exact_mut(video);
        let starts = cell
            .chunks_exact_mut(state)
            .zip(hidden.chunks_exact_mut(state));
        let mut videos = tapes
            .into_iter()
            .zip(B::slice(&xs).chunks_exact(video))
            .zip(outputs.chunks_exact(output_size))
            .zip(last.chunks_exact(state))
            .zip(starts)
            .map(
                |((((tape, xs), outputs), last_cell), (cell, hidden))| BackwardVideo {
                    video: backward::Video {
                        tape,
                        xs,
                        outputs,
                        last_cell: self.memory.take(plan.state_octets()),
                        gradient: d_frames.next().unwrap_or_default(),
                    },
                    last_cell,
                    cell,
                    hidden,
                },
            )
            .collect::<Vec<_>>();

        let mut shares = Vec::with_capacity(SUMS);
        for left in (1..=SUMS.min(batch)).rev() {
            let rest = videos.split_off(videos.len().div_ceil(left));
            shares.push(std::mem::replace(&mut videos, rest));
        }
        let backward = Backward::new(&plan, &packed, transposed, &self.memory);
        let macs = 2 * batch * plan.macs();
        let sums = self.each(macs, shares, |team, videos| {
            let mut sums = Sums::zeros(&plan, packed.peepholes.is_some());
            for video in videos {
                video.run(&backward, &plan, team, wants, &mut sums);
            }
            sums
        });
        let sums = sums.into_iter().reduce(|mut sum, other| {
            sum.add(&other);
            sum
        });
        let sums = sums
            .expect("a batch has at least one video, as the cell checked")
            .unpack(&plan);
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
            xs: give(wanted.xs, d_xs, shapes.xs),
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
    /// The state at the start, channels first.
    cell: &'a [f32],
    hidden: &'a [f32],
    outputs: &'a mut [f32],
    /// Of the last cell state, channels first.
    last: &'a mut [f32],
}

impl Video<'_> {
    fn start(&self, plan: &Plan, team: Team) -> State {
        State::new(plan, team, self.cell, self.hidden)
    }

    fn finish(&mut self, plan: &Plan, team: Team, state: &State) {
        scatter(plan, team, &state.cell, self.last);
    }
}

/// One video of a backward pass.
struct BackwardVideo<'a> {
    video: backward::Video<'a>,
    /// The gradient of the last cell state, channels first.
    last_cell: &'a [f32],
    /// Where the gradients of the state at the start go.
    cell: &'a mut [f32],
    hidden: &'a mut [f32],
}

impl BackwardVideo<'_> {
    fn run(
        mut self,
        backward: &Backward<'_>,
        plan: &Plan,
        team: Team,
        wants: Wanted,
        sums: &mut Sums,
    ) {
        gather(plan, team, self.last_cell, &mut self.video.last_cell);
        let [cell, hidden] = backward.run(plan, team, self.video, wants, sums);
        scatter(plan, team, &cell, self.cell);
        scatter(plan, team, &hidden, self.hidden);
    }
}

/// Turns a state tensor, channels first, into octets.
fn gather(plan: &Plan, team: Team, from: &[f32], to: &mut [Octet]) {
    team.instructions.run(Gather {
        groups: plan.groups,
        area: plan.area(),
        from,
        to,
    });
}

/// The reverse of [`gather`].
pub(crate) fn scatter(plan: &Plan, team: Team, from: &[Octet], to: &mut [f32]) {
    team.instructions.run(Scatter {
        groups: plan.groups,
        area: plan.area(),
        from,
        to,
    });
}

impl CpuRunner {
    /// Calls `run` on every item of a call of `macs` multiply-accumulates, in its threads.
    fn each<T: Send, R: Send>(
        &self,
        macs: usize,
        items: Vec<T>,
        run: impl Fn(Team, T) -> R + Sync + Send,
    ) -> Vec<R> {
        let threads = self.threads(macs);
        let (at_a_time, each) = threads::divide(threads, items.len());
        let team = self.team(each);
        threads::enter(threads, || {
            threads::map(at_a_time, items, |item| run(team, item))
        })
    }
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

    /// Values of one video's outputs.
    fn output_size(&self) -> usize {
        self.plan.time * self.plan.area() * self.plan.output()
    }

    fn videos<'a>(&'a self, outputs: &'a mut [f32], last: &'a mut [f32]) -> Vec<Video<'a>> {
        let plan = &self.plan;
        let xs = B::slice(&self.tensors.xs).chunks_exact(plan.time * plan.frame());
        let cells = B::slice(&self.tensors.cell).chunks_exact(plan.state());
        let hiddens = B::slice(&self.tensors.hidden).chunks_exact(plan.state());
        let outputs = outputs.chunks_exact_mut(self.output_size());
        let last = last.chunks_exact_mut(plan.state());
        xs.zip(cells.zip(hiddens))
            .zip(outputs.zip(last))
            .map(|((xs, (cell, hidden)), (outputs, last))| Video {
                xs,
                cell,
                hidden,
                outputs,
                last,
            })
            .collect()
    }

    fn result_shapes(&self) -> [Shape; 2] {
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
