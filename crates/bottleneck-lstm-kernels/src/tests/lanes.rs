//! The operations of an instruction set, value by value.

use crate::instructions::Instructions;
use crate::lanes::{Kernel, LANES, Lanes, Octet, Vectors};

/// Three vectors of two octets, whose values may be NaN, into what each operation makes of them:
/// two octets at a time, and one by one.
struct Operations {
    a: [Octet; 2],
    b: [Octet; 2],
    c: [Octet; 2],
}

impl Kernel for Operations {
    type Output = [[[Octet; 2]; 9]; 2];

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Self::Output {
        let together = operations(l.two(), &self.a, &self.b, &self.c);
        let [left, right] = [0, 1].map(|i| operations(l.one(), &self.a[i], &self.b[i], &self.c[i]));
        [together, std::array::from_fn(|i| [left[i], right[i]])]
    }
}

#[inline(always)]
fn operations<A: Vectors>(v: A, a: &A::Octets, b: &A::Octets, c: &A::Octets) -> [A::Octets; 9] {
    let (a, b, c) = (v.load(a), v.load(b), v.load(c));
    [
        v.store(v.add(a, b)),
        v.store(v.sub(a, b)),
        v.store(v.mul(a, b)),
        v.store(v.div(a, b)),
        v.store(v.at_least(a, b)),
        v.store(v.at_most(a, b)),
        v.store(v.where_less(a, b, c)),
        v.store(v.unless_less(a, b, c)),
        v.store(v.abs(a)),
    ]
}

fn plain(a: f32, b: f32, c: f32) -> [f32; 9] {
    [
        a + b,
        a - b,
        a * b,
        a / b,
        if a < b { b } else { a },
        if a > b { b } else { a },
        if a < b { c } else { 0.0 },
        if a < b { 0.0 } else { c },
        a.abs(),
    ]
}

const VALUES: [f32; 12] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    1.5e-42,
    -3.25,
    6.0,
    3.0e38,
    -3.0e38,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];

#[test]
fn operations_are_those_of_a_plain_loop() {
    for instructions in Instructions::available() {
        for a in VALUES {
            for b in VALUES {
                for c in VALUES {
                    // A lane of its own among others, so that none is mistaken for another.
                    for lane in 0..2 * LANES {
                        let place = |values: &mut [Octet; 2], value| {
                            values[lane / LANES].0[lane % LANES] = value;
                        };
                        let mut operations = Operations {
                            a: [Octet([7.0; LANES]); 2],
                            b: [Octet([0.5; LANES]); 2],
                            c: [Octet([-2.0; LANES]); 2],
                        };
                        place(&mut operations.a, a);
                        place(&mut operations.b, b);
                        place(&mut operations.c, c);
                        for found in instructions.run(operations) {
                            let found = found.map(|values| values[lane / LANES].0[lane % LANES]);
                            for (found, expected) in found.into_iter().zip(plain(a, b, c)) {
                                assert!(
                                    found == expected || (found.is_nan() && expected.is_nan()),
                                    "{instructions:?} of {a}, {b}, {c}: {found}, not {expected}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}

struct MulAdd([[Octet; 2]; 3]);

impl Kernel for MulAdd {
    type Output = [[Octet; 2]; 2];

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Self::Output {
        let [a, b, c] = &self.0;
        let (one, two) = (l.one(), l.two());
        let single =
            |i: usize| one.store(one.mul_add(one.load(&a[i]), one.load(&b[i]), one.load(&c[i])));
        [
            two.store(two.mul_add(two.load(a), two.load(b), two.load(c))),
            [single(0), single(1)],
        ]
    }
}

#[test]
fn multiply_and_add_rounds_once_or_twice() {
    let mut random = super::Random(1);
    for instructions in Instructions::available() {
        for _ in 0..1_000 {
            let values = [(); 3].map(|()| [(); 2].map(|()| random.octets(1)[0]));
            let [a, b, c] = values.map(|octets| octets.map(|octet| octet.0));
            for found in instructions.run(MulAdd(values)) {
                for (i, found) in found.iter().enumerate() {
                    for lane in 0..LANES {
                        let (a, b, c) = (a[i][lane], b[i][lane], c[i][lane]);
                        let expected = match instructions {
                            Instructions::Avx512 | Instructions::Avx2 => a.mul_add(b, c),
                            Instructions::Portable => a * b + c,
                        };
                        assert_eq!(found.0[lane], expected, "{instructions:?}");
                    }
                }
            }
        }
    }
}

struct PowerOfTwo(f32);

impl Kernel for PowerOfTwo {
    type Output = [Octet; 3];

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Self::Output {
        let [left, right] = power_of_two(l.two(), self.0);
        [left, right, power_of_two(l.one(), self.0)]
    }
}

#[inline(always)]
fn power_of_two<A: Vectors>(v: A, n: f32) -> A::Octets {
    v.store(v.power_of_two(v.add(v.splat(n), v.splat(12_582_912.0))))
}

#[test]
fn powers_of_two_are_exact() {
    for instructions in Instructions::available() {
        for n in -126..=127 {
            let found = instructions.run(PowerOfTwo(n as f32));
            assert_eq!(
                found,
                [Octet([2_f32.powi(n); LANES]); 3],
                "{instructions:?}, {n}"
            );
        }
    }
}

/// Octets of two vectors: joined, taken apart and exchanged; one in both places; the first lanes.
struct Places([Octet; 2], usize);

impl Kernel for Places {
    type Output = [[Octet; 2]; 3];

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Self::Output {
        let Self([left, right], count) = self;
        let (one, two) = (l.one(), l.two());
        let joined = l.join([one.load(&left), one.load(&right)]);
        let [first, second] = l.halves(two.load(&[left, right]));
        let exchanged = l.join([second, first]);
        let repeated = two.first(count, two.repeat(&left));
        [two.store(joined), two.store(exchanged), two.store(repeated)]
    }
}

#[test]
fn octets_are_joined_and_taken_apart() {
    let mut random = super::Random(2);
    let [left, right] = [(); 2].map(|()| random.octets(1)[0]);
    for instructions in Instructions::available() {
        for count in 0..=LANES {
            let mut first = left;
            first.0[count..].fill(0.0);
            assert_eq!(
                instructions.run(Places([left, right], count)),
                [[left, right], [right, left], [first; 2]],
                "{instructions:?}"
            );
        }
    }
}

struct Transpose([[f32; LANES]; LANES]);

impl Kernel for Transpose {
    type Output = [[f32; LANES]; LANES];

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Self::Output {
        let one = l.one();
        let mut rows = [one.splat(0.0); LANES];
        for (row, values) in rows.iter_mut().zip(&self.0) {
            *row = one.load(&Octet(*values));
        }
        let mut columns = [[0.0; LANES]; LANES];
        for (column, values) in columns.iter_mut().zip(l.transpose(rows)) {
            *column = one.store(values).0;
        }
        columns
    }
}

#[test]
fn rows_become_columns() {
    let rows: [[f32; LANES]; LANES] =
        std::array::from_fn(|row| std::array::from_fn(|column| (10 * row + column) as f32));
    for instructions in Instructions::available() {
        let columns = instructions.run(Transpose(rows));
        for (row, values) in rows.iter().enumerate() {
            for (column, value) in values.iter().enumerate() {
                assert_eq!(columns[column][row], *value, "{instructions:?}");
            }
        }
    }
}
