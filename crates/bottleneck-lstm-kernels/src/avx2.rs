//! AVX2 and FMA, through `pulp`'s safe intrinsics: a value of its type `V3` is the proof that the
//! machine has them.

use std::arch::x86_64::{__m256, _CMP_LT_OQ};

use pulp::x86::V3;

use crate::lanes::{Kernel, LANES, Lanes};

impl Lanes for V3 {
    type V = __m256;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        struct Call<K>(V3, K);
        impl<K: Kernel> pulp::NullaryFnOnce for Call<K> {
            type Output = K::Output;

            #[inline(always)]
            fn call(self) -> K::Output {
                self.1.run(self.0)
            }
        }
        self.vectorize(Call(self, kernel))
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::V {
        pulp::cast(*from)
    }
    #[inline(always)]
    fn store(self, value: Self::V) -> [f32; LANES] {
        pulp::cast(value)
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        self.avx._mm256_set1_ps(value)
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        self.avx._mm256_add_ps(a, b)
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        self.avx._mm256_sub_ps(a, b)
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        self.avx._mm256_mul_ps(a, b)
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        self.avx._mm256_div_ps(a, b)
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.fma._mm256_fmadd_ps(a, b, c)
    }
    #[inline(always)]
    fn at_least(self, x: Self::V, bound: Self::V) -> Self::V {
        // The instruction returns its second operand where one is NaN.
        self.avx._mm256_max_ps(bound, x)
    }
    #[inline(always)]
    fn at_most(self, x: Self::V, bound: Self::V) -> Self::V {
        self.avx._mm256_min_ps(bound, x)
    }
    #[inline(always)]
    fn where_less(self, a: Self::V, b: Self::V, value: Self::V) -> Self::V {
        self.avx
            ._mm256_and_ps(self.avx._mm256_cmp_ps::<_CMP_LT_OQ>(a, b), value)
    }
    #[inline(always)]
    fn unless_less(self, a: Self::V, b: Self::V, value: Self::V) -> Self::V {
        self.avx
            ._mm256_andnot_ps(self.avx._mm256_cmp_ps::<_CMP_LT_OQ>(a, b), value)
    }
    #[inline(always)]
    fn abs(self, x: Self::V) -> Self::V {
        self.avx._mm256_andnot_ps(self.splat(-0.0), x)
    }
    #[inline(always)]
    fn power_of_two(self, shifted: Self::V) -> Self::V {
        let bits = pulp::cast(shifted);
        let biased = self
            .avx2
            ._mm256_add_epi32(bits, self.avx._mm256_set1_epi32(127));
        pulp::cast(self.avx2._mm256_slli_epi32::<23>(biased))
    }
    #[inline(always)]
    fn transpose(self, [a, b, c, d, e, f, g, h]: [Self::V; LANES]) -> [Self::V; LANES] {
        let upper = fours(self, [a, b, c, d]);
        let lower = fours(self, [e, f, g, h]);
        let mut columns = [self.splat(0.0); LANES];
        for i in 0..4 {
            columns[i] = self.avx._mm256_permute2f128_ps::<0x20>(upper[i], lower[i]);
            columns[i + 4] = self.avx._mm256_permute2f128_ps::<0x31>(upper[i], lower[i]);
        }
        columns
    }
}

/// Transposes the left and the right half of four rows.
#[inline(always)]
fn fours(v3: V3, [a, b, c, d]: [__m256; 4]) -> [__m256; 4] {
    let avx = v3.avx;
    let (ab_low, ab_high) = (avx._mm256_unpacklo_ps(a, b), avx._mm256_unpackhi_ps(a, b));
    let (cd_low, cd_high) = (avx._mm256_unpacklo_ps(c, d), avx._mm256_unpackhi_ps(c, d));
    [
        avx._mm256_shuffle_ps::<0x44>(ab_low, cd_low),
        avx._mm256_shuffle_ps::<0xee>(ab_low, cd_low),
        avx._mm256_shuffle_ps::<0x44>(ab_high, cd_high),
        avx._mm256_shuffle_ps::<0xee>(ab_high, cd_high),
    ]
}
