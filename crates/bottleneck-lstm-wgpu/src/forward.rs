//! The forward pass of a call: which kernels run on what.

use bottleneck_lstm::fused::{CellTensors, Outcome};
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;

use crate::device::{Buffer, Device, Frames, Gates, Product, States};
use crate::launches::Launches;
use crate::plan::Plan;

/// Runs a sequence.
pub(crate) fn run<R: CubeRuntime>(
    plan: &Plan,
    launches: &Launches,
    tensors: CellTensors<CubeTensor<R>>,
) -> Outcome<CubeTensor<R>> {
    let device = Device::of(&tensors.xs, launches);
    let tensors = tensors.map(|tensor| device.values(tensor));
    let outputs = device.empty(plan.batch * plan.time * plan.output() * plan.area());
    let hidden = device.aligned(plan.state());
    let states = device.empty(hidden + plan.state());
    Forward {
        device: &device,
        plan,
        tensors: &tensors,
        outputs: &outputs,
        states: &states,
        hidden,
        bottleneck: device.empty(
            if plan.output_bottleneck {
                0
            } else {
                plan.state()
            }
            .max(4),
        ),
        convolved: device.empty(plan.state()),
    }
    .run();
    Outcome {
        outputs: device.tensor(outputs, plan.outputs_shape()),
        cell: device.part(&states, 0, plan.state_shape()),
        hidden: Some(device.part(&states, hidden, plan.state_shape())),
    }
}

struct Forward<'a, R: CubeRuntime> {
    device: &'a Device<'a, R>,
    plan: &'a Plan,
    tensors: &'a CellTensors<Buffer>,
    /// `[batch, time, output, area]`
    outputs: &'a Buffer,
    /// Cell and, from `hidden` on, hidden state, `[batch, hidden, area]` each.
    states: &'a Buffer,
    hidden: usize,
    /// The bottleneck, likewise, where it is not part of the outputs.
    bottleneck: Buffer,
    /// Likewise, after its depthwise convolution.
    convolved: Buffer,
}

impl<R: CubeRuntime> Forward<'_, R> {
    fn run(&self) {
        let plan = self.plan;
        let first = self.convolve_input();
        // One step has its input projected together with its hidden state.
        let projected = (plan.time > 1).then(|| self.project(&first));
        for t in 0..plan.time {
            self.recur(t, &first, projected.as_ref());
            self.gates(t);
        }
    }

    /// The first depthwise convolution: of the input of all steps, and of the hidden state at the start.
    fn convolve_input(&self) -> Buffer {
        let Self {
            plan,
            device,
            tensors,
            ..
        } = self;
        let sizes = plan.first_depthwise();
        let frames = plan.batch * plan.time;
        let xs = (frames, self.frames(&tensors.xs, plan.input));
        let hidden = (plan.batch, self.old_hidden(0));
        let hidden = plan.depthwise_hidden.then_some(hidden);
        let out = device.empty(frames * sizes.input() + plan.batch * sizes.hidden());
        let bias = tensors.depthwise_bias.as_ref();
        let kernels = &tensors.depthwise;
        device.depthwise(sizes, [Some(xs), hidden], kernels, bias, &out);
        out
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
        let convolved;
        if plan.depthwise_hidden {
            let sizes = plan.first_depthwise();
            if t == 0 {
                hidden = Frames {
                    first: plan.batch * plan.time * sizes.input(),
                    ..self.frames(first, plan.hidden)
                };
            } else {
                convolved = device.empty(plan.state());
                let hiddens = [None, Some((plan.batch, hidden))];
                device.depthwise(sizes, hiddens, &tensors.depthwise, None, &convolved);
                hidden = self.frames(&convolved, plan.hidden);
            }
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
                device.depthwise(
                    plan.second_depthwise(),
                    planes,
                    kernels,
                    None,
                    &self.convolved,
                );
                self.frames(&self.convolved, plan.hidden)
            }
        };
        device.gates(
            plan.batch,
            plan.gates(),
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
                start: (t == 0).then_some(&tensors.cell),
                states: States {
                    buffer: self.states,
                    old: 0,
                    new: 0,
                    hidden: self.hidden,
                },
                out: self.step(self.outputs, t, plan.output()),
                tape: None,
            },
        );
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
        match t {
            0 => self.frames(&self.tensors.hidden, self.plan.hidden),
            _ => Frames {
                first: self.hidden,
                ..self.frames(self.states, self.plan.hidden)
            },
        }
    }

    /// Where the bottleneck of step `t` is.
    fn bottleneck(&self, t: usize) -> Frames<'_> {
        let plan = self.plan;
        match plan.output_bottleneck {
            false => self.frames(&self.bottleneck, plan.hidden),
            true => {
                let outputs = self.step(self.outputs, t, plan.output());
                Frames {
                    first: outputs.first + plan.hidden * plan.area(),
                    ..outputs
                }
            }
        }
    }
}
