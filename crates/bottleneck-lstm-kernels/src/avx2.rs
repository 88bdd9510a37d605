//! AVX2 and FMA, through `pulp`'s safe intrinsics: a value of its type `V3` is the proof that the
//! machine has them.

use std::arch::x86_64::{__m256, _CMP_LT_OQ, _MM_HINT_T1};

use pulp::x86::V3;

use crate::lanes::{Kernel, LANES, Lanes, Octet, One, Pairs, Two, Vectors};

impl Lanes for V3 {
    type One = Self;
    type Two = Pairs<Self>;

    const WIDE: bool = false;

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
    fn prefetch<T>(self, place: &T) {
        self.sse
            ._mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(place).cast());
    }
    #[inline(always)]
    fn transpose(self, rows: [One<Self>; LANES]) -> [One<Self>; LANES] {
        transpose(self, rows)
    }
}

impl Vectors for V3 {
    type V = __m256;
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
        pulp::cast(from.0)
    }
    #[inline(always)]
    fn store(self, value: Self::V) -> Octet {
        Octet(pulp::cast(value))
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        self.avx._mm256_set1_ps(value)
    }
    #[inline(always)]
    fn repeat(self, octet: &Octet) -> Self::V {
        self.load(octet)
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
}

/// Eight rows of eight into eight columns.
#[inline(always)]
pub fn transpose(v3: V3, [a, b, c, d, e, f, g, h]: [__m256; LANES]) -> [__m256; LANES] {
    let upper = fours(v3, [a, b, c, d]);
    let lower = fours(v3, [e, f, g, h]);
    let mut columns = [v3.splat(0.0); LANES];
    for i in 0..4 {
        columns[i] = v3.avx._mm256_permute2f128_ps::<0x20>(upper[i], lower[i]);
        columns[i + 4] = v3.avx._mm256_permute2f128_ps::<0x31>(upper[i], lower[i]);
    }
    columns
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
