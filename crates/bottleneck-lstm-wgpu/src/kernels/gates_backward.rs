//! The gates and the new state, backward.

use cubecl::prelude::*;

use super::Place;
use super::activation::{activate, differentiate};
use super::gates::{GateSizes, peephole};
use super::scale::UNITS;

/// Where the gradients of one step come from and go to, in vectors.
#[derive(CubeLaunch, CubeType, Clone, Copy)]
pub struct Backward {
    /// The old cell state, among the states.
    pub old: usize,
    /// The gradient of the last cell state, behind that of the outputs.
    pub last: usize,
    /// The gates' gradients, `[frames, 4 * hidden, area]`.
    pub gates: usize,
}

/// From the gradients of the new state, those of the gates before their activation and of the old cell
/// state, one thread a vector of values.
///
/// `upper` goes from the hidden state to the new cell state, and `lower` on from there; between the two,
/// [`scale_backward`] has its turn. The gradient of the cell state is that of the last one, behind the
/// outputs', if `d_hidden` is none, as it is in the last step; else it is `d_cell`, where the old one's goes.
#[cube(launch_unchecked)]
pub fn gates_backward<F: Float, N: Size>(
    d_outputs: &Array<Vector<F, N>>,
    d_hidden: &ComptimeOption<Array<Vector<F, N>>>,
    tape: &Array<Vector<F, N>>,
    cells: &Array<Vector<F, N>>,
    peephole_input: &ComptimeOption<Array<F>>,
    peephole_forget: &ComptimeOption<Array<F>>,
    peephole_output: &ComptimeOption<Array<F>>,
    d_cell: &mut Array<Vector<F, N>>,
    d_gates: &mut Array<Vector<F, N>>,
    count: usize,
    outputs_place: Place,
    tape_place: Place,
    places: Backward,
    #[comptime] sizes: GateSizes,
    #[comptime] upper: bool,
    #[comptime] lower: bool,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let at = ABSOLUTE_POS;
    let area = comptime!(sizes.area);
    let m = comptime!(sizes.channels);
    let pinned = comptime!(sizes.pinned);
    let position = at % area;
    let channel = at / area % comptime!(sizes.hidden());
    let frame = at / comptime!(sizes.area * sizes.hidden());
    let row = channel / m * comptime!(4 * sizes.channels) + channel % m;
    let to = places.gates + (frame * comptime!(4 * sizes.hidden()) + row) * area + position;
    let one = Vector::<F, N>::new(F::new(1.0));
    let from = tape_place.first + at;

    if comptime!(upper) {
        let cell = tape[from + 4 * tape_place.frame];
        let output = tape[from + 3 * tape_place.frame];
        let outputs = outputs_place.first + frame * outputs_place.frame;
        let mut hidden = d_outputs[outputs + channel * area + position];
        #[comptime]
        let carried = match d_hidden {
            ComptimeOption::Some(d_hidden) => {
                hidden += d_hidden[at];
                d_cell[at]
            }
            ComptimeOption::None => d_outputs[places.last + at],
        };
        let activated = activate::<F, N>(cell, sizes.activation);
        let d_output = hidden * activated * output * (one - output);
        d_gates[to + comptime!(3 * m * area)] = d_output;
        let mut d_activated = hidden * output;
        if comptime!(sizes.carry_activated) {
            d_activated += carried;
        }
        let mut raw = differentiate::<F, N>(activated, d_activated, sizes.activation);
        if comptime!(!sizes.carry_activated) {
            raw += carried;
        }
        raw += peephole::<F, N>(peephole_output, channel, position, d_output, area, pinned);
        if comptime!(sizes.clip.is_some()) {
            let bound = comptime!(f32::from_bits(sizes.clip.unwrap()));
            let inside = cell.abs().less_than(Vector::<F, N>::new(F::new(bound)));
            raw = select_many(inside, raw, Vector::<F, N>::new(F::new(0.0)));
        }
        d_cell[at] = raw;
    }
    if comptime!(lower) {
        let raw = d_cell[at];
        let old = cells[places.old + at];
        let input = tape[from];
        let forget = tape[from + tape_place.frame];
        let candidate = tape[from + 2 * tape_place.frame];
        let d_input = raw * candidate * input * (one - input);
        let d_forget = raw * old * forget * (one - forget);
        d_gates[to] = d_input;
        d_gates[to + comptime!(m * area)] = d_forget;
        d_gates[to + comptime!(2 * m * area)] =
            differentiate::<F, N>(candidate, raw * input, sizes.activation);
        d_cell[at] = raw * forget
            + peephole::<F, N>(peephole_input, channel, position, d_input, area, pinned)
            + peephole::<F, N>(peephole_forget, channel, position, d_forget, area, pinned);
    }
}

/// From the gradient of a group's scaled cell state to that of the unscaled one: the divisor depends on the
/// maximum. One cube a group of a frame; a vector is one value.
#[cube(launch_unchecked)]
pub fn scale_backward<F: Float, N: Size>(
    tape: &Array<Vector<F, N>>,
    divisors: &Array<F>,
    d_cell: &mut Array<Vector<F, N>>,
    count: usize,
    divisors_first: usize,
    tape_place: Place,
    #[comptime] sizes: GateSizes,
) {
    if CUBE_POS >= count {
        terminate!();
    }
    let size = comptime!(sizes.area * sizes.channels);
    let first = CUBE_POS * size;
    let unit = UNIT_POS as usize;
    let divisor = divisors[divisors_first + CUBE_POS];
    let cells = tape_place.first + 4 * tape_place.frame + first;

    // Of each thread: the sum of gradient times cell state, and where the largest cell state is.
    let mut sums = SharedMemory::<F>::new(UNITS);
    let mut largest = SharedMemory::<F>::new(UNITS);
    let mut places = SharedMemory::<u32>::new(UNITS);
    let mut sum = F::new(0.0);
    let mut own = F::min_value();
    let mut place = 0u32;
    let mut at = unit;
    while at < size {
        let cell = tape[cells + at][0];
        let gradient = d_cell[first + at];
        sum += gradient[0] * cell;
        if cell > own {
            own = cell;
            place = at as u32;
        }
        if divisor > F::new(1.0) {
            d_cell[first + at] = gradient / Vector::<F, N>::new(divisor);
        }
        at += UNITS;
    }
    sums[unit] = sum;
    largest[unit] = own;
    places[unit] = place;
    sync_cube();
    if divisor > F::new(1.0) {
        let mut sum = F::new(0.0);
        let mut all = F::min_value();
        let mut place = 0u32;
        for i in 0..UNITS {
            sum += sums[i];
            let first_of_equals = largest[i] == all && places[i] < place;
            if largest[i] > all || first_of_equals {
                all = largest[i];
                place = places[i];
            }
        }
        // c = raw / d, so the divisor's gradient is -sum(dc * c) / d, a sixth of it the maximum's. Only the
        // thread that wrote there sees what it wrote.
        if place as usize % UNITS == unit {
            let at = first + place as usize;
            d_cell[at] -= Vector::<F, N>::new(sum / divisor / F::new(6.0));
        }
    }
}
