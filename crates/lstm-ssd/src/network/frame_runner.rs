//! A frame memory through the CPU runner's kernels.

use std::time::Instant;

use bottleneck_lstm::BottleneckLstmState;
use bottleneck_lstm_ndarray::network::StepTime;
use bottleneck_lstm_ndarray::{CpuRunner, Loops, Stream};
use burn::tensor::backend::Backend;
use burn_flex::Flex;

use super::frame_memory::{COLOURS, DARK, DEVIATION, LEAST_LIGHT, MEASURES};
use super::memory_runner::{cell_on_flex, sum, values};
use super::{FrameMemory, NetworkError, RunnerError};

/// A [`FrameMemory`] for one video, ready to run: the picture is cut into patches as it is gone over, a row of them at a
/// time.
///
/// It allocates nothing from frame to frame.
#[derive(Debug)]
pub(crate) struct FrameRunner {
    cpu: CpuRunner,
    patch: usize,
    /// Height and width of the frame in patches.
    patches: [usize; 2],
    cell: Stream<Flex>,
    /// Of the gate, one for each measure and state.
    gate: Vec<f32>,
    bias: f32,
    gate_means: Vec<f32>,
    light: f32,
    amount: f32,
    macs: usize,

    /// Measures and states, plane by plane.
    seen: Vec<f32>,
    gates: Vec<f32>,
    /// The means of what is remembered of a colour.
    mixed: Vec<f32>,
    /// A row of what is the same all over a patch, one for each pixel.
    row: Vec<f32>,
    /// Sums over the lines of a row of patches, one for each pixel of a line: a row for each measure.
    sums: [Vec<f32>; MEASURES],
    /// The frame as it is remembered.
    repaired: Vec<f32>,
    begun: bool,
    out: Vec<f32>,
}

/// What a [`FrameRunner`] remembers.
#[derive(Debug, Clone)]
pub(crate) struct FrameMoment {
    cell: BottleneckLstmState<Flex>,
    repaired: Vec<f32>,
    begun: bool,
}

impl FrameRunner {
    /// Plans a memory for frames of `[height, width]`.
    pub fn new<B: Backend>(
        memory: &FrameMemory<B>,
        frame: [usize; 2],
        cpu: &CpuRunner,
    ) -> Result<Self, RunnerError> {
        memory.check_frame(frame)?;
        let config = memory.config();
        let patches = frame.map(|side| side / config.patch);
        let area: usize = patches.iter().product();
        let cell = cpu.try_stream(&cell_on_flex(&memory.cell), 1, patches);
        let mut gate = values(memory.gate_input.weight.val());
        gate.extend(values(memory.gate_hidden.weight.val()));
        let bias = memory.gate_input.bias.as_ref();
        let pixels = COLOURS * frame[0] * frame[1];
        Ok(Self {
            cpu: cpu.clone(),
            patch: config.patch,
            patches,
            cell: cell.map_err(NetworkError::from)?,
            gate,
            bias: bias.map_or(0.0, |bias| values(bias.val())[0]),
            gate_means: values(memory.gate_means.val()),
            light: values(memory.light.val())[0],
            amount: values(memory.amount())[0],
            macs: config.cost(frame).macs as usize,
            seen: vec![0.0; (COLOURS * MEASURES + config.hidden) * area],
            gates: vec![0.0; area],
            mixed: vec![0.0; area],
            row: vec![0.0; frame[1]],
            sums: core::array::from_fn(|_| vec![0.0; frame[1]]),
            repaired: vec![0.0; pixels],
            begun: false,
            out: vec![0.0; pixels],
        })
    }

    /// The next frame, `[3, height, width]` from -1 to 1, as the detector shall see it.
    ///
    /// # Panics
    ///
    /// If it is of another size than was planned for.
    pub fn step(&mut self, frame: &[f32]) -> &[f32] {
        if !self.begun {
            self.repaired.copy_from_slice(frame);
            self.begun = true;
        }
        let [rows, columns] = self.patches;
        let area = rows * columns;
        let instructions = self.cpu.instructions();
        instructions.vectorize(Measures(self, frame));
        let (measures, hidden) = self.seen.split_at_mut(COLOURS * MEASURES * area);
        let stepped = self.cell.step_into(measures, hidden);
        stepped.expect("sizes that were planned for");

        instructions.vectorize(Gates(self));
        self.cpu.sigmoid(&mut self.gates);
        instructions.vectorize(Mix(self, frame));

        let light = (self.level() + 1.0) / 2.0;
        let dark = (DARK as f32 / (light + LEAST_LIGHT as f32)).ln().max(0.0);
        let light = (self.light * dark).exp() - 1.0;
        if light == 0.0 {
            // What is remembered is no lighter than a frame may be.
            return &self.repaired;
        }
        instructions.vectorize(Lighten(self, light));
        &self.out
    }

    /// The mean of what is remembered now, from the means of each patch: of the frame, and of what was remembered.
    fn level(&mut self) -> f32 {
        let area = self.gates.len();
        let planes = self.seen.chunks_exact(area);
        let pairs = planes.clone().take(COLOURS).zip(planes.skip(COLOURS));
        let mut mean = 0.0;
        for (now, then) in pairs {
            let patches = now.iter().zip(then).zip(&self.gates);
            for (mixed, ((now, then), gate)) in self.mixed.iter_mut().zip(patches) {
                *mixed = now + self.amount * gate * (then - now);
            }
            mean += sum(&self.mixed) / area as f32;
        }
        mean / COLOURS as f32
    }

    /// As [`step`](Self::step), and adds how long it took.
    pub fn profile(&mut self, frame: &[f32], times: &mut Vec<StepTime>) -> &[f32] {
        let begin = Instant::now();
        let macs = self.macs;
        let out = self.step(frame);
        times.push(StepTime {
            name: "frame memory".into(),
            macs,
            time: begin.elapsed(),
        });
        out
    }

    /// The values of a frame.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Forgets all: the next frame is the first of a video.
    pub fn reset(&mut self) {
        self.cell.reset();
        self.begun = false;
    }

    /// What it remembers now.
    pub fn moment(&self) -> FrameMoment {
        FrameMoment {
            cell: self.cell.state(),
            repaired: self.repaired.clone(),
            begun: self.begun,
        }
    }

    /// Whether [`go_on_from`](Self::go_on_from) can go on from that.
    pub fn fits(&self, moment: &FrameMoment) -> bool {
        moment.repaired.len() == self.repaired.len()
            && moment.cell.hidden.dims() == self.cell.state().hidden.dims()
    }

    /// Goes on from what another one like it remembered; returns whether it is of the same sizes.
    pub fn go_on_from(&mut self, moment: &FrameMoment) -> bool {
        if !self.fits(moment) || self.cell.try_set_state(moment.cell.clone()).is_err() {
            return false;
        }
        self.repaired.copy_from_slice(&moment.repaired);
        self.begun = moment.begun;
        true
    }
}

/// The measures of each patch, into the planes that the cell sees.
struct Measures<'a>(&'a mut FrameRunner, &'a [f32]);

impl Loops for Measures<'_> {
    #[inline(always)]
    fn run(self) {
        let Self(runner, frame) = self;
        let [rows, columns] = runner.patches;
        let (area, patch, width) = (rows * columns, runner.patch, columns * runner.patch);
        let share = 1.0 / (patch * patch) as f32;
        let strips = frame.chunks_exact(patch * width);
        let strips = strips.zip(runner.repaired.chunks_exact(patch * width));
        for (strip, (now, then)) in strips.enumerate() {
            let (colour, row) = (strip / rows, strip % rows);
            // Planes of one measure, a colour each, after those of another.
            let at = |measure: usize| (measure * COLOURS + colour) * area + row * columns;
            let [level, before, change, rough] = &mut runner.sums;
            for sums in [&mut *level, before, change, rough] {
                sums.fill(0.0);
            }
            let lines = || now.chunks_exact(width).zip(then.chunks_exact(width));
            for (now, then) in lines() {
                let sums = level.iter_mut().zip(&mut *before).zip(&mut *change);
                for (((level, before), change), (now, then)) in sums.zip(now.iter().zip(then)) {
                    *level += now;
                    *before += then;
                    *change += (then - now).abs();
                }
            }
            let measures = [(&*level, 1.0), (&*before, 1.0), (&*change, DEVIATION)];
            for (measure, (sums, times)) in measures.into_iter().enumerate() {
                let out = &mut runner.seen[at(measure)..][..columns];
                fold(sums, patch, share * times, out);
            }
            let means = &runner.seen[at(0)..][..columns];
            spread(means, patch, 1.0, &mut runner.row);
            for (now, _) in lines() {
                for (rough, (now, mean)) in rough.iter_mut().zip(now.iter().zip(&runner.row)) {
                    *rough += (now - mean).abs();
                }
            }
            let out = &mut runner.seen[at(3)..][..columns];
            fold(rough, patch, share * DEVIATION, out);
        }
    }
}

/// The gate of each patch, before the sigmoid.
struct Gates<'a>(&'a mut FrameRunner);

impl Loops for Gates<'_> {
    #[inline(always)]
    fn run(self) {
        let Self(runner) = self;
        let area = runner.gates.len();
        let mut share = runner.bias;
        runner.gates.fill(0.0);
        let planes = runner.seen.chunks_exact(area);
        for ((plane, weight), of_means) in planes.zip(&runner.gate).zip(&runner.gate_means) {
            share += sum(plane) / area as f32 * of_means;
            for (gate, value) in runner.gates.iter_mut().zip(plane) {
                *gate += weight * value;
            }
        }
        runner.gates.iter_mut().for_each(|gate| *gate += share);
    }
}

/// Puts what is remembered in the place of what is shown, as far as the gates are open.
struct Mix<'a>(&'a mut FrameRunner, &'a [f32]);

impl Loops for Mix<'_> {
    #[inline(always)]
    fn run(self) {
        let Self(runner, frame) = self;
        let [rows, columns] = runner.patches;
        let patch = runner.patch;
        let width = columns * patch;
        for (patch_row, gates) in runner.gates.chunks_exact(columns).enumerate() {
            spread(gates, patch, runner.amount, &mut runner.row);
            for colour in 0..COLOURS {
                let start = (colour * rows + patch_row) * patch * width;
                let range = start..start + patch * width;
                let lines = runner.repaired[range.clone()].chunks_exact_mut(width);
                for (repaired, now) in lines.zip(frame[range].chunks_exact(width)) {
                    let given = now.iter().zip(&runner.row);
                    for (repaired, (now, gate)) in repaired.iter_mut().zip(given) {
                        *repaired = now + gate * (*repaired - now);
                    }
                }
            }
        }
    }
}

/// Makes what is remembered lighter, by a share of how far it is from black.
struct Lighten<'a>(&'a mut FrameRunner, f32);

impl Loops for Lighten<'_> {
    #[inline(always)]
    fn run(self) {
        let Self(runner, light) = self;
        for (out, repaired) in runner.out.iter_mut().zip(&runner.repaired) {
            *out = (repaired + light * (repaired + 1.0)).min(1.0);
        }
    }
}

/// The side of patches whose loops are unrolled: memories are trained with such patches.
const USUAL: usize = 4;

/// The sums of so many values at a time, multiplied.
#[inline(always)]
fn fold(values: &[f32], count: usize, times: f32, out: &mut [f32]) {
    if count == USUAL {
        let (parts, _) = values.as_chunks::<USUAL>();
        for (out, [a, b, c, d]) in out.iter_mut().zip(parts) {
            *out = ((a + b) + (c + d)) * times;
        }
        return;
    }
    for (out, values) in out.iter_mut().zip(values.chunks_exact(count)) {
        *out = values.iter().sum::<f32>() * times;
    }
}

/// Each value so many times, multiplied.
#[inline(always)]
fn spread(values: &[f32], count: usize, times: f32, out: &mut [f32]) {
    if count == USUAL {
        let (parts, _) = out.as_chunks_mut::<USUAL>();
        for (part, value) in parts.iter_mut().zip(values) {
            *part = [value * times; USUAL];
        }
        return;
    }
    for (part, value) in out.chunks_exact_mut(count).zip(values) {
        part.fill(value * times);
    }
}
