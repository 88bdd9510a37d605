//! AVX-512, through `pulp`'s safe intrinsics: a value of its type `V4` is the proof that the machine
//! has its parts F, BW, CD, DQ and VL.

use std::arch::x86_64::{__m256, __m512, _CMP_LT_OQ, _MM_HINT_T1};

use pulp::x86::V4;

use crate::avx2::transpose;
use crate::lanes::{Kernel, LANES, Lanes, Octet, One, Two, Vectors};

impl Lanes for V4 {
    type One = Half;
    type Two = Self;

    const WIDE: bool = true;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        struct Call<K>(V4, K);
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
    fn one(self) -> Half {
        Half(self)
    }
    #[inline(always)]
    fn two(self) -> Self {
        self
    }
    #[inline(always)]
    fn join(self, [left, right]: [One<Self>; 2]) -> Two<Self> {
        let left = self.avx512f._mm512_castps256_ps512(left);
        self.avx512dq._mm512_insertf32x8::<1>(left, right)
    }
    #[inline(always)]
    fn halves(self, both: Two<Self>) -> [One<Self>; 2] {
        [
            self.avx512f._mm512_castps512_ps256(both),
            self.avx512dq._mm512_extractf32x8_ps::<1>(both),
        ]
    }
    #[inline(always)]
    fn prefetch<T>(self, place: &T) {
        self.sse
            ._mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(place).cast());
    }
    #[inline(always)]
    fn transpose(self, rows: [One<Self>; LANES]) -> [One<Self>; LANES] {
        transpose(*self, rows)
    }
}

/// Vectors of an octet: those of AVX2, but that both divide alike, since it depends on their number
/// which positions come alone.
#[derive(Debug, Clone, Copy)]
pub struct Half(V4);

/// Methods of [`Half`] that are those of `V3`.
macro_rules! as_avx2 {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {$(
        #[inline(always)]
        fn $name(self, $($argument: $type),*) -> $result {
            Vectors::$name(*self.0, $($argument),*)
        }
    )*};
}

impl Vectors for Half {
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
    fn quotient(self, a: Self::V, b: Self::V) -> Self::V {
        let v4 = self.0;
        let (a, b) = (v4.join([a, a]), v4.join([b, b]));
        v4.halves(v4.quotient(a, b))[0]
    }
    as_avx2! {
        load(from: &Octet) -> Self::V;
        store(value: Self::V) -> Octet;
        splat(value: f32) -> Self::V;
        repeat(octet: &Octet) -> Self::V;
        add(a: Self::V, b: Self::V) -> Self::V;
        sub(a: Self::V, b: Self::V) -> Self::V;
        mul(a: Self::V, b: Self::V) -> Self::V;
        div(a: Self::V, b: Self::V) -> Self::V;
        mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
        at_least(x: Self::V, bound: Self::V) -> Self::V;
        at_most(x: Self::V, bound: Self::V) -> Self::V;
        where_less(a: Self::V, b: Self::V, value: Self::V) -> Self::V;
        unless_less(a: Self::V, b: Self::V, value: Self::V) -> Self::V;
        abs(x: Self::V) -> Self::V;
        power_of_two(shifted: Self::V) -> Self::V;
    }
}

impl Vectors for V4 {
    type V = __m512;
    type Octets = [Octet; 2];

    const OCTETS: usize = 2;

    #[inline(always)]
    fn chunks(octets: &[Octet]) -> &[Self::Octets] {
        octets.as_chunks().0
    }
    #[inline(always)]
    fn chunks_mut(octets: &mut [Octet]) -> &mut [Self::Octets] {
        octets.as_chunks_mut().0
    }
    #[inline(always)]
    fn load(self, [left, right]: &Self::Octets) -> Self::V {
        pulp::cast([left.0, right.0])
    }
    #[inline(always)]
    fn store(self, value: Self::V) -> Self::Octets {
        let [left, right] = pulp::cast(value);
        [Octet(left), Octet(right)]
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        self.avx512f._mm512_set1_ps(value)
    }
    #[inline(always)]
    fn repeat(self, octet: &Octet) -> Self::V {
        self.avx512dq._mm512_broadcast_f32x8(pulp::cast(octet.0))
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        self.avx512f._mm512_add_ps(a, b)
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        self.avx512f._mm512_sub_ps(a, b)
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        self.avx512f._mm512_mul_ps(a, b)
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        self.avx512f._mm512_div_ps(a, b)
    }
    #[inline(always)]
    fn quotient(self, a: Self::V, b: Self::V) -> Self::V {
        // Dividing takes a unit sixteen cycles. An estimate to 14 bits, corrected by what it leaves.
        let f = self.avx512f;
        let estimate = f._mm512_rcp14_ps(b);
        let quotient = f._mm512_mul_ps(a, estimate);
        let rest = f._mm512_fnmadd_ps(b, quotient, a);
        f._mm512_fmadd_ps(rest, estimate, quotient)
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.avx512f._mm512_fmadd_ps(a, b, c)
    }
    #[inline(always)]
    fn at_least(self, x: Self::V, bound: Self::V) -> Self::V {
        // The instruction returns its second operand where one is NaN.
        self.avx512f._mm512_max_ps(bound, x)
    }
    #[inline(always)]
    fn at_most(self, x: Self::V, bound: Self::V) -> Self::V {
        self.avx512f._mm512_min_ps(bound, x)
    }
    #[inline(always)]
    fn where_less(self, a: Self::V, b: Self::V, value: Self::V) -> Self::V {
        let less = self.avx512f._mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b);
        self.avx512f._mm512_maskz_mov_ps(less, value)
    }
    #[inline(always)]
    fn unless_less(self, a: Self::V, b: Self::V, value: Self::V) -> Self::V {
        let less = self.avx512f._mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b);
        self.avx512f._mm512_maskz_mov_ps(!less, value)
    }
    #[inline(always)]
    fn abs(self, x: Self::V) -> Self::V {
        self.avx512f._mm512_abs_ps(x)
    }
    #[inline(always)]
    fn power_of_two(self, shifted: Self::V) -> Self::V {
        let bits = pulp::cast(shifted);
        let biased = self
            .avx512f
            ._mm512_add_epi32(bits, self.avx512f._mm512_set1_epi32(127));
        pulp::cast(self.avx512f._mm512_slli_epi32::<23>(biased))
    }
}
