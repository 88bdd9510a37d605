//! Vectors of `f32`: what every instruction set has to offer to the kernels, which are written once
//! over it.

/// Values of an octet.
pub const LANES: usize = 8;

/// Eight channels of one position.
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

/// An instruction set. It works on octets one by one, and on two at a time: in one register where
/// it is wide enough, else in two.
pub trait Lanes: Copy + Send + Sync + 'static {
    /// Vectors of an octet.
    type One: Vectors<Octets = Octet>;
    /// Vectors of two octets: neighbours in memory, or joined.
    type Two: Vectors<Octets = [Octet; 2]>;

    /// Whether there are twice as many registers as sixteen, each of them for two octets.
    const WIDE: bool;

    /// Runs `kernel` compiled for this instruction set.
    fn run<K: Kernel>(self, kernel: K) -> K::Output;

    fn one(self) -> Self::One;
    fn two(self) -> Self::Two;

    /// Two octets side by side.
    fn join(self, octets: [One<Self>; 2]) -> Two<Self>;
    /// The reverse of [`join`](Self::join).
    fn halves(self, both: Two<Self>) -> [One<Self>; 2];
    /// Asks for what lies at `place`, to have it in the second-level cache when it is wanted.
    #[inline(always)]
    fn prefetch<T>(self, _place: &T) {}
    /// Eight rows of eight into eight columns.
    fn transpose(self, rows: [One<Self>; LANES]) -> [One<Self>; LANES];
}

/// A vector of an octet.
pub type One<L> = <<L as Lanes>::One as Vectors>::V;

/// A vector of two octets.
pub type Two<L> = <<L as Lanes>::Two as Vectors>::V;

/// Arithmetic on vectors, lane by lane.
pub trait Vectors: Copy + Send + Sync + 'static {
    type V: Copy;

    /// What a vector holds, in memory.
    type Octets: Copy;

    /// Octets of a vector.
    const OCTETS: usize;

    /// `octets` by vectors; those that do not fill one are left out.
    fn chunks(octets: &[Octet]) -> &[Self::Octets];
    /// As [`chunks`](Self::chunks).
    fn chunks_mut(octets: &mut [Octet]) -> &mut [Self::Octets];

    fn load(self, from: &Self::Octets) -> Self::V;
    fn store(self, value: Self::V) -> Self::Octets;
    fn splat(self, value: f32) -> Self::V;
    /// `octet` in every octet of the vector.
    fn repeat(self, octet: &Octet) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b` to one unit in the last place, for finite `b` from 1 to 2^126. NaN stays NaN.
    #[inline(always)]
    fn quotient(self, a: Self::V, b: Self::V) -> Self::V {
        self.div(a, b)
    }
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
    /// `value` in the first `count` lanes of each octet, else 0.
    #[inline(always)]
    fn first(self, count: usize, value: Self::V) -> Self::V {
        let places = self.repeat(&Octet([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]));
        self.where_less(places, self.splat(count as f32), value)
    }
    /// Without its sign.
    fn abs(self, x: Self::V) -> Self::V;
    /// `2^n` from `n + 1.5 * 2^23`, for `n` from -126 to 127, and infinity for 128.
    fn power_of_two(self, shifted: Self::V) -> Self::V;
}

/// `N` vectors from the first of `octets` on.
#[inline(always)]
pub fn load<A: Vectors, const N: usize>(a: A, octets: &[Octet]) -> [A::V; N] {
    let from: &[A::Octets; N] = A::chunks(octets).first_chunk().expect("as many octets");
    let mut vectors = [a.splat(0.0); N];
    for n in 0..N {
        vectors[n] = a.load(&from[n]);
    }
    vectors
}

/// The reverse of [`load`].
#[inline(always)]
pub fn store<A: Vectors, const N: usize>(a: A, octets: &mut [Octet], vectors: [A::V; N]) {
    let to: &mut [A::Octets; N] = A::chunks_mut(octets)
        .first_chunk_mut()
        .expect("as many octets");
    for n in 0..N {
        to[n] = a.store(vectors[n]);
    }
}

/// Work that is compiled once for every instruction set. `run` and all that it calls have to be
/// `#[inline(always)]`, or they are compiled for none in particular.
pub trait Kernel {
    type Output;

    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
}

/// Vectors of two octets where a register holds one.
#[derive(Debug, Clone, Copy)]
pub struct Pairs<A>(pub A);

/// The same of both octets.
macro_rules! both {
    ($self:ident.$operation:ident($($x:ident),+)) => {
        [
            $self.0.$operation($($x[0]),+),
            $self.0.$operation($($x[1]),+),
        ]
    };
}

impl<A: Vectors<Octets = Octet>> Vectors for Pairs<A> {
    type V = [A::V; 2];
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
        [self.0.load(left), self.0.load(right)]
    }
    #[inline(always)]
    fn store(self, [left, right]: Self::V) -> Self::Octets {
        [self.0.store(left), self.0.store(right)]
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        [self.0.splat(value); 2]
    }
    #[inline(always)]
    fn repeat(self, octet: &Octet) -> Self::V {
        [self.0.load(octet); 2]
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        both!(self.add(a, b))
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        both!(self.sub(a, b))
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        both!(self.mul(a, b))
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        both!(self.div(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        both!(self.mul_add(a, b, c))
    }
    #[inline(always)]
    fn at_least(self, x: Self::V, bound: Self::V) -> Self::V {
        both!(self.at_least(x, bound))
    }
    #[inline(always)]
    fn at_most(self, x: Self::V, bound: Self::V) -> Self::V {
        both!(self.at_most(x, bound))
    }
    #[inline(always)]
    fn where_less(self, a: Self::V, b: Self::V, value: Self::V) -> Self::V {
        both!(self.where_less(a, b, value))
    }
    #[inline(always)]
    fn unless_less(self, a: Self::V, b: Self::V, value: Self::V) -> Self::V {
        both!(self.unless_less(a, b, value))
    }
    #[inline(always)]
    fn abs(self, x: Self::V) -> Self::V {
        both!(self.abs(x))
    }
    #[inline(always)]
    fn power_of_two(self, shifted: Self::V) -> Self::V {
        both!(self.power_of_two(shifted))
    }
}
