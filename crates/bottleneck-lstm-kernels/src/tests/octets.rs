//! Channels first to octets and back.

use super::{Random, to_octets};
use crate::instructions::Instructions;
use crate::lanes::{Kernel, LANES, Lanes, Octet};
use crate::octets::{Gather, Scatter, gather, octets, scatter};
use crate::pack::part;
use crate::planes::{group, planes, stretch};
use crate::product::Input;

const AREAS: [usize; 9] = [1, 2, 7, 8, 9, 15, 16, 17, 31];
const CHANNELS: [usize; 8] = [1, 3, 7, 8, 9, 15, 17, 24];

#[test]
fn octets_hold_eight_channels_of_a_position() {
    let mut random = Random(1);
    for instructions in Instructions::available() {
        for area in AREAS {
            for m in CHANNELS {
                for groups in [1, 3] {
                    let from = random.values(groups * m * area);
                    let mut expected = Vec::new();
                    for group in from.chunks_exact(m * area) {
                        expected.extend(to_octets(group, area));
                    }
                    // Whatever was there before is gone.
                    let mut to = random.octets(groups * octets(m) * area);
                    instructions.run(Gather {
                        groups,
                        area,
                        from: &from,
                        to: &mut to,
                    });
                    assert_eq!(to, expected, "{instructions:?}, {groups} of {m}, {area}");

                    let mut back = vec![9.0; from.len()];
                    let mut channels = planes(&mut back, area);
                    for index in 0..groups {
                        instructions.run(Scatter {
                            from: Input {
                                octets: part(&to, groups, index),
                                plane: area,
                                first: 0,
                                depth: octets(m),
                            },
                            to: group(&mut channels, groups, index),
                        });
                    }
                    assert_eq!(back, from, "{instructions:?}, {groups} of {m}, {area}");
                }
            }
        }
    }
}

/// Part of the planes of some channels, there and back.
struct Part<'a> {
    from: &'a [f32],
    plane: usize,
    first: usize,
    octets: &'a mut [Octet],
    to: &'a mut [f32],
}

impl Kernel for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        gather(l, self.from, &[], self.plane, self.first, self.octets);
        let mut to = planes(self.to, self.plane);
        scatter(l, self.octets, stretch(&mut to, self.first..self.plane));
    }
}

#[test]
fn a_part_of_the_planes_can_be_meant() {
    let mut random = Random(2);
    for instructions in Instructions::available() {
        for channels in 1..=LANES {
            for plane in [1, 8, 9, 17, 30] {
                for first in [0, 1, plane / 2] {
                    let from = random.values(channels * plane);
                    let count = plane - first.min(plane);
                    let mut part = random.octets(count);
                    let mut to = vec![9.0; from.len()];
                    instructions.run(Part {
                        from: &from,
                        plane,
                        first,
                        octets: &mut part,
                        to: &mut to,
                    });
                    for (i, octet) in part.iter().enumerate() {
                        for lane in 0..LANES {
                            let value = from.get(lane * plane + first + i);
                            let expected = if lane < channels {
                                *value.unwrap()
                            } else {
                                0.0
                            };
                            assert_eq!(octet.0[lane], expected);
                        }
                    }
                    for (i, (found, value)) in to.iter().zip(&from).enumerate() {
                        let expected = if i % plane < first { 9.0 } else { *value };
                        assert_eq!(*found, expected, "outside of the part");
                    }
                }
            }
        }
    }
}
