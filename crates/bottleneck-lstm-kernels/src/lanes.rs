//! Eight `f32` at a time: what every instruction set has to offer to the kernels, which are
//! written once over it.

/// Values of a vector.
pub const LANES: usize = 8;

/// Eight channels of one position: what a vector register holds.
///
/// Inside the kernels a map of `channels` is `[channels / 8, height * width]` octets, so that eight
/// channels of neighbouring positions lie side by side. Channels that fill up the last octet are 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[repr(C, align(32))]
pub struct Octet(pub [f32; LANES]);

impl Octet {
    /// Zeros.
    pub const ZERO: Self = Self([0.0; LANES]);
}

/// An instruction set.
pub trait Lanes: Copy + Send + Sync + 'static {
    /// Eight `f32`.
    type V: Copy;

    /// Runs `kernel` compiled for this instruction set.
    fn run<K: Kernel>(self, kernel: K) -> K::Output;

    fn load(self, from: &[f32; LANES]) -> Self::V;
    fn store(self, value: Self::V) -> [f32; LANES];
    fn splat(self, value: f32) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the instruction set can.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `x`, at least `bound`. NaN stays NaN.
    fn at_least(self, x: Self::V, bound: Self::V) -> Self::V;
    /// `x`, at most `bound`. NaN stays NaN.
    fn at_most(self, x: Self::V, bound: Self::V) -> Self::V;
    /// `value` where `a < b`, else 0.
    fn where_less(self, a: Self::V, b: Self::V, value: Self::V) -> Self::V;
    /// `value` except where `a < b`, there 0.
    fn unless_less(self, a: Self::V, b: Self::V, value: Self::V) -> Self::V;
    /// `value` in the first `count` lanes, else 0.
    #[inline(always)]
    fn first(self, count: usize, value: Self::V) -> Self::V {
        let places = self.load(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        self.where_less(places, self.splat(count as f32), value)
    }
    /// Without its sign.
    fn abs(self, x: Self::V) -> Self::V;
    /// `2^n` from `n + 1.5 * 2^23`, for `n` from -126 to 127, and infinity for 128.
    fn power_of_two(self, shifted: Self::V) -> Self::V;
    /// Eight rows of eight into eight columns.
    fn transpose(self, rows: [Self::V; LANES]) -> [Self::V; LANES];
}

/// Work that is compiled once for every instruction set. `run` and all that it calls have to be
/// `#[inline(always)]`, or they are compiled for none in particular.
pub trait Kernel {
    type Output;

    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
}

/// Plain loops over eight values, on any machine.
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
    type V = [f32; LANES];

    #[inline]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::V {
        *from
    }
    #[inline(always)]
    fn store(self, value: Self::V) -> [f32; LANES] {
        value
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        [value; LANES]
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
    #[inline(always)]
    fn transpose(self, rows: [Self::V; LANES]) -> [Self::V; LANES] {
        let mut columns = [[0.0; LANES]; LANES];
        for (i, column) in columns.iter_mut().enumerate() {
            for (value, row) in column.iter_mut().zip(&rows) {
                *value = row[i];
            }
        }
        columns
    }
}
