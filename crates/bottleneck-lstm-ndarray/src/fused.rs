//! A sequence through the kernels, forward and backward, as the core's autodiff node wants it.

use std::fmt;
use std::sync::Arc;

use bottleneck_lstm::BottleneckLstmConfig;
use bottleneck_lstm::fused::{CellGradients, CellTensors, FusedCell, Outcome};
use bottleneck_lstm_kernels::backward::{self, Backward};
use bottleneck_lstm_kernels::forward::{self, Scratch, Tape};
use bottleneck_lstm_kernels::{Packed, Plan, Sums, Team, Transposed};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Shape, TensorMetadata};

use crate::CpuRunner;
use crate::backend::CpuBackend;
use crate::call::{Call, Video, cell, weights};
use crate::runner::covers_all;

/// Sums that the videos of a batch share: as many can be worked on at a time, and however many
/// are, each sum has the same videos in the same order.
const SUMS: usize = 8;

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
    ) -> Outcome<FloatTensor<B>> {
        let call = Call::<B>::new(config, tensors);
        let (plan, memory) = (&call.plan, self.memory());
        let packed = self
            .kept()
            .pack(&call, config.forget_bias, self.instructions());
        let run = |team, video: Video<'_>, outputs: &mut Vec<f32>| {
            let mut state = video.start(plan, team);
            let scratch = &mut Scratch::new(plan, team, memory);
            forward::run(plan, &packed, team, video.xs, &mut state, outputs, scratch);
            cell(plan, team, &state)
        };
        let (outputs, cells) = self.append(&call, call.batch * call.output_size(), run);
        let [outputs_shape, last_shape] = call.result_shapes();
        Outcome {
            outputs: B::tensor(outputs, outputs_shape),
            cell: B::tensor(cells.concat(), last_shape),
            hidden: None,
        }
    }

    fn forward_taped(
        &self,
        config: &BottleneckLstmConfig,
        tensors: CellTensors<FloatTensor<B>>,
    ) -> (FloatTensor<B>, Recording<B>) {
        let call = Call::<B>::new(config, tensors);
        let (plan, memory) = (&call.plan, self.memory());
        let weights = weights::<B>(&call.tensors);
        let packed = Packed::new(plan, &weights, config.forget_bias, self.instructions());
        let run = |team, video: Video<'_>, outputs: &mut Vec<f32>| {
            let mut state = video.start(plan, team);
            let xs = video.xs;
            let tape = forward::run_taped(plan, &packed, team, memory, xs, &mut state, outputs);
            (cell(plan, team, &state), tape)
        };
        let values = call.batch * (call.output_size() + plan.state());
        let (mut both, results) = self.append(&call, values, run);
        let (cells, tapes): (Vec<_>, Vec<_>) = results.into_iter().unzip();
        both.extend(cells.into_iter().flatten());
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
        let weights = wants_weights(&wanted);

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
                        last_cell: self.memory().take(plan.state_octets()),
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
        let backward = Backward::new(&plan, &packed, transposed, self.memory());
        let macs = 2 * batch * plan.macs();
        let sums = self.each(macs, shares, |team, videos| {
            let mut sums = Sums::zeros(&plan, packed.has_peepholes());
            for video in videos {
                video.run(&backward, &plan, team, weights, &mut sums);
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
        weights: bool,
        sums: &mut Sums,
    ) {
        plan.gather(team, self.last_cell, &mut self.video.last_cell);
        let [cell, hidden] = backward.run(plan, team, self.video, weights, sums);
        plan.scatter(team, &cell, self.cell);
        plan.scatter(team, &hidden, self.hidden);
    }
}
