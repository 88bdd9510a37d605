//! A batch of videos, frame by frame.

use bottleneck_lstm::fused;
use bottleneck_lstm::{
    BottleneckLstm, BottleneckLstmState, CellRunner, Reference, ShapeError, checks,
};
use bottleneck_lstm_kernels::forward::{self, Scratch, State};
use bottleneck_lstm_kernels::{Octet, Packed, Plan, Team, awake};
use burn::tensor::{Shape, Tensor, TensorData, TensorPrimitive};
use rayon::iter::{IndexedParallelIterator, IntoParallelRefMutIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};

use crate::CpuRunner;
use crate::backend::CpuBackend;
use crate::call;
use crate::plan::plan;
use crate::runner;
use crate::threads;

/// Runs a cell frame by frame: the weights are packed once, and state and scratch memory belong to
/// the stream. Made by [`CpuRunner::stream`].
///
/// # Example
///
/// ```
/// use bottleneck_lstm::BottleneckLstmConfig;
/// use bottleneck_lstm_ndarray::CpuRunner;
/// use burn::tensor::Tensor;
/// use burn_flex::Flex;
///
/// let device = Default::default();
/// let cell = BottleneckLstmConfig::new(16, 8).init::<Flex>(&device);
/// let mut stream = CpuRunner::new().stream(&cell, 1, [10, 10]);
/// for _frame in 0..3 {
///     let h = stream.step(Tensor::ones([1, 16, 10, 10], &device));
///     assert_eq!(h.dims(), [1, 8, 10, 10]);
/// }
/// stream.reset(); // the next video starts anew
/// ```
#[derive(Debug)]
pub struct Stream<B: CpuBackend> {
    cell: BottleneckLstm<B>,
    batch: usize,
    spatial: [usize; 2],
    engine: Engine<B>,
}

#[derive(Debug)]
enum Engine<B: CpuBackend> {
    Fused(Box<Fused>),
    /// An element type or a kernel size that the kernels do not cover.
    Reference(BottleneckLstmState<B>),
}

#[derive(Debug)]
struct Fused {
    plan: Plan,
    packed: Packed,
    /// Videos that are worked on at a time, and who works on each.
    at_a_time: usize,
    team: Team,
    /// One a video.
    videos: Vec<(State, Scratch)>,
}

impl CpuRunner {
    /// A stream of `batch` videos of `spatial = [height, width]` through `cell`, at their start.
    ///
    /// # Panics
    ///
    /// As [`try_stream`](Self::try_stream) errs.
    pub fn stream<B: CpuBackend>(
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
    /// As [`BottleneckLstm::try_init_state`].
    pub fn try_stream<B: CpuBackend>(
        &self,
        cell: &BottleneckLstm<B>,
        batch: usize,
        spatial: [usize; 2],
    ) -> Result<Stream<B>, ShapeError> {
        let start = cell.try_init_state(batch, spatial)?;
        if !runner::covers(cell) {
            let engine = Engine::Reference(start);
            return Ok(Stream {
                cell: cell.clone(),
                batch,
                spatial,
                engine,
            });
        }
        let plan = plan(cell.config(), 1, spatial);
        let input = [
            batch,
            1,
            cell.config().input_channels,
            spatial[0],
            spatial[1],
        ];
        let device = cell.bottleneck.val().device();
        // Only the weights are packed; the input stands in for those to come.
        let xs = Tensor::zeros(input, &device);
        let tensors = fused::tensors(cell, xs, start.clone()).map(B::contiguous);
        let weights = call::weights::<B>(&tensors);
        let forget_bias = cell.config().forget_bias;
        let packed = Packed::new(&plan, &weights, forget_bias, self.instructions());
        let (at_a_time, each) = threads::divide(self.threads(batch * plan.macs()), batch);
        let team = self.team(each);
        let videos = states(&plan, team, start)
            .into_iter()
            .map(|state| (state, Scratch::new(&plan, team, self.memory())))
            .collect();
        let engine = Engine::Fused(Box::new(Fused {
            at_a_time,
            team,
            videos,
            plan,
            packed,
        }));
        Ok(Stream {
            cell: cell.clone(),
            batch,
            spatial,
            engine,
        })
    }
}

impl<B: CpuBackend> Stream<B> {
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
        let [height, width] = self.spatial;
        let expected = [self.batch, self.cell.config().input_channels, height, width];
        checks::image_exactly("input", expected, x.dims())?;
        checks::dtype("input", self.cell.bottleneck.val().dtype(), x.dtype())?;
        match &mut self.engine {
            Engine::Fused(fused) => Ok(fused.step(x)),
            Engine::Reference(state) => {
                let (output, next) = Reference.step(&self.cell, x, state.clone());
                *state = next;
                Ok(output)
            }
        }
    }

    /// Runs one step between slices in Burn's layout: `x` is `[batch, input, height, width]`, and
    /// what the cell yields, `[batch, output, height, width]`, is written to `output`.
    ///
    /// Where the kernels cover the cell, it allocates nothing on one thread. On several, rayon's queues
    /// grow now and then, and called from outside of its pool, a step hands it a few small boxes. Otherwise values are converted to the element type of the cell and back.
    ///
    /// # Errors
    ///
    /// [`ShapeError::Count`] if a slice has another number of values. State and `output` are
    /// untouched then.
    ///
    /// # Example
    ///
    /// ```
    /// use bottleneck_lstm::BottleneckLstmConfig;
    /// use bottleneck_lstm_ndarray::CpuRunner;
    /// use burn_flex::Flex;
    ///
    /// let cell = BottleneckLstmConfig::new(16, 8).init::<Flex>(&Default::default());
    /// let mut stream = CpuRunner::new().stream(&cell, 1, [10, 10]);
    /// let mut h = vec![0.0; 8 * 10 * 10];
    /// for frame in [vec![0.5; 16 * 10 * 10], vec![1.0; 16 * 10 * 10]] {
    ///     stream.step_into(&frame, &mut h)?;
    /// }
    /// # Ok::<(), bottleneck_lstm::ShapeError>(())
    /// ```
    pub fn step_into(&mut self, x: &[f32], output: &mut [f32]) -> Result<(), ShapeError> {
        let config = self.cell.config();
        let [height, width] = self.spatial;
        let shape = |channels: usize| [self.batch, channels, height, width];
        let count = |name, channels, found| {
            let expected = shape(channels).iter().product();
            match found == expected {
                true => Ok(()),
                false => Err(ShapeError::Count {
                    name,
                    expected,
                    found,
                }),
            }
        };
        count("input", config.input_channels, x.len())?;
        count("output", config.output_channels(), output.len())?;
        match &mut self.engine {
            Engine::Fused(fused) => fused.step_into(x, output),
            Engine::Reference(state) => {
                let bottleneck = self.cell.bottleneck.val();
                let options = (&bottleneck.device(), bottleneck.dtype());
                let x = TensorData::new(x.to_vec(), shape(config.input_channels));
                let x = Tensor::from_data(x, options);
                let (result, next) = Reference.step(&self.cell, x, state.clone());
                for (to, from) in output.iter_mut().zip(result.into_data().iter::<f32>()) {
                    *to = from;
                }
                *state = next;
            }
        }
        Ok(())
    }

    /// Goes back to the start of a video.
    pub fn reset(&mut self) {
        let start = self.cell.init_state(self.batch, self.spatial);
        self.engine.set_state(start);
    }

    /// The state, `[batch, hidden, height, width]` each.
    pub fn state(&self) -> BottleneckLstmState<B> {
        let fused = match &self.engine {
            Engine::Fused(fused) => fused,
            Engine::Reference(state) => return state.clone(),
        };
        let plan = &fused.plan;
        let tensor = |part: fn(&State) -> &[Octet]| {
            let mut values = vec![0.0; self.batch * plan.state()];
            for (video, to) in fused
                .videos
                .iter()
                .zip(values.chunks_exact_mut(plan.state()))
            {
                plan.scatter(fused.team, part(&video.0), to);
            }
            let shape = Shape::from([self.batch, plan.hidden, plan.map.height, plan.map.width]);
            Tensor::from_primitive(TensorPrimitive::Float(B::tensor(values, shape)))
        };
        BottleneckLstmState::new(tensor(State::cell), tensor(State::hidden))
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
        let [height, width] = self.spatial;
        let expected = [
            self.batch,
            self.cell.config().hidden_channels,
            height,
            width,
        ];
        checks::state(&state, expected, self.cell.bottleneck.val().dtype())?;
        self.engine.set_state(state);
        Ok(())
    }
}

impl<B: CpuBackend> Engine<B> {
    fn set_state(&mut self, state: BottleneckLstmState<B>) {
        match self {
            Self::Reference(old) => *old = state,
            Self::Fused(fused) => {
                let states = states(&fused.plan, fused.team, state);
                for (video, state) in fused.videos.iter_mut().zip(states) {
                    video.0 = state;
                }
            }
        }
    }
}

impl Fused {
    fn step<B: CpuBackend>(&mut self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let plan = &self.plan;
        let batch = self.videos.len();
        let x = B::contiguous(x.into_primitive().tensor());
        let mut outputs = vec![0.0; batch * plan.area() * plan.output()];
        let shape = Shape::from([batch, plan.output(), plan.map.height, plan.map.width]);
        self.step_into(B::slice(&x), &mut outputs);
        Tensor::from_primitive(TensorPrimitive::Float(B::tensor(outputs, shape)))
    }

    /// As [`step`](Self::step), between slices. Allocates nothing after the first time.
    fn step_into(&mut self, x: &[f32], outputs: &mut [f32]) {
        let Self {
            plan,
            packed,
            at_a_time,
            team,
            videos,
        } = self;
        let (plan, packed, team) = (&*plan, &*packed, *team);
        let run = |(state, scratch): &mut (State, Scratch), x: &[f32], output: &mut [f32]| {
            forward::run(plan, packed, team, x, state, output, scratch);
        };
        let (frame, size) = (plan.frame(), plan.area() * plan.output());
        let threads = *at_a_time * team.threads;
        if *at_a_time < 2 {
            return awake(threads, || {
                let frames = x.chunks_exact(frame).zip(outputs.chunks_exact_mut(size));
                for (video, (x, output)) in videos.iter_mut().zip(frames) {
                    run(video, x, output);
                }
            });
        }
        let share = videos.len().div_ceil(*at_a_time);
        videos
            .par_iter_mut()
            .zip(x.par_chunks_exact(frame))
            .zip(outputs.par_chunks_exact_mut(size))
            .with_min_len(share)
            .for_each(|((video, x), output)| run(video, x, output));
    }
}

/// The videos of a state.
fn states<B: CpuBackend>(plan: &Plan, team: Team, state: BottleneckLstmState<B>) -> Vec<State> {
    let cell = B::contiguous(state.cell.into_primitive().tensor());
    let hidden = B::contiguous(state.hidden.into_primitive().tensor());
    let cells = B::slice(&cell).chunks_exact(plan.state());
    let hiddens = B::slice(&hidden).chunks_exact(plan.state());
    cells
        .zip(hiddens)
        .map(|(cell, hidden)| State::new(plan, team, cell, hidden))
        .collect()
}
