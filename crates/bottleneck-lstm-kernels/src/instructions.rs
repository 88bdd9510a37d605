//! Which instruction set runs the kernels.

#[cfg(target_arch = "x86_64")]
use pulp::x86::{V3, V4};

use crate::lanes::{Kernel, Lanes};
use crate::portable::Portable;

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
