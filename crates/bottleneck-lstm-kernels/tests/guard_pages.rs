//! Both directions on slices that lie against a page that must not be touched: a read or a write
//! beyond an end kills the process.
#![cfg(unix)]

use std::sync::Arc;

use bottleneck_lstm_kernels::backward::{Backward, Video};
use bottleneck_lstm_kernels::forward::{self, Scratch, State};
use bottleneck_lstm_kernels::{
    Activation, Instructions, Map, Memory, Packed, Plan, Sums, Team, Transposed, Weights,
};

/// Values between two guard pages, against one of them.
struct Guarded {
    pages: *mut libc::c_void,
    bytes: usize,
    values: *mut f32,
    len: usize,
}

#[derive(Debug, Clone, Copy)]
enum Against {
    Front,
    Back,
}

impl Guarded {
    fn new(values: &[f32], against: Against) -> Self {
        // SAFETY: asks for a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page = usize::try_from(page).expect("a page has a size");
        let size = size_of_val(values);
        let inner = size.div_ceil(page) * page;
        let bytes = inner + 2 * page;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: new memory at no particular place, of no file.
        let pages =
            unsafe { libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0) };
        assert_ne!(pages, libc::MAP_FAILED, "no memory");
        let offset = match against {
            Against::Front => page,
            Against::Back => page + inner - size,
        };
        // SAFETY: `page` and `offset`, a multiple of 4, lie within the mapping, of which the pages
        // from `page` on for `inner` bytes become accessible; nothing else knows of it.
        let place = unsafe {
            let begin = pages.byte_add(page);
            let access = libc::PROT_READ | libc::PROT_WRITE;
            assert_eq!(libc::mprotect(begin, inner, access), 0);
            let place = pages.byte_add(offset).cast::<f32>();
            place.copy_from_nonoverlapping(values.as_ptr(), values.len());
            place
        };
        Self {
            pages,
            bytes,
            values: place,
            len: values.len(),
        }
    }

    fn slice(&self) -> &[f32] {
        // SAFETY: `len` values were written there, and live as long as the mapping, as `self`.
        unsafe { std::slice::from_raw_parts(self.values, self.len) }
    }

    fn slice_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `slice`, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.values, self.len) }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping is this one's own, and no slice of it is left.
        unsafe { libc::munmap(self.pages, self.bytes) };
    }
}

/// A part of a call's values, spread evenly from -0.5 to 0.5.
fn values(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.37).sin() / 2.0).collect()
}

/// The cell of the public PyTorch code, and a grouped one with all that a variant may have.
fn plans(input: usize, group: usize, map: Map) -> [Plan; 2] {
    let plain = Plan::new(2, input, group, map);
    let grouped = Plan {
        hidden: 2 * group,
        groups: 2,
        depthwise_hidden: true,
        pinned: true,
        activation: Activation::Relu6,
        bottleneck_activation: Activation::Relu6,
        scale: true,
        carry_activated: true,
        output_bottleneck: true,
        ..plain.clone()
    };
    [plain, grouped]
}

/// Everything that a call reads.
fn inputs(plan: &Plan) -> Call<Vec<f32>> {
    let (taps, hidden, m) = (plan.taps(), plan.hidden, plan.group());
    let columns = plan.input + plan.over_hidden();
    let peephole = || values(hidden * if plan.pinned { plan.area() } else { 1 });
    Call {
        weights: Weights {
            depthwise: values(plan.groups * columns * taps),
            depthwise_bias: Some(values(plan.input)),
            bottleneck: values(hidden * (plan.input + m)),
            bottleneck_bias: values(hidden),
            bottleneck_depthwise: values(hidden * taps),
            gates: values(4 * hidden * m),
            gates_bias: Some(values(4 * hidden)),
            peepholes: plan.pinned.then(|| [(); 3].map(|()| peephole())),
        },
        xs: values(plan.time * plan.frame()),
        cell: values(plan.state()),
        hidden: values(plan.state()),
        gradient: values(plan.time * plan.area() * plan.output()),
    }
}

struct Call<T> {
    weights: Weights<T>,
    xs: T,
    cell: T,
    hidden: T,
    /// Of the outputs.
    gradient: T,
}

impl<T> Call<T> {
    fn map<'a, U>(&'a self, f: impl Fn(&'a T) -> U) -> Call<U> {
        let weights = &self.weights;
        Call {
            weights: Weights {
                depthwise: f(&weights.depthwise),
                depthwise_bias: weights.depthwise_bias.as_ref().map(&f),
                bottleneck: f(&weights.bottleneck),
                bottleneck_bias: f(&weights.bottleneck_bias),
                bottleneck_depthwise: f(&weights.bottleneck_depthwise),
                gates: f(&weights.gates),
                gates_bias: weights.gates_bias.as_ref().map(&f),
                peepholes: weights.peepholes.as_ref().map(|all| all.each_ref().map(&f)),
            },
            xs: f(&self.xs),
            cell: f(&self.cell),
            hidden: f(&self.hidden),
            gradient: f(&self.gradient),
        }
    }
}

/// Runs `call` forward, with and without a tape, and backward. Writes what it yields to `outputs`
/// and the input's gradient to `d_xs`; returns the gradient of the pointwise weights.
fn run(
    plan: &Plan,
    team: Team,
    call: &Call<&[f32]>,
    outputs: &mut [f32],
    d_xs: &mut [f32],
) -> [Vec<f32>; 2] {
    let memory = Arc::new(Memory::default());
    let packed = Packed::new(plan, &call.weights, 1.0, team.instructions);
    let start = || State::new(plan, team, call.cell, call.hidden);
    let mut scratch = Scratch::new(plan, team, &memory);
    forward::run(
        plan,
        &packed,
        team,
        call.xs,
        &mut start(),
        outputs,
        &mut scratch,
    );
    let plain = outputs.to_vec();
    let tape = forward::run_taped(plan, &packed, team, &memory, call.xs, &mut start(), outputs);
    assert_eq!(outputs, plain);

    let mut last_cell = memory.take(plan.state_octets());
    plan.gather(team, call.cell, &mut last_cell);
    let video = Video {
        tape,
        xs: call.xs,
        outputs: call.gradient,
        last_cell,
        gradient: d_xs,
    };
    let transposed = Transposed::new(plan, &call.weights);
    let mut sums = Sums::zeros(plan, packed.has_peepholes());
    Backward::new(plan, &packed, transposed, &memory).run(plan, team, video, true, &mut sums);
    let sums = sums.unpack(plan);
    [sums.bottleneck, sums.gates]
}

#[test]
fn calls_stay_within_their_slices() {
    for (input, group, kernel, [height, width]) in [
        (1, 2, 3, [1, 1]),
        (3, 2, 5, [1, 7]),
        (7, 6, 5, [9, 1]),
        (8, 8, 3, [3, 5]),
        (9, 10, 3, [5, 3]),
        (15, 16, 5, [2, 4]),
        (17, 18, 1, [7, 11]),
        (33, 34, 3, [31, 17]),
    ] {
        let map = Map {
            height,
            width,
            kernel,
        };
        for plan in plans(input, group, map) {
            let call = inputs(&plan);
            for instructions in Instructions::available() {
                for threads in [1, 3] {
                    let team = Team {
                        instructions,
                        threads,
                    };
                    let mut expected = vec![0.0; call.gradient.len()];
                    let mut expected_d_xs = vec![0.0; call.xs.len()];
                    let slices = call.map(Vec::as_slice);
                    let weights = run(&plan, team, &slices, &mut expected, &mut expected_d_xs);
                    for against in [Against::Front, Against::Back] {
                        let call = call.map(|values| Guarded::new(values, against));
                        let slices = call.map(Guarded::slice);
                        let blank = |like: &[f32]| vec![f32::NAN; like.len()];
                        let mut outputs = Guarded::new(&blank(&expected), against);
                        let mut d_xs = Guarded::new(&blank(&expected_d_xs), against);
                        let (to, d_to) = (outputs.slice_mut(), d_xs.slice_mut());
                        assert_eq!(run(&plan, team, &slices, to, d_to), weights, "{against:?}");
                        assert_eq!(outputs.slice(), expected, "{against:?}");
                        assert_eq!(d_xs.slice(), expected_d_xs, "{against:?}");
                    }
                }
            }
        }
    }
}
