//! Which instruction set runs the kernels.

#[cfg(target_arch = "x86_64")]
use pulp::x86::{V3, V4};

use crate::lanes::{Kernel, Lanes};
use crate::portable::Portable;

/// Loops over slices that are no kernels, and are fast if the compiler makes vectors of them.
///
/// What set of instructions they are [compiled](Instructions::vectorize) for changes how long they take, and not a bit
/// of what they yield: the compiler neither changes the order of additions nor joins them with products.
///
/// ```
/// use bottleneck_lstm_kernels::{Instructions, Loops};
///
/// struct Double<'a>(&'a mut [f32]);
///
/// impl Loops for Double<'_> {
///     #[inline(always)]
///     fn run(self) {
///         self.0.iter_mut().for_each(|value| *value *= 2.0);
///     }
/// }
///
/// let mut values = [1.0; 100];
/// Instructions::best().vectorize(Double(&mut values));
/// assert_eq!(values, [2.0; 100]);
/// ```
pub trait Loops {
    /// Runs them. It has to be `#[inline(always)]`, as all that it calls: only what is inlined is compiled for another
    /// set of instructions than the program is.
    fn run(self);
}

/// An instruction set that the kernels are compiled for.
///
/// [`best`](Self::best) is what a runner takes unless it is told otherwise; another one is for
/// tests and comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instructions {
    /// AVX-512 (F, BW, CD, DQ and VL), on x86-64 machines that have it.
    Avx512,
    /// AVX2 and FMA, on x86-64 machines that have them.
    Avx2,
    /// Plain loops over eight values, on any machine; the compiler makes of them what the target
    /// has, such as SSE2 or NEON.
    Portable,
}

impl Instructions {
    /// The best that this machine has.
    pub fn best() -> Self {
        Self::available().next().unwrap_or(Self::Portable)
    }

    /// Every instruction set that this machine has, the best first.
    pub fn available() -> impl Iterator<Item = Self> {
        [Self::Avx512, Self::Avx2, Self::Portable]
            .into_iter()
            .filter(|instructions| instructions.is_available())
    }

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => V4::is_available(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => V3::is_available(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
            Self::Portable => true,
        }
    }

    /// Runs `loops` compiled for it, or as the program is where the machine lacks it.
    pub fn vectorize(self, loops: impl Loops) {
        struct Compiled<W>(W);
        impl<W: Loops> Kernel for Compiled<W> {
            type Output = ();

            #[inline(always)]
            fn run<L: Lanes>(self, _: L) {
                self.0.run();
            }
        }
        self.run(Compiled(loops));
    }

    /// Runs `kernel` on it, or on plain loops where the machine lacks it.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[cfg(target_arch = "x86_64")]
        match self {
            Self::Avx512 => {
                if let Some(v4) = V4::try_new() {
                    return v4.run(kernel);
                }
            }
            Self::Avx2 => {
                if let Some(v3) = V3::try_new() {
                    return v3.run(kernel);
                }
            }
            Self::Portable => {}
        }
        Portable.run(kernel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A product and a sum for each value, and the sum of them all.
    struct Sums<'a>(&'a mut [f32], &'a mut f32);

    impl Loops for Sums<'_> {
        #[inline(always)]
        fn run(self) {
            for value in self.0.iter_mut() {
                *value = *value * 1.1 + 0.3;
            }
            *self.1 = self.0.iter().sum();
        }
    }

    #[test]
    fn loops_yield_the_same_bits_whatever_they_are_compiled_for() {
        for size in [0, 1, 7, 8, 9, 15, 16, 17, 31, 101] {
            let run = |instructions: Instructions| {
                let mut values: Vec<f32> = (0..size).map(|at| (at as f32).sin()).collect();
                let mut sum = f32::NAN;
                instructions.vectorize(Sums(&mut values, &mut sum));
                (
                    sum.to_bits(),
                    values.into_iter().map(f32::to_bits).collect(),
                )
            };
            let expected: (u32, Vec<u32>) = run(Instructions::Portable);
            for instructions in Instructions::available() {
                assert_eq!(run(instructions), expected, "{instructions:?}, {size}");
            }
        }
    }
}
