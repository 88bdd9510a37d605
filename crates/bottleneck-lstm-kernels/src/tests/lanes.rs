//! The operations of an instruction set, value by value.

use crate::instructions::Instructions;
use crate::lanes::{Kernel, LANES, Lanes};

/// Three values, which may be NaN, into what each operation makes of them.
struct Operations {
    a: [f32; LANES],
    b: [f32; LANES],
    c: [f32; LANES],
}

impl Kernel for Operations {
    type Output = [[f32; LANES]; 9];

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Self::Output {
        let (a, b, c) = (l.load(&self.a), l.load(&self.b), l.load(&self.c));
        [
            l.store(l.add(a, b)),
            l.store(l.sub(a, b)),
            l.store(l.mul(a, b)),
            l.store(l.div(a, b)),
            l.store(l.at_least(a, b)),
            l.store(l.at_most(a, b)),
            l.store(l.where_less(a, b, c)),
            l.store(l.unless_less(a, b, c)),
            l.store(l.abs(a)),
        ]
    }
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
                    for lane in 0..LANES {
                        let mut operations = Operations {
                            a: [7.0; LANES],
                            b: [0.5; LANES],
                            c: [-2.0; LANES],
                        };
                        (operations.a[lane], operations.b[lane], operations.c[lane]) = (a, b, c);
                        let found = instructions.run(operations).map(|values| values[lane]);
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

struct MulAdd([[f32; LANES]; 3]);

impl Kernel for MulAdd {
    type Output = [f32; LANES];

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Self::Output {
        let [a, b, c] = self.0;
        l.store(l.mul_add(l.load(&a), l.load(&b), l.load(&c)))
    }
}

#[test]
fn multiply_and_add_rounds_once_or_twice() {
    let mut random = super::Random(1);
    for instructions in Instructions::available() {
        for _ in 0..1_000 {
            let values = [(); 3].map(|()| [(); LANES].map(|()| random.value()));
            let found = instructions.run(MulAdd(values));
            let [a, b, c] = values;
            for lane in 0..LANES {
                let expected = match instructions {
                    Instructions::Avx2 => a[lane].mul_add(b[lane], c[lane]),
                    Instructions::Portable => a[lane] * b[lane] + c[lane],
                };
                assert_eq!(found[lane], expected, "{instructions:?}");
            }
        }
    }
}

struct PowerOfTwo(f32);

impl Kernel for PowerOfTwo {
    type Output = [f32; LANES];

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Self::Output {
        l.store(l.power_of_two(l.add(l.splat(self.0), l.splat(12_582_912.0))))
    }
}

#[test]
fn powers_of_two_are_exact() {
    for instructions in Instructions::available() {
        for n in -126..=127 {
            let found = instructions.run(PowerOfTwo(n as f32));
            assert_eq!(found, [2_f32.powi(n); LANES], "{instructions:?}, {n}");
        }
    }
}

struct Transpose([[f32; LANES]; LANES]);

impl Kernel for Transpose {
    type Output = [[f32; LANES]; LANES];

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Self::Output {
        let mut rows = [l.splat(0.0); LANES];
        for (row, values) in rows.iter_mut().zip(&self.0) {
            *row = l.load(values);
        }
        let mut columns = [[0.0; LANES]; LANES];
        for (column, values) in columns.iter_mut().zip(l.transpose(rows)) {
            *column = l.store(values);
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
