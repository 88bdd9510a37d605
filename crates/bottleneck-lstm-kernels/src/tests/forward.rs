//! Sequences, whose input is multiplied several steps at a time, against their steps one by one, and
//! many threads, which have rows of their own, against one.

use std::sync::Arc;

use super::{Random, bits, teams};
use crate::forward::{self, Scratch, State};
use crate::share::Team;
use crate::{Map, Memory, Packed, Plan, Weights};

/// Steps that no number of them at a time divides.
const TIME: usize = 7;

fn plans() -> impl Iterator<Item = Plan> {
    let map = |height, width| Map {
        height,
        width,
        kernel: 3,
    };
    // All steps at a time, four, two, and one.
    [(3, 5), (10, 10), (11, 17), (25, 17)]
        .into_iter()
        .flat_map(move |(height, width)| {
            let plan = Plan::new(TIME, 9, 12, map(height, width));
            let grouped = Plan {
                groups: 2,
                depthwise_hidden: true,
                output_bottleneck: true,
                ..plan.clone()
            };
            [plan, grouped]
        })
}

/// The outputs of `xs`, `time` steps a call, and the last state.
fn run(
    plan: &Plan,
    team: Team,
    packed: &Packed,
    xs: &[f32],
    start: &[f32],
    time: usize,
) -> (Vec<f32>, State) {
    let plan = Plan {
        time,
        ..plan.clone()
    };
    let mut state = State::new(&plan, team, start, start);
    let mut scratch = Scratch::new(&plan, team, &Arc::new(Memory::default()));
    let mut outputs = Vec::new();
    for xs in xs.chunks_exact(time * plan.frame()) {
        forward::run(
            &plan,
            packed,
            team,
            xs,
            &mut state,
            &mut outputs,
            &mut scratch,
        );
    }
    (outputs, state)
}

#[test]
fn a_sequence_has_the_bits_of_its_steps_on_any_number_of_threads() {
    let mut random = Random(17);
    for plan in plans() {
        let (groups, m, taps) = (plan.groups, plan.group(), plan.taps());
        let over_hidden = if plan.depthwise_hidden { m } else { 0 };
        let owned: Weights<Vec<f32>> = Weights {
            depthwise: random.values(groups * (plan.input + over_hidden) * taps),
            depthwise_bias: None,
            bottleneck: random.values(plan.hidden * (plan.input + m)),
            bottleneck_bias: random.values(plan.hidden),
            bottleneck_depthwise: random.values(plan.hidden * taps),
            gates: random.values(4 * plan.hidden * m),
            gates_bias: None,
            peepholes: None,
        };
        let weights = Weights {
            depthwise: &owned.depthwise[..],
            depthwise_bias: None,
            bottleneck: &owned.bottleneck,
            bottleneck_bias: &owned.bottleneck_bias,
            bottleneck_depthwise: &owned.bottleneck_depthwise,
            gates: &owned.gates,
            gates_bias: None,
            peepholes: None,
        };
        let (xs, start) = (
            random.values(TIME * plan.frame()),
            random.values(plan.state()),
        );
        let mut by_one = None;
        for team in teams() {
            let packed = Packed::new(&plan, &weights, 1.0, team.instructions);
            let (whole, last) = run(&plan, team, &packed, &xs, &start, TIME);
            let (steps, last_of_steps) = run(&plan, team, &packed, &xs, &start, 1);
            assert!(whole.iter().all(|value| value.is_finite()));
            let to_bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(to_bits(&whole), to_bits(&steps), "{plan:?}, {team:?}");
            if team.threads == 1 {
                by_one = Some(to_bits(&whole));
            }
            assert_eq!(
                Some(to_bits(&whole)),
                by_one,
                "{team:?} shares out differently"
            );
            assert_eq!(bits(last.cell()), bits(last_of_steps.cell()));
            assert_eq!(bits(last.hidden()), bits(last_of_steps.hidden()));
        }
    }
}
