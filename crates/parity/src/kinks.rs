//! Where the values of a case lie: how far from the kinks of its activations, where gradients
//! jump, and whether they reach the bound of the state.

use bottleneck_lstm::{Activation, BottleneckLstm, BottleneckLstmConfig};
use burn::tensor::{DType, Tensor};
use burn_flex::Flex;

use crate::case::Case;
use crate::{compare, parameters};

/// Where the values of a case lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Survey {
    /// The smallest distance of any value to a kink, or to a tie of the maximum that `scale_state`
    /// divides by.
    pub distance: f64,
    /// Whether some state is clipped or scaled, where the configuration says so; true where it
    /// does not.
    pub bounded: bool,
}

/// Runs `case` and looks at its values.
pub fn survey(case: &Case) -> Survey {
    let loaded = case.load_as::<Flex>(DType::F64);
    let config = &case.config;
    // The cell without an activation shows what it would be applied to.
    let bare = |config: BottleneckLstmConfig| -> BottleneckLstm<Flex> {
        let cell = config.init(&Default::default());
        parameters::replaced(cell, &case.parameters, DType::F64)
    };
    let identity = Activation::Identity;
    let bare_bottleneck = bare(config.clone().with_bottleneck_activation(identity));
    let bare_candidate = bare(config.clone().with_activation(identity));

    let mut distance = f64::INFINITY;
    let mut bounded = config.clip_state.is_none() && !config.scale_state;
    let mut state = loaded.start();
    for step in 0..loaded.xs.dims()[1] {
        let x = loaded.frame(step);
        let (_, gates) = bare_bottleneck.step_traced(x.clone(), Some(state.clone()));
        distance = distance.min(of_activation(
            config.bottleneck_activation,
            gates.bottleneck,
        ));
        let (_, gates) = bare_candidate.step_traced(x.clone(), Some(state.clone()));
        distance = distance.min(of_activation(config.activation, gates.candidate));

        let (next, gates) = loaded.cell.step_traced(x, Some(state.clone()));
        let mut cell = gates.forget * state.cell + gates.input * gates.candidate;
        if let Some(clip) = config.clip_state {
            bounded |= largest_of(cell.clone().abs()) > clip;
            distance = distance
                .min(to(cell.clone(), clip))
                .min(to(cell.clone(), -clip));
            cell = cell.clamp(-clip, clip);
        }
        if config.scale_state {
            let [batch, hidden, height, width] = cell.dims();
            let len = hidden / config.groups * height * width;
            let groups = cell.reshape([batch * config.groups, len]);
            let largest = groups.clone().max_dim(1);
            bounded |= largest_of(largest.clone()) > 6.0;
            distance = distance.min(to(largest.clone(), 6.0));
            if len > 1 {
                let top = groups.clone().topk(2, 1);
                let ties = top.clone().narrow(1, 0, 1) - top.narrow(1, 1, 1);
                distance = distance.min(-largest_of(-ties));
            }
            cell = (groups / largest.div_scalar(6.0).clamp_min(1.0))
                .reshape([batch, hidden, height, width]);
        }
        distance = distance.min(of_activation(config.activation, cell));
        state = next;
    }
    Survey { distance, bounded }
}

fn largest_of<const D: usize>(x: Tensor<Flex, D>) -> f64 {
    compare::values(x)
        .iter::<f64>()
        .fold(f64::NEG_INFINITY, f64::max)
}

fn of_activation(activation: Activation, x: Tensor<Flex, 4>) -> f64 {
    match activation {
        Activation::Identity | Activation::Tanh => f64::INFINITY,
        Activation::Relu => to(x, 0.0),
        Activation::Relu6 => to(x.clone(), 0.0).min(to(x, 6.0)),
    }
}

/// The distance of the nearest value to `kink`, but for those that are there by construction: a
/// state of `f . 0 + i . relu(j < 0)`, a clipped one, or the largest of a scaled one. Those stay
/// there under any small change.
fn to<const D: usize>(x: Tensor<Flex, D>, kink: f64) -> f64 {
    let distances = compare::values(x.sub_scalar(kink).abs());
    distances
        .iter::<f64>()
        .filter(|distance| *distance > 1e-12)
        .fold(f64::INFINITY, f64::min)
}
