//! The backward pass of a call: which kernels run on what.

use bottleneck_lstm::Activation;
use bottleneck_lstm::fused::{CellGradients, CellTensors};
use burn::tensor::Shape;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;

use crate::backend::Call;
use crate::backend::Recording;
use crate::device::{Buffer, Device, Frames};
use crate::device_backward::{Extent, GatesBackward, Input, Steps};
use crate::kernels::gradients::{OuterSizes, SumSizes};
use crate::kernels::transposed::TransposedSizes;
use crate::plan::Plan;
use crate::tape::Tape;

/// The gradients of the tensors that are `wanted`, from that of outputs and last cell state, one after the
/// other.
pub(crate) fn run<R: CubeRuntime>(
    plan: &Plan,
    call: &Call,
    recording: Recording<CubeTensor<R>>,
    wanted: &CellTensors<bool, bool>,
    gradient: CubeTensor<R>,
) -> CellGradients<CubeTensor<R>> {
    let Recording {
        tensors,
        tape,
        packed,
    } = recording;
    let device = Device::of(&tensors.xs, call);
    let shapes = tensors.clone().map(|tensor| tensor.meta.shape().clone());
    let (time, state) = (plan.time, plan.state());
    let all = device.empty(time * state);
    let backward = Backward {
        tensors: tensors.map(|tensor| device.values(tensor)),
        tape: tape.map(|tensor| device.values(tensor)),
        packed: device.values(packed),
        gradient: device.values(gradient),
        d_gates: device.empty(4 * time * state),
        d_convolved: device.empty(time * state),
        d_convolved_hidden: match plan.depthwise_hidden {
            true => device.empty(time * state),
            false => all.clone(),
        },
        d_bottleneck: all,
        d_cell: device.empty(state),
        d_hidden: device.empty(state),
        device: &device,
        plan,
    };
    for t in (0..time).rev() {
        backward.step(t);
    }
    backward.gradients(wanted, shapes)
}

struct Backward<'a, R: CubeRuntime> {
    device: &'a Device<'a, R>,
    plan: &'a Plan,
    tensors: CellTensors<Buffer>,
    tape: Tape<Buffer>,
    /// What the forward pass yielded, which holds the bottleneck where it is part of the outputs.
    packed: Buffer,
    gradient: Buffer,
    /// Of the gates before their activation, `[time, batch, 4 * hidden, area]`.
    d_gates: Buffer,
    /// Of the convolved bottleneck, `[time, batch, hidden, area]`.
    d_convolved: Buffer,
    /// Of the bottleneck before its activation, likewise.
    d_bottleneck: Buffer,
    /// Of the convolved hidden state, likewise, where it is convolved.
    d_convolved_hidden: Buffer,
    /// Of the state before the step that was last gone through, `[batch, hidden, area]`.
    d_cell: Buffer,
    d_hidden: Buffer,
}

impl<R: CubeRuntime> Backward<'_, R> {
    /// Goes back through step `t`.
    fn step(&self, t: usize) {
        let Self {
            device,
            plan,
            tensors,
            tape,
            ..
        } = self;
        let (state, groups, m) = (plan.state(), plan.groups, plan.group());
        let once = Extent {
            frames: plan.batch,
            time: 1,
        };
        let n = plan.vector();
        device.gates_backward(
            plan.batch,
            plan.gates_of(n),
            n,
            &GatesBackward {
                d_outputs: Frames {
                    buffer: &self.gradient,
                    first: t * plan.output() * plan.area(),
                    frame: plan.time * plan.output() * plan.area(),
                },
                last: plan.outputs(),
                d_hidden: (t + 1 < plan.time).then_some(&self.d_hidden),
                tape: Frames {
                    buffer: &tape.gates,
                    first: 5 * t * state,
                    frame: state,
                },
                old: (&tape.states, t * state),
                peepholes: [
                    tensors.peephole_input.as_ref(),
                    tensors.peephole_forget.as_ref(),
                    tensors.peephole_output.as_ref(),
                ],
                d_cell: &self.d_cell,
                d_gates: (&self.d_gates, 4 * t * state),
                divisors: tape
                    .divisors
                    .as_ref()
                    .map(|divisors| (divisors, t * plan.batch * groups)),
            },
        );
        let d_convolved = self.step_of(&self.d_convolved, t, plan.hidden);
        device.transposed(
            once,
            plan.transposed([4 * m, m], plan.gates_vector(), [m, 0]),
            [n, plan.gates_vector()],
            [self.step_of(&self.d_gates, t, 4 * plan.hidden), d_convolved],
            &tensors.gates,
        );
        let d_bottleneck = self.step_of(&self.d_bottleneck, t, plan.hidden);
        let outputs = Steps {
            buffer: &self.gradient,
            ..self.outputs_bottleneck(t)
        };
        let bottleneck = match plan.output_bottleneck {
            true => self.outputs_bottleneck(t),
            false => self.step_of(&tape.bottleneck, t, plan.hidden),
        };
        let activation = plan.bottleneck_activation;
        device.depthwise_backward(
            once,
            plan.second_depthwise(),
            false,
            [d_convolved, d_bottleneck],
            &tensors.bottleneck_depthwise,
            Input {
                more: plan.output_bottleneck.then_some(outputs),
                activated: (activation != Activation::Identity).then_some((activation, bottleneck)),
            },
        );
        let d_hidden = self.step_of(&self.d_hidden, 0, plan.hidden);
        let d_convolved_hidden = match plan.depthwise_hidden {
            true => self.step_of(&self.d_convolved_hidden, t, plan.hidden),
            false => d_hidden,
        };
        device.transposed(
            once,
            plan.transposed(
                [m, m],
                plan.bottleneck_vector(),
                [plan.input + m, plan.input],
            ),
            [n, plan.bottleneck_vector()],
            [d_bottleneck, d_convolved_hidden],
            &tensors.bottleneck,
        );
        if plan.depthwise_hidden {
            device.depthwise_backward(
                once,
                plan.first_depthwise(),
                false,
                [d_convolved_hidden, d_hidden],
                &tensors.depthwise,
                Input::default(),
            );
        }
    }

    /// The gradients, once all steps are gone through.
    fn gradients(
        &self,
        wanted: &CellTensors<bool, bool>,
        shapes: CellTensors<Shape>,
    ) -> CellGradients<CubeTensor<R>> {
        let (plan, m) = (self.plan, self.plan.group());
        let give = |wanted: bool, shape: Shape, buffer: &dyn Fn() -> Buffer| {
            wanted.then(|| self.device.tensor(buffer(), shape))
        };
        let maybe = |wanted: bool, shape: Option<Shape>, buffer: &dyn Fn() -> Buffer| {
            shape.and_then(|shape| give(wanted, shape, buffer))
        };
        let through_input = wanted.xs || wanted.depthwise || wanted.depthwise_bias;
        let d_input = through_input.then(|| self.convolved_input());
        let d_input = || d_input.as_ref().expect("it is wanted");
        let old = |first: usize| Steps {
            first,
            ..self.all_steps(&self.tape.states, plan.hidden)
        };
        let cells = || Steps {
            first: 4 * plan.state(),
            time: 5 * plan.state(),
            ..self.all_steps(&self.tape.gates, plan.hidden)
        };
        CellTensors {
            xs: give(wanted.xs, shapes.xs, &|| self.input(d_input())),
            cell: give(wanted.cell, shapes.cell, &|| self.d_cell.clone()),
            hidden: give(wanted.hidden, shapes.hidden, &|| self.d_hidden.clone()),
            depthwise: give(wanted.depthwise, shapes.depthwise, &|| {
                self.depthwise(d_input())
            }),
            depthwise_bias: maybe(wanted.depthwise_bias, shapes.depthwise_bias, &|| {
                let d = self.all_frames(d_input(), plan.first_depthwise().input());
                self.bias(plan.input, d)
            }),
            bottleneck: give(wanted.bottleneck, shapes.bottleneck, &|| self.bottleneck()),
            bottleneck_bias: give(wanted.bottleneck_bias, shapes.bottleneck_bias, &|| {
                self.bias(plan.hidden, self.all_steps(&self.d_bottleneck, plan.hidden))
            }),
            bottleneck_depthwise: give(
                wanted.bottleneck_depthwise,
                shapes.bottleneck_depthwise,
                &|| self.bottleneck_depthwise(),
            ),
            gates: give(wanted.gates, shapes.gates, &|| self.gates()),
            gates_bias: maybe(wanted.gates_bias, shapes.gates_bias, &|| {
                self.bias(
                    4 * plan.hidden,
                    self.all_steps(&self.d_gates, 4 * plan.hidden),
                )
            }),
            peephole_input: maybe(wanted.peephole_input, shapes.peephole_input, &|| {
                self.peephole(0, old(0))
            }),
            peephole_forget: maybe(wanted.peephole_forget, shapes.peephole_forget, &|| {
                self.peephole(m, old(0))
            }),
            peephole_output: maybe(wanted.peephole_output, shapes.peephole_output, &|| {
                self.peephole(3 * m, cells())
            }),
        }
    }

    /// Of the convolved input, `[batch, time, groups * input, area]`.
    fn convolved_input(&self) -> Buffer {
        let (plan, m) = (self.plan, self.plan.group());
        let frame = plan.first_depthwise().input();
        let out = self.device.empty(plan.batch * plan.time * frame);
        let d = self.all_steps(&self.d_bottleneck, plan.hidden);
        self.device.transposed(
            self.extent(),
            plan.transposed(
                [m, plan.input],
                plan.bottleneck_vector(),
                [plan.input + m, 0],
            ),
            [plan.vector(), plan.bottleneck_vector()],
            [d, self.all_frames(&out, frame)],
            &self.tensors.bottleneck,
        );
        out
    }

    fn input(&self, d: &Buffer) -> Buffer {
        let (plan, sizes) = (self.plan, self.plan.first_depthwise());
        let frame = plan.input * plan.area();
        let out = self.device.empty(plan.batch * plan.time * frame);
        let steps = [
            self.all_frames(d, sizes.input()),
            self.all_frames(&out, frame),
        ];
        let kernels = &self.tensors.depthwise;
        self.device.depthwise_backward(
            self.extent(),
            sizes,
            true,
            steps,
            kernels,
            Input::default(),
        );
        out
    }

    fn depthwise(&self, d_input: &Buffer) -> Buffer {
        let (plan, sizes) = (self.plan, self.plan.first_depthwise());
        let out = self
            .device
            .empty(sizes.groups * sizes.kernels * sizes.map.taps());
        let d = self.all_frames(d_input, sizes.input());
        let xs = self.all_frames(&self.tensors.xs, plan.input * plan.area());
        self.device
            .kernel_gradient(self.extent(), sizes, true, [d, xs], &out);
        if plan.depthwise_hidden {
            let d = self.all_steps(&self.d_convolved_hidden, plan.hidden);
            let steps = [d, self.old_hiddens()];
            self.device
                .kernel_gradient(self.extent(), sizes, false, steps, &out);
        }
        out
    }

    fn bottleneck(&self) -> Buffer {
        let (plan, m) = (self.plan, self.plan.group());
        let out = self.device.empty(plan.hidden * (plan.input + m));
        let d = self.all_steps(&self.d_bottleneck, plan.hidden);
        let x = self.all_frames(&self.tape.convolved_input, plan.first_depthwise().input());
        let h = match &self.tape.convolved_hidden {
            Some(convolved) => self.all_steps(convolved, plan.hidden),
            None => self.old_hiddens(),
        };
        let sizes = OuterSizes {
            area: plan.area() / plan.vector(),
            groups: plan.groups,
            rows: m,
            columns: plan.input,
            group: if plan.depthwise_hidden { plan.input } else { 0 },
            row: plan.input + m,
            before: 0,
        };
        let over_hidden = OuterSizes {
            columns: m,
            group: m,
            before: plan.input,
            ..sizes
        };
        self.device
            .outer(self.extent(), sizes, plan.vector(), [d, x], &out);
        self.device
            .outer(self.extent(), over_hidden, plan.vector(), [d, h], &out);
        out
    }

    fn bottleneck_depthwise(&self) -> Buffer {
        let (plan, sizes) = (self.plan, self.plan.second_depthwise());
        let out = self.device.empty(plan.hidden * sizes.map.taps());
        let bottleneck = match plan.output_bottleneck {
            false => self.all_steps(&self.tape.bottleneck, plan.hidden),
            true => Steps {
                time: plan.output() * plan.area(),
                ..self.outputs_bottleneck(0)
            },
        };
        let d = self.all_steps(&self.d_convolved, plan.hidden);
        self.device
            .kernel_gradient(self.extent(), sizes, false, [d, bottleneck], &out);
        out
    }

    fn gates(&self) -> Buffer {
        let (plan, m) = (self.plan, self.plan.group());
        let out = self.device.empty(4 * plan.hidden * m);
        let sizes = OuterSizes {
            area: plan.area() / plan.vector(),
            groups: plan.groups,
            rows: 4 * m,
            columns: m,
            group: m,
            row: m,
            before: 0,
        };
        let d = self.all_steps(&self.d_gates, 4 * plan.hidden);
        let x = self.all_steps(&self.tape.convolved, plan.hidden);
        self.device
            .outer(self.extent(), sizes, plan.vector(), [d, x], &out);
        out
    }

    /// The sums of so many planes.
    fn bias(&self, planes: usize, d: Steps<'_>) -> Buffer {
        let sizes = SumSizes {
            area: self.plan.area(),
            pinned: false,
            own: planes,
            group: planes,
            before: 0,
        };
        self.device.sums(self.extent(), sizes, planes, d, None)
    }

    /// Of the gate whose planes come after so many of each group, and which looks at `cells`.
    fn peephole(&self, before: usize, cells: Steps<'_>) -> Buffer {
        let (plan, m) = (self.plan, self.plan.group());
        let sizes = SumSizes {
            area: plan.area(),
            pinned: plan.pinned,
            own: m,
            group: 4 * m,
            before,
        };
        let d = self.all_steps(&self.d_gates, 4 * plan.hidden);
        self.device
            .sums(self.extent(), sizes, plan.hidden, d, Some(cells))
    }

    /// All frames.
    fn extent(&self) -> Extent {
        Extent {
            frames: self.plan.batch * self.plan.time,
            time: self.plan.time,
        }
    }

    /// Step `t` of `[time, batch, planes, area]`.
    fn step_of<'b>(&self, buffer: &'b Buffer, t: usize, planes: usize) -> Steps<'b> {
        let frame = planes * self.plan.area();
        Steps {
            buffer,
            first: t * self.plan.batch * frame,
            batch: frame,
            time: 0,
        }
    }

    /// All steps of `[time, batch, planes, area]`.
    fn all_steps<'b>(&self, buffer: &'b Buffer, planes: usize) -> Steps<'b> {
        let frame = planes * self.plan.area();
        Steps {
            buffer,
            first: 0,
            batch: frame,
            time: self.plan.batch * frame,
        }
    }

    /// All frames of `[batch, time, frame]`.
    fn all_frames<'b>(&self, buffer: &'b Buffer, frame: usize) -> Steps<'b> {
        Steps {
            buffer,
            first: 0,
            batch: self.plan.time * frame,
            time: frame,
        }
    }

    /// The hidden states before each step.
    fn old_hiddens(&self) -> Steps<'_> {
        Steps {
            first: (self.plan.time + 1) * self.plan.state(),
            ..self.all_steps(&self.tape.states, self.plan.hidden)
        }
    }

    /// The bottleneck of step `t` in the outputs.
    fn outputs_bottleneck(&self, t: usize) -> Steps<'_> {
        let plan = self.plan;
        let frame = plan.output() * plan.area();
        Steps {
            buffer: &self.packed,
            first: t * frame + plan.hidden * plan.area(),
            batch: plan.time * frame,
            time: 0,
        }
    }
}

impl Plan {
    /// A product with transposed weights of `rows` by `columns` of each group, of which a row has so many in
    /// all, and so many before, in vectors of `width`.
    fn transposed(
        &self,
        [rows, columns]: [usize; 2],
        width: usize,
        [row, before]: [usize; 2],
    ) -> TransposedSizes {
        let vectors = columns / width;
        // About eight columns a thread.
        let tile = (1..=8 / width)
            .rev()
            .find(|tile| vectors.is_multiple_of(*tile));
        TransposedSizes {
            area: self.area() / self.vector(),
            groups: self.groups,
            rows,
            columns,
            tile: tile.unwrap_or(1),
            row: row / width,
            before: before / width,
        }
    }
}
