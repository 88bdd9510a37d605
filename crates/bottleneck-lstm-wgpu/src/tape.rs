//! What the backward pass needs of the forward pass, besides the tensors of the call.

use crate::plan::Plan;

/// Values of a call, each `[time, batch, ..]` if it does not say otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Tape<T> {
    /// The input after its depthwise convolution, `[batch, time, groups * input, area]`.
    pub convolved_input: T,
    /// The old hidden states after theirs, `[.., hidden, area]`, if they have one.
    pub convolved_hidden: Option<T>,
    /// The bottleneck after its activation, `[.., hidden, area]`; next to nothing where the outputs have it.
    pub bottleneck: T,
    /// The bottleneck after its depthwise convolution, likewise.
    pub convolved: T,
    /// `[time, 5, batch, hidden, area]`: see [`gates`](crate::kernels::gates::gates).
    pub gates: T,
    /// The cell states from the start on, `[time + 1, batch, hidden, area]`, and the hidden states.
    pub states: T,
    /// Of the scaled cell states, `[.., groups]`, if they are.
    pub divisors: Option<T>,
}

impl<T> Tape<T> {
    /// Applies `f` to every part.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Tape<U> {
        Tape {
            convolved_input: f(self.convolved_input),
            convolved_hidden: self.convolved_hidden.map(&mut f),
            bottleneck: f(self.bottleneck),
            convolved: f(self.convolved),
            gates: f(self.gates),
            states: f(self.states),
            divisors: self.divisors.map(&mut f),
        }
    }

    /// Both tapes' parts side by side.
    pub fn zip<U>(self, other: Tape<U>) -> Tape<(T, U)> {
        Tape {
            convolved_input: (self.convolved_input, other.convolved_input),
            convolved_hidden: self.convolved_hidden.zip(other.convolved_hidden),
            bottleneck: (self.bottleneck, other.bottleneck),
            convolved: (self.convolved, other.convolved),
            gates: (self.gates, other.gates),
            states: (self.states, other.states),
            divisors: self.divisors.zip(other.divisors),
        }
    }
}

impl Plan {
    /// Values of each part of a call's tape.
    pub fn tape(&self) -> Tape<usize> {
        let states = self.time * self.state();
        Tape {
            convolved_input: self.batch * self.time * self.first_depthwise().input(),
            convolved_hidden: self.depthwise_hidden.then_some(states),
            bottleneck: if self.output_bottleneck { 4 } else { states },
            convolved: states,
            gates: 5 * states,
            states: 2 * (states + self.state()),
            divisors: self.scale.then_some(self.time * self.batch * self.groups),
        }
    }
}
