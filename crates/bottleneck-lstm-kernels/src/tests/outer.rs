//! The gradient of a pointwise convolution's weights.

use super::{Random, Sum, at, bits, teams};
use crate::lanes::LANES;
use crate::outer::{Frames, Outer};

/// `[outputs, inputs]` octets, `frames` of `positions`, in planes with positions after them.
fn check(random: &mut Random, outputs: usize, inputs: usize, frames: usize, positions: usize) {
    let plane = positions + 2;
    // Frames that lie further apart than what is meant of them.
    let strides = [outputs * plane + 3, inputs * plane + 1];
    let planes = strides.map(|stride| random.octets(frames * stride));
    let before = random.octets(outputs * LANES * inputs);
    let mut by_one = None;
    for team in teams() {
        let mut sums = before.clone();
        let operand = |index: usize| Frames {
            octets: &planes[index],
            frame: strides[index],
            plane,
        };
        team.run(Outer {
            outputs: operand(0),
            inputs: operand(1),
            depth: inputs,
            frames,
            positions,
            sums: &mut sums,
        });
        if team.threads == 1 {
            by_one = Some(bits(&sums));
        }
        assert_eq!(Some(bits(&sums)), by_one, "{team:?} shares out differently");
        for output in 0..outputs * LANES {
            for input in 0..inputs * LANES {
                let mut sum = Sum::default();
                let place = output * inputs + input / LANES;
                sum.add(before[place].0[input % LANES], 1.0);
                for frame in 0..frames {
                    for position in 0..positions {
                        let [a, b] = [0, 1].map(|index| &planes[index][frame * strides[index]..]);
                        sum.add(
                            at(a, plane, output, position),
                            at(b, plane, input, position),
                        );
                    }
                }
                sum.check(sums[place].0[input % LANES]);
            }
        }
    }
}

#[test]
fn planes_need_not_fill_tiles() {
    let mut random = Random(9);
    for outputs in [1, 2, 3] {
        for inputs in [1, 2, 3, 5] {
            check(&mut random, outputs, inputs, 2, 7);
        }
    }
}

/// Several frames at a time, one at a time, and one in stretches.
#[test]
fn frames_may_have_any_size() {
    let mut random = Random(10);
    for positions in [1, 2, 15, 17, 127, 129, 255, 256, 257, 600] {
        for frames in [1, 2, 3, 7] {
            check(&mut random, 1, 2, frames, positions);
        }
    }
    check(&mut random, 2, 1, 300, 1);
}
