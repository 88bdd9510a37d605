//! Plain loops over eight values, on any machine.

use crate::lanes::{Kernel, LANES, Lanes, Octet, One, Pairs, Two, Vectors};

/// Plain loops, of which the compiler makes what the target has.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

/// The same of every lane. Written out, since a kernel has thousands of these, and as many loops
/// would take the compiler minutes.
macro_rules! each {
    (|$($x:ident),+| $value:expr) => {
        [
            each!(0; $($x),+; $value),
            each!(1; $($x),+; $value),
            each!(2; $($x),+; $value),
            each!(3; $($x),+; $value),
            each!(4; $($x),+; $value),
            each!(5; $($x),+; $value),
            each!(6; $($x),+; $value),
            each!(7; $($x),+; $value),
        ]
    };
    ($lane:literal; $($x:ident),+; $value:expr) => {{
        $(let $x = $x[$lane];)+
        $value
    }};
}

impl Lanes for Portable {
    type One = Self;
    type Two = Pairs<Self>;

    const WIDE: bool = false;

    #[inline]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }
    #[inline(always)]
    fn one(self) -> Self {
        self
    }
    #[inline(always)]
    fn two(self) -> Pairs<Self> {
        Pairs(self)
    }
    #[inline(always)]
    fn join(self, octets: [One<Self>; 2]) -> Two<Self> {
        octets
    }
    #[inline(always)]
    fn halves(self, both: Two<Self>) -> [One<Self>; 2] {
        both
    }
    #[inline(always)]
    fn transpose(self, rows: [One<Self>; LANES]) -> [One<Self>; LANES] {
        let mut columns = [[0.0; LANES]; LANES];
        for (i, column) in columns.iter_mut().enumerate() {
            for (value, row) in column.iter_mut().zip(&rows) {
                *value = row[i];
            }
        }
        columns
    }
}

impl Vectors for Portable {
    type V = [f32; LANES];
    type Octets = Octet;

    const OCTETS: usize = 1;

    #[inline(always)]
    fn chunks(octets: &[Octet]) -> &[Octet] {
        octets
    }
    #[inline(always)]
    fn chunks_mut(octets: &mut [Octet]) -> &mut [Octet] {
        octets
    }
    #[inline(always)]
    fn load(self, from: &Octet) -> Self::V {
        from.0
    }
    #[inline(always)]
    fn store(self, value: Self::V) -> Octet {
        Octet(value)
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        [value; LANES]
    }
    #[inline(always)]
    fn repeat(self, octet: &Octet) -> Self::V {
        octet.0
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        each!(|a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        each!(|a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        each!(|a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        each!(|a, b| a / b)
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // Not `f32::mul_add`, a function call where the machine has no such instruction.
        each!(|a, b, c| a * b + c)
    }
    #[inline(always)]
    fn at_least(self, x: Self::V, bound: Self::V) -> Self::V {
        each!(|x, bound| if x < bound { bound } else { x })
    }
    #[inline(always)]
    fn at_most(self, x: Self::V, bound: Self::V) -> Self::V {
        each!(|x, bound| if x > bound { bound } else { x })
    }
    #[inline(always)]
    fn where_less(self, a: Self::V, b: Self::V, value: Self::V) -> Self::V {
        each!(|a, b, value| if a < b { value } else { 0.0 })
    }
    #[inline(always)]
    fn unless_less(self, a: Self::V, b: Self::V, value: Self::V) -> Self::V {
        each!(|a, b, value| if a < b { 0.0 } else { value })
    }
    #[inline(always)]
    fn abs(self, x: Self::V) -> Self::V {
        each!(|x| x.abs())
    }
    #[inline(always)]
    fn power_of_two(self, shifted: Self::V) -> Self::V {
        each!(|shifted| f32::from_bits(shifted.to_bits().wrapping_add(127) << 23))
    }
}
