//! Depthwise convolutions, forward and backward.

use std::ops::Range;

use super::{Random, Sum, at, bits, teams, to_octets};
use crate::convolve::{Convolve, ConvolveInput, DepthwiseBackward};
use crate::depthwise::{Map, pack, turn, unpack};
use crate::instructions::Instructions;
use crate::lanes::{LANES, Octet};
use crate::octets::octets;
use crate::planes::{planes, stretch};

/// Maps of a few sizes, some smaller than the kernel, with every kernel that is compiled.
fn maps() -> impl Iterator<Item = Map> {
    let sizes = [
        (1, 1),
        (1, 2),
        (2, 1),
        (1, 9),
        (13, 1),
        (2, 3),
        (3, 3),
        (4, 7),
        (7, 4),
        (5, 8),
        (6, 17),
    ];
    sizes.into_iter().flat_map(|(height, width)| {
        [1, 3, 5].map(|kernel| Map {
            height,
            width,
            kernel,
        })
    })
}

/// Calls `each` with every position of the input, and the tap of the kernel, that a position of
/// the output looks at.
fn neighbours(map: Map, position: usize, mut each: impl FnMut(usize, usize)) {
    let reach = map.kernel / 2;
    let (y, x) = (position / map.width, position % map.width);
    for row in 0..map.kernel {
        for column in 0..map.kernel {
            let (y, x) = (y + row, x + column);
            let within =
                (reach..map.height + reach).contains(&y) && (reach..map.width + reach).contains(&x);
            if within {
                let from = (y - reach) * map.width + x - reach;
                each(from, row * map.kernel + column);
            }
        }
    }
}

/// A value of the convolution of `x`, `[channels, area]`, with `kernels`, `[channels, k * k]`.
fn convolved(map: Map, x: &[f32], kernels: &[f32], channel: usize, position: usize) -> Sum {
    let mut sum = Sum::default();
    let taps = map.kernel * map.kernel;
    neighbours(map, position, |from, tap| {
        sum.add(
            x[channel * map.area() + from],
            kernels[channel * taps + tap],
        );
    });
    sum
}

/// The whole map, and a part of its rows.
fn rows(map: Map) -> [Range<usize>; 3] {
    let middle = map.height / 2;
    [
        0..map.height,
        middle..map.height,
        middle..(middle + 1).min(map.height),
    ]
}

#[test]
fn planes_are_convolved() {
    let mut random = Random(11);
    for map in maps() {
        for channels in [1, 8, 17] {
            let (area, taps) = (map.area(), map.kernel * map.kernel);
            let x = random.values(channels * area);
            let kernels = random.values(channels * taps);
            let bias = random.values(channels);
            for rows in rows(map) {
                let (plane, first) = (area + 5, 2);
                let before = random.octets(octets(channels) * plane);
                let mut by_one = None;
                for team in teams() {
                    let mut out = before.clone();
                    team.run(Convolve {
                        map,
                        x: &to_octets(&x, area),
                        kernels: &pack(&kernels, map.kernel),
                        bias: &to_octets(&bias, 1),
                        rows: rows.clone(),
                        out: stretch(
                            &mut planes(&mut out, plane),
                            first..first + rows.len() * map.width,
                        ),
                    });
                    if team.threads == 1 {
                        by_one = Some(bits(&out));
                    }
                    assert_eq!(Some(bits(&out)), by_one, "{team:?} shares out differently");
                    for (channel, bias) in bias.iter().enumerate() {
                        for place in 0..plane {
                            let found = at(&out, plane, channel, place);
                            let position = place.wrapping_sub(first);
                            if position >= rows.len() * map.width {
                                assert_eq!(found, at(&before, plane, channel, place));
                                continue;
                            }
                            let position = rows.start * map.width + position;
                            let mut sum = convolved(map, &x, &kernels, channel, position);
                            sum.add(*bias, 1.0);
                            sum.check(found);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn the_input_is_convolved_for_each_group() {
    let mut random = Random(12);
    for map in maps() {
        for (channels, groups) in [(1, 1), (9, 1), (17, 3), (8, 2)] {
            let (area, taps, octets) = (map.area(), map.kernel * map.kernel, octets(channels));
            let frames = 1 + random.bits() as usize % 3;
            let xs = random.values(frames * channels * area);
            let kernels = (0..groups).map(|_| random.values(channels * taps));
            let kernels = kernels.collect::<Vec<_>>();
            let bias = random.values(channels);
            let mut packed = vec![Octet::ZERO; octets * groups * taps];
            for (group, kernels) in kernels.iter().enumerate() {
                for (octet, kernel) in pack(kernels, map.kernel).chunks_exact(taps).enumerate() {
                    packed[(octet * groups + group) * taps..][..taps].copy_from_slice(kernel);
                }
            }
            for rows in rows(map) {
                let positions = rows.len() * map.width;
                let reach = map.reach(&rows).len() * map.width;
                for instructions in Instructions::available() {
                    let mut gathered = random.octets(reach);
                    let plane = frames * positions;
                    // All octets, but for the first where there are several.
                    let first = usize::from(octets > 1);
                    let mut out = random.octets((octets - first) * groups * plane);
                    instructions.run(ConvolveInput {
                        map,
                        groups,
                        xs: &xs,
                        frames,
                        octets: first..octets,
                        kernels: &packed,
                        bias: &to_octets(&bias, 1),
                        rows: rows.clone(),
                        gathered: &mut gathered,
                        out: &mut out,
                    });
                    for (group, kernels) in kernels.iter().enumerate() {
                        for (channel, bias) in bias.iter().enumerate().skip(first * LANES) {
                            let to = (channel / LANES - first) * groups + group;
                            for (frame, x) in xs.chunks_exact(channels * area).enumerate() {
                                for position in 0..positions {
                                    let from = rows.start * map.width + position;
                                    let mut sum = convolved(map, x, kernels, channel, from);
                                    sum.add(*bias, 1.0);
                                    let at = to * plane + frame * positions + position;
                                    sum.check(out[at].0[channel % LANES]);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn gradients_flow_to_kernels_bias_and_input() {
    let mut random = Random(13);
    for map in maps() {
        for (channels, biased, wanted, adds) in [
            (1, true, true, false),
            (9, false, true, true),
            (17, true, true, true),
            (17, true, false, false),
        ] {
            let (area, taps) = (map.area(), map.kernel * map.kernel);
            let (x, d_out) = (
                random.values(channels * area),
                random.values(channels * area),
            );
            let kernels = random.values(channels * taps);
            let packed = pack(&kernels, map.kernel);
            let before = [
                random.octets(packed.len()),
                random.octets(if biased { octets(channels) } else { 0 }),
                random.octets(if wanted { octets(channels) * area } else { 0 }),
            ];
            let mut by_one = None;
            for team in teams() {
                let [mut d_kernels, mut bias, mut gradient] = before.clone();
                team.run(DepthwiseBackward {
                    map,
                    x: &to_octets(&x, area),
                    out: &to_octets(&d_out, area),
                    turned: &turn(&packed, taps),
                    kernels: &mut d_kernels,
                    bias: &mut bias,
                    gradient: &mut gradient,
                    adds,
                });
                let all = [bits(&d_kernels), bits(&bias), bits(&gradient)];
                if team.threads == 1 {
                    by_one = Some(all.clone());
                }
                assert_eq!(Some(all), by_one, "{team:?} shares out differently");

                for channel in 0..channels {
                    let d_out = &d_out[channel * area..][..area];
                    let x = &x[channel * area..][..area];
                    let mut of_kernel = vec![Sum::default(); taps];
                    let mut of_input = vec![Sum::default(); area];
                    let mut of_bias = Sum::default();
                    for (position, &d_out) in d_out.iter().enumerate() {
                        of_bias.add(d_out, 1.0);
                        neighbours(map, position, |from, tap| {
                            of_kernel[tap].add(d_out, x[from]);
                            of_input[from].add(d_out, kernels[channel * taps + tap]);
                        });
                    }
                    let (octet, lane) = (channel / LANES, channel % LANES);
                    for (tap, mut sum) in of_kernel.into_iter().enumerate() {
                        sum.add(before[0][octet * taps + tap].0[lane], 1.0);
                        sum.check(d_kernels[octet * taps + tap].0[lane]);
                    }
                    if biased {
                        of_bias.add(before[1][octet].0[lane], 1.0);
                        of_bias.check(bias[octet].0[lane]);
                    }
                    for (position, mut sum) in of_input.into_iter().enumerate() {
                        if !wanted {
                            break;
                        }
                        if adds {
                            sum.add(at(&before[2], area, channel, position), 1.0);
                        }
                        sum.check(at(&gradient, area, channel, position));
                    }
                }
            }
        }
    }
}

#[test]
fn packed_kernels_come_back() {
    let mut random = Random(14);
    for kernel in [1, 3, 5] {
        for channels in [1, 7, 8, 9, 17] {
            let kernels = random.values(channels * kernel * kernel);
            let mut back = vec![0.0; kernels.len()];
            unpack(&pack(&kernels, kernel), &mut back, kernel);
            assert_eq!(back, kernels);
        }
    }
}
