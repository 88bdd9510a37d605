//! The forward pass of a call: which kernels run on what.

use bottleneck_lstm::fused::{CellTensors, Outcome};
use burn::tensor::Shape;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;

use crate::backend::Call;
use crate::device::{Buffer, Device, Frames, Gates, Product, States};
use crate::plan::Plan;
use crate::tape::Tape;

/// Runs a sequence.
pub(crate) fn run<R: CubeRuntime>(
    plan: &Plan,
    call: &Call,
    tensors: CellTensors<CubeTensor<R>>,
) -> Outcome<CubeTensor<R>> {
    let device = Device::of(&tensors.xs, call);
    let tensors = tensors.map(|tensor| device.values(tensor));
    let outputs = device.empty(plan.outputs());
    let hiddens = device.aligned(plan.state());
    let states = device.empty(hiddens + plan.state());
    let bottleneck = device.empty(match plan.output_bottleneck {
        true => 4,
        false => plan.state(),
    });
    Forward {
        device: &device,
        plan,
        tensors: &tensors,
        outputs: &outputs,
        states: &states,
        hiddens,
        bottleneck: &bottleneck,
        convolved: &device.empty(plan.state()),
        record: None,
    }
    .run();
    Outcome {
        outputs: device.tensor(outputs, plan.outputs_shape()),
        cell: device.part(&states, 0, plan.state_shape()),
        hidden: Some(device.part(&states, hiddens, plan.state_shape())),
    }
}

/// Runs a sequence and records it. Returns outputs and last cell state, one after the other, and the tape.
pub(crate) fn run_taped<R: CubeRuntime>(
    plan: &Plan,
    call: &Call,
    tensors: CellTensors<CubeTensor<R>>,
) -> (CubeTensor<R>, Tape<CubeTensor<R>>) {
    let device = Device::of(&tensors.xs, call);
    let tensors = tensors.map(|tensor| device.values(tensor));
    let (time, state) = (plan.time, plan.state());
    let packed = device.empty(plan.outputs() + state);
    let tape = plan.tape().map(|values| device.empty(values));
    let hiddens = (time + 1) * state;
    device.copy(&tensors.cell, &tape.states, 0);
    device.copy(&tensors.hidden, &tape.states, hiddens);
    Forward {
        device: &device,
        plan,
        tensors: &tensors,
        outputs: &packed,
        states: &tape.states,
        hiddens,
        bottleneck: &tape.bottleneck,
        convolved: &tape.convolved,
        record: Some(&tape),
    }
    .run();
    let sizes = plan.tape();
    let tape = tape
        .zip(sizes)
        .map(|(buffer, values)| device.tensor(buffer, Shape::from([values])));
    let values = plan.outputs() + state;
    (device.tensor(packed, Shape::from([values])), tape)
}

struct Forward<'a, R: CubeRuntime> {
    device: &'a Device<'a, R>,
    plan: &'a Plan,
    tensors: &'a CellTensors<Buffer>,
    /// `[batch, time, output, area]`, and with a record the last cell state behind.
    outputs: &'a Buffer,
    /// Cell and, from `hiddens` on, hidden state, `[batch, hidden, area]` each; with a record all of them from
    /// the start on, `[time + 1, batch, hidden, area]`.
    states: &'a Buffer,
    hiddens: usize,
    /// The bottleneck, `[batch, hidden, area]`, where it is not part of the outputs; with a record of all
    /// steps, one after the other.
    bottleneck: &'a Buffer,
    /// Likewise, after its depthwise convolution.
    convolved: &'a Buffer,
    record: Option<&'a Tape<Buffer>>,
}

impl<R: CubeRuntime> Forward<'_, R> {
    fn run(&self) {
        let plan = self.plan;
        let temporary;
        let first = match self.record {
            Some(tape) => &tape.convolved_input,
            None => {
                let sizes = plan.first_depthwise();
                let frames = plan.batch * plan.time;
                let values = frames * sizes.input() + plan.batch * sizes.hidden();
                temporary = self.device.empty(values);
                &temporary
            }
        };
        self.convolve_input(first);
        // One step has its input projected together with its hidden state.
        let projected = (plan.time > 1).then(|| self.project(first));
        for t in 0..plan.time {
            self.recur(t, first, projected.as_ref());
            self.gates(t);
        }
    }

    /// The first depthwise convolution: of the input of all steps and, without a record, of the hidden state
    /// at the start.
    fn convolve_input(&self, out: &Buffer) {
        let Self {
            plan,
            device,
            tensors,
            ..
        } = self;
        let sizes = plan.first_depthwise();
        let xs = (plan.batch * plan.time, self.frames(&tensors.xs, plan.input));
        let hidden = (plan.batch, self.old_hidden(0));
        let hidden = (plan.depthwise_hidden && self.record.is_none()).then_some(hidden);
        let bias = tensors.depthwise_bias.as_ref();
        let kernels = &tensors.depthwise;
        device.depthwise(sizes, [Some(xs), hidden], kernels, bias, (out, 0));
    }

    /// The convolved input.
    fn convolved_input<'b>(&self, first: &'b Buffer) -> Frames<'b> {
        Frames {
            buffer: first,
            first: 0,
            frame: self.plan.first_depthwise().input(),
        }
    }

    /// What the input of all steps adds to the bottleneck, with its bias, `[batch, time, hidden, area]`.
    fn project(&self, first: &Buffer) -> Buffer {
        let plan = self.plan;
        let frames = plan.batch * plan.time;
        let projected = self.device.empty(frames * plan.hidden * plan.area());
        self.device.product(
            frames,
            plan.product(false),
            [plan.vector(), plan.bottleneck_vector()],
            &Product {
                x: Some(self.convolved_input(first)),
                h: None,
                start: None,
                weights: &self.tensors.bottleneck,
                bias: Some(&self.tensors.bottleneck_bias),
                out: self.frames(&projected, plan.hidden),
            },
        );
        projected
    }

    /// The bottleneck of step `t`, from its `projected` input or, if it is the only one, from what the
    /// `first` convolution left.
    fn recur(&self, t: usize, first: &Buffer, projected: Option<&Buffer>) {
        let Self {
            plan,
            device,
            tensors,
            ..
        } = self;
        let mut hidden = self.old_hidden(t);
        let temporary;
        if plan.depthwise_hidden {
            let sizes = plan.first_depthwise();
            let recorded = self.record.and_then(|tape| tape.convolved_hidden.as_ref());
            let (out, first_value) = match (recorded, t) {
                (Some(all), _) => (all, t * plan.state()),
                (None, 0) => (first, plan.batch * plan.time * sizes.input()),
                (None, _) => {
                    temporary = device.empty(plan.state());
                    (&temporary, 0)
                }
            };
            if recorded.is_some() || t > 0 {
                let hiddens = [None, Some((plan.batch, hidden))];
                device.depthwise(sizes, hiddens, &tensors.depthwise, None, (out, first_value));
            }
            hidden = Frames {
                first: first_value,
                ..self.frames(out, plan.hidden)
            };
        }
        let (x, start, bias) = match projected {
            Some(projected) => (None, Some(self.step(projected, t, plan.hidden)), None),
            None => {
                let bias = &tensors.bottleneck_bias;
                (Some(self.convolved_input(first)), None, Some(bias))
            }
        };
        device.product(
            plan.batch,
            plan.product(true),
            [plan.vector(), plan.bottleneck_vector()],
            &Product {
                x,
                h: Some(hidden),
                start,
                weights: &tensors.bottleneck,
                bias,
                out: self.bottleneck(t),
            },
        );
    }

    /// The gates of step `t`, and the new state.
    fn gates(&self, t: usize) {
        let Self {
            plan,
            device,
            tensors,
            ..
        } = self;
        let bottleneck = self.bottleneck(t);
        let kernels = &tensors.bottleneck_depthwise;
        let b = match plan.scale {
            true => bottleneck,
            false => {
                let planes = [None, Some((plan.batch, bottleneck))];
                let out = (self.convolved, self.recorded(t));
                device.depthwise(plan.second_depthwise(), planes, kernels, None, out);
                Frames {
                    first: self.recorded(t),
                    ..self.frames(self.convolved, plan.hidden)
                }
            }
        };
        device.gates(
            plan.batch,
            plan.gates(self.record.is_some() && t + 1 == plan.time),
            [plan.gates_positions(), plan.gates_vector()],
            &Gates {
                b,
                kernels: plan.scale.then_some(kernels),
                weights: &tensors.gates,
                bias: tensors.gates_bias.as_ref(),
                peepholes: [
                    tensors.peephole_input.as_ref(),
                    tensors.peephole_forget.as_ref(),
                    tensors.peephole_output.as_ref(),
                ],
                start: (t == 0 && self.record.is_none()).then_some(&tensors.cell),
                states: States {
                    buffer: self.states,
                    old: self.recorded(t),
                    new: self.recorded(t + 1),
                    hidden: self.hiddens + self.recorded(t + 1),
                    yielded: plan.outputs(),
                },
                out: self.step(self.outputs, t, plan.output()),
                tape: self.record.map(|tape| Frames {
                    buffer: &tape.gates,
                    first: 5 * t * plan.state(),
                    frame: plan.state(),
                }),
                divisors: self
                    .record
                    .and_then(|tape| tape.divisors.as_ref())
                    .map(|divisors| (divisors, t * plan.batch * plan.groups)),
            },
        );
        // With scaling the gates convolve the bottleneck themselves, and the backward pass wants it too.
        if self.record.is_some() && plan.scale {
            let planes = [None, Some((plan.batch, bottleneck))];
            let out = (self.convolved, self.recorded(t));
            device.depthwise(plan.second_depthwise(), planes, kernels, None, out);
        }
    }

    /// Where what step `t` leaves begins in a buffer of states: a record keeps them all.
    fn recorded(&self, t: usize) -> usize {
        match self.record {
            Some(_) => t * self.plan.state(),
            None => 0,
        }
    }

    /// All frames of a buffer of so many planes each.
    fn frames<'b>(&self, buffer: &'b Buffer, planes: usize) -> Frames<'b> {
        Frames {
            buffer,
            first: 0,
            frame: planes * self.plan.area(),
        }
    }

    /// The frames of step `t` of a buffer that has those of all steps.
    fn step<'b>(&self, buffer: &'b Buffer, t: usize, planes: usize) -> Frames<'b> {
        let size = planes * self.plan.area();
        Frames {
            buffer,
            first: t * size,
            frame: self.plan.time * size,
        }
    }

    /// The hidden state before step `t`.
    fn old_hidden(&self, t: usize) -> Frames<'_> {
        if t == 0 && self.record.is_none() {
            return self.frames(&self.tensors.hidden, self.plan.hidden);
        }
        Frames {
            first: self.hiddens + self.recorded(t),
            ..self.frames(self.states, self.plan.hidden)
        }
    }

    /// Where the bottleneck of step `t` is.
    fn bottleneck(&self, t: usize) -> Frames<'_> {
        let plan = self.plan;
        if plan.output_bottleneck {
            let outputs = self.step(self.outputs, t, plan.output());
            return Frames {
                first: outputs.first + plan.hidden * plan.area(),
                ..outputs
            };
        }
        Frames {
            first: self.recorded(t),
            ..self.frames(self.bottleneck, plan.hidden)
        }
    }
}
