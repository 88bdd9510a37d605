//! The gates and the state updates, position by position, and their derivatives.

use super::{Plan, activate, derivative, sigmoid};

/// Peephole weights of one gate: a line of `hidden` values for all positions, or one each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeepholeView<'a> {
    weights: &'a [f32],
    /// From one position's line to the next: 0 or `hidden`.
    stride: usize,
}

/// The peepholes of a cell, channels last: `[1 or area, hidden]` for input, forget and output gate.
#[derive(Debug, Clone)]
pub(crate) struct Peepholes<T>(pub [T; 3]);

impl Peepholes<Vec<f32>> {
    pub(crate) fn view(&self, hidden: usize) -> Peepholes<PeepholeView<'_>> {
        Peepholes(self.0.each_ref().map(|weights| PeepholeView {
            weights,
            stride: if weights.len() == hidden { 0 } else { hidden },
        }))
    }
}

impl PeepholeView<'_> {
    fn index(&self, place: &Place) -> usize {
        place.position * self.stride + place.channel
    }

    fn at(&self, place: &Place) -> f32 {
        self.weights[self.index(place)]
    }
}

/// What scaling the cell state needs to be differentiated, for one group: the divisor, and where
/// the maximum lies in `[area, hidden]`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Scaling {
    divisor: f32,
    at: usize,
}

/// The values of one step of one video that both directions touch, all channels last.
pub(crate) struct Step<'a> {
    /// Before [`update`] the gates' pre-activations, after it their activations,
    /// `[area, groups, 4, m]`. After [`backward`] the gradients of the pre-activations.
    pub gates: &'a mut [f32],
    /// The new cell state after clip or scale, before its activation, `[area, hidden]`.
    pub raw: &'a mut [f32],
    /// One a group.
    pub scaling: &'a mut [Scaling],
}

/// Where a channel's values lie: in `[area, hidden]` at `state`, its gates in `[area, 4 * hidden]`
/// at `gates`, `gates + m`, and so on.
struct Place {
    position: usize,
    channel: usize,
    state: usize,
    gates: usize,
}

fn places(plan: &Plan) -> impl Iterator<Item = Place> {
    let (hidden, m) = (plan.hidden, plan.group());
    (0..plan.area()).flat_map(move |position| {
        (0..hidden).map(move |channel| Place {
            position,
            channel,
            state: position * hidden + channel,
            gates: position * 4 * hidden + channel / m * 4 * m + channel % m,
        })
    })
}

/// Activates the gates and updates `cell` and `hidden`, both `[area, hidden]`, in place.
pub(crate) fn update(
    plan: &Plan,
    peepholes: Option<&Peepholes<PeepholeView>>,
    step: &mut Step,
    cell: &mut [f32],
    hidden: &mut [f32],
) {
    let m = plan.group();
    for place in places(plan) {
        let c = cell[place.state];
        let [mut i, mut f] = [step.gates[place.gates], step.gates[place.gates + m]];
        if let Some(Peepholes([input, forget, _])) = peepholes {
            i += input.at(&place) * c;
            f += forget.at(&place) * c;
        }
        let (i, f) = (sigmoid(i), sigmoid(f));
        let j = activate(plan.activation, step.gates[place.gates + 2 * m]);
        step.gates[place.gates] = i;
        step.gates[place.gates + m] = f;
        step.gates[place.gates + 2 * m] = j;
        let c = f * c + i * j;
        step.raw[place.state] = match plan.clip {
            Some(clip) => c.clamp(-clip, clip),
            None => c,
        };
    }
    if plan.scale {
        scale(plan, step);
    }
    for place in places(plan) {
        let c = step.raw[place.state];
        let mut o = step.gates[place.gates + 3 * m];
        if let Some(Peepholes([_, _, output])) = peepholes {
            o += output.at(&place) * c;
        }
        let o = sigmoid(o);
        step.gates[place.gates + 3 * m] = o;
        let activated = activate(plan.activation, c);
        hidden[place.state] = o * activated;
        cell[place.state] = if plan.carry_activated { activated } else { c };
    }
}

/// Divides the new cell state of each group by `max(1, max / 6)`.
fn scale(plan: &Plan, step: &mut Step) {
    let m = plan.group();
    for (group, scaling) in step.scaling.iter_mut().enumerate() {
        let mut max = f32::NEG_INFINITY;
        for (position, line) in step.raw.chunks_exact(plan.hidden).enumerate() {
            for (channel, value) in line.iter().enumerate().skip(group * m).take(m) {
                // NaN wins, as it does in PyTorch.
                if *value > max || value.is_nan() {
                    max = *value;
                    scaling.at = position * plan.hidden + channel;
                }
            }
        }
        let divisor = max / 6.0;
        scaling.divisor = if divisor < 1.0 { 1.0 } else { divisor };
        for line in step.raw.chunks_exact_mut(plan.hidden) {
            line[group * m..][..m]
                .iter_mut()
                .for_each(|value| *value /= scaling.divisor);
        }
    }
}

/// Turns the gradients of the new state into those of the old one and of the gates'
/// pre-activations, and adds those of the peepholes to `sums`.
///
/// `hidden` holds the gradient of the new hidden state, `cell` that of the new carried cell state;
/// afterwards `cell` holds that of the old one. `old` is the old carried cell state. All are
/// `[area, hidden]`.
pub(crate) fn backward(
    plan: &Plan,
    peepholes: Option<(&Peepholes<PeepholeView>, &mut Peepholes<Vec<f32>>)>,
    step: &mut Step,
    old: &[f32],
    hidden: &[f32],
    cell: &mut [f32],
) {
    let (views, mut sums) = peepholes.unzip();
    through_output(plan, views, sums.as_deref_mut(), step, hidden, cell);
    if let Some(clip) = plan.clip {
        for (gradient, c) in cell.iter_mut().zip(step.raw.iter()) {
            if c.abs() >= clip {
                *gradient = 0.0;
            }
        }
    }
    if plan.scale {
        through_scale(plan, step, cell);
    }
    through_update(plan, views, sums, step, old, cell);
}

/// From the new hidden and carried state back to `raw`, whose gradient replaces that in `cell`.
fn through_output(
    plan: &Plan,
    views: Option<&Peepholes<PeepholeView>>,
    mut sums: Option<&mut Peepholes<Vec<f32>>>,
    step: &mut Step,
    hidden: &[f32],
    cell: &mut [f32],
) {
    let m = plan.group();
    for place in places(plan) {
        let c = step.raw[place.state];
        let activated = activate(plan.activation, c);
        let o = step.gates[place.gates + 3 * m];
        let d_output = hidden[place.state] * activated * o * (1.0 - o);
        step.gates[place.gates + 3 * m] = d_output;

        let mut d_activated = hidden[place.state] * o;
        let mut d_raw = 0.0;
        if plan.carry_activated {
            d_activated += cell[place.state];
        } else {
            d_raw = cell[place.state];
        }
        d_raw += d_activated * derivative(plan.activation, activated);
        if let (Some(views), Some(sums)) = (views, sums.as_deref_mut()) {
            let weight = views.0[2].index(&place);
            d_raw += d_output * views.0[2].weights[weight];
            sums.0[2][weight] += d_output * c;
        }
        cell[place.state] = d_raw;
    }
}

/// From the scaled cell state back to the unscaled: the divisor depends on the maximum.
fn through_scale(plan: &Plan, step: &Step, cell: &mut [f32]) {
    let m = plan.group();
    for (group, scaling) in step.scaling.iter().enumerate() {
        if scaling.divisor == 1.0 {
            continue;
        }
        // c = raw / d, so the divisor's gradient is -sum(dc * c) / d, a sixth of it the maximum's.
        let mut sum = 0.0;
        for (line, c) in cell
            .chunks_exact_mut(plan.hidden)
            .zip(step.raw.chunks_exact(plan.hidden))
        {
            for channel in group * m..(group + 1) * m {
                sum += line[channel] * c[channel];
                line[channel] /= scaling.divisor;
            }
        }
        cell[scaling.at] -= sum / scaling.divisor / 6.0;
    }
}

/// From the unclipped cell state, whose gradient is in `cell`, back to the gates and the old one.
fn through_update(
    plan: &Plan,
    views: Option<&Peepholes<PeepholeView>>,
    mut sums: Option<&mut Peepholes<Vec<f32>>>,
    step: &mut Step,
    old: &[f32],
    cell: &mut [f32],
) {
    let m = plan.group();
    for place in places(plan) {
        let d = cell[place.state];
        let c = old[place.state];
        let [i, f, j] = [0, m, 2 * m].map(|gate| step.gates[place.gates + gate]);
        let d_input = d * j * i * (1.0 - i);
        let d_forget = d * c * f * (1.0 - f);
        step.gates[place.gates] = d_input;
        step.gates[place.gates + m] = d_forget;
        step.gates[place.gates + 2 * m] = d * i * derivative(plan.activation, j);
        let mut d_old = d * f;
        if let (Some(Peepholes([input, forget, _])), Some(sums)) = (views, sums.as_deref_mut()) {
            let (at_input, at_forget) = (input.index(&place), forget.index(&place));
            d_old += d_input * input.weights[at_input] + d_forget * forget.weights[at_forget];
            sums.0[0][at_input] += d_input * c;
            sums.0[1][at_forget] += d_forget * c;
        }
        cell[place.state] = d_old;
    }
}
