//! The last part of a step whose cell state is scaled, which depends on the maximum of the whole map.

use cubecl::prelude::*;

use super::Place;
use super::activation::{activate, sigmoid};
use super::gates::{GateSizes, States, peephole};

/// Threads of a group of one frame.
pub const UNITS: usize = 64;

/// Divides the cell state of a group of a frame by `max(1, max / 6)`, and finishes what
/// [`gates`](super::gates::gates) left: one cube a group of a frame. Leaves a divisor each in `divisors`, if
/// there are any, `[frames, groups]`.
#[cube(launch_unchecked)]
pub fn scale<F: Float, N: Size>(
    peephole_output: &ComptimeOption<Array<F>>,
    state: &mut Array<Vector<F, N>>,
    out: &mut Array<Vector<F, N>>,
    tape: &mut ComptimeOption<Array<Vector<F, N>>>,
    divisors: &mut ComptimeOption<Array<F>>,
    count: usize,
    states: States,
    out_place: Place,
    tape_place: Place,
    divisors_first: usize,
    #[comptime] sizes: GateSizes,
) {
    if CUBE_POS >= count {
        terminate!();
    }
    let area = comptime!(sizes.area);
    let size = comptime!(sizes.area * sizes.channels);
    let group = CUBE_POS % comptime!(sizes.groups);
    let frame = CUBE_POS / comptime!(sizes.groups);
    let first = (frame * comptime!(sizes.groups) + group) * size;
    let unit = UNIT_POS as usize;

    let mut largest = SharedMemory::<F>::new(UNITS);
    let mut own = F::min_value();
    let mut at = unit;
    while at < size {
        let cell = state[states.new + first + at];
        #[unroll]
        for i in 0..cell.vector_size() {
            own = max(own, cell[i]);
        }
        at += UNITS;
    }
    largest[unit] = own;
    sync_cube();
    let mut all = F::min_value();
    for i in 0..UNITS {
        all = max(all, largest[i]);
    }
    let divisor = max(all / F::new(6.0), F::new(1.0));
    #[comptime]
    if let ComptimeOption::Some(divisors) = divisors {
        if unit == 0 {
            divisors[divisors_first + CUBE_POS] = divisor;
        }
    }
    let divisor = Vector::<F, N>::new(divisor);

    let mut at = unit;
    while at < size {
        let channel = group * comptime!(sizes.channels) + at / area;
        let position = at % area;
        let cell = state[states.new + first + at] / divisor;
        let pinned = comptime!(sizes.pinned);
        let output = state[states.hidden + first + at]
            + peephole::<F, N>(peephole_output, channel, position, cell, area, pinned);
        let activated = activate::<F, N>(cell, sizes.activation);
        let output = sigmoid::<F, N>(output);
        let new = output * activated;
        #[comptime]
        if let ComptimeOption::Some(tape) = tape {
            let at = tape_place.first + first + at;
            tape[at + 3 * tape_place.frame] = output;
            tape[at + 4 * tape_place.frame] = cell;
        }
        let mut carried = cell;
        if comptime!(sizes.carry_activated) {
            carried = activated;
        }
        state[states.new + first + at] = carried;
        if comptime!(sizes.yields_cell) {
            out[states.yielded + first + at] = carried;
        }
        state[states.hidden + first + at] = new;
        out[out_place.first + frame * out_place.frame + channel * area + position] = new;
        at += UNITS;
    }
}
