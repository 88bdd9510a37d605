//! The depthwise convolution, 'same' padding, stride 1, one octet of channels at a time.

use std::ops::Range;

use crate::lanes::{LANES, Lanes, Octet, Vectors, load, store};
use crate::octets::octets;

/// The map that a convolution runs over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Map {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Side of the kernels, odd.
    pub kernel: usize,
}

/// The kernel sizes that are compiled.
pub fn covers(kernel: usize) -> bool {
    matches!(kernel, 1 | 3 | 5)
}

/// Calls `$function::<L, K>(arguments)` with `K` of `$kernel`.
macro_rules! by_kernel {
    ($kernel:expr, $function:ident::<$lanes:ty>($($argument:expr),* $(,)?)) => {
        match $kernel {
            1 => $function::<$lanes, 1>($($argument),*),
            3 => $function::<$lanes, 3>($($argument),*),
            5 => $function::<$lanes, 5>($($argument),*),
            other => unreachable!("no kernel of size {other} reaches the kernels"),
        }
    };
}

impl Map {
    /// Positions.
    pub fn area(&self) -> usize {
        self.height * self.width
    }

    /// The rows that `rows` of an output depend on.
    pub(crate) fn reach(&self, rows: &Range<usize>) -> Range<usize> {
        let reach = self.kernel / 2;
        rows.start.saturating_sub(reach)..(rows.end + reach).min(self.height)
    }

    /// Those of the kernel's taps along one axis that lie within `0..size` at `at`.
    #[inline(always)]
    fn taps<const K: usize>(at: usize, size: usize) -> Range<usize> {
        let reach = K / 2;
        reach.saturating_sub(at)..K.min(size + reach - at)
    }

    /// Convolves `rows` of one plane into `out`, on top of `bias` or else of what `out` holds; `x`
    /// begins with the row `top`.
    #[inline(always)]
    pub(crate) fn convolve<L: Lanes>(
        self,
        l: L,
        (x, top): (&[Octet], usize),
        kernel: &[Octet],
        bias: Option<Octet>,
        rows: Range<usize>,
        out: &mut [Octet],
    ) {
        by_kernel!(
            self.kernel,
            convolve::<L>(l, self, (x, top), kernel, bias, rows, out)
        );
    }

    /// Adds to `gradient`, a kernel, what it owes to the gradient `out` of convolving `x`, a plane
    /// each.
    #[inline(always)]
    pub(crate) fn kernel_gradient<L: Lanes>(
        self,
        l: L,
        x: &[Octet],
        out: &[Octet],
        gradient: &mut [Octet],
    ) {
        by_kernel!(self.kernel, kernel_gradient::<L>(l, self, x, out, gradient));
    }
}

// Closures are compiled for no instruction set in particular, so these functions have none that
// touches vectors.

#[inline(always)]
fn convolve<L: Lanes, const K: usize>(
    l: L,
    map: Map,
    (x, top): (&[Octet], usize),
    kernel: &[Octet],
    bias: Option<Octet>,
    rows: Range<usize>,
    out: &mut [Octet],
) {
    let (width, reach) = (map.width, K / 2);
    for (y, out) in rows.zip(out.chunks_exact_mut(width)) {
        let taps = Map::taps::<K>(y, map.height);
        let mut lines: [&[Octet]; K] = [&[]; K];
        for (line, tap) in lines.iter_mut().zip(taps.clone()) {
            *line = &x[(y + tap - reach - top) * width..][..width];
        }
        let lines = &lines[..taps.len()];
        let kernel = &kernel[taps.start * K..taps.end * K];
        // Of most rows all taps lie within the map; with their number constant, no loop is left.
        match <&[&[Octet]; K]>::try_from(lines) {
            Ok(lines) => row::<L, K>(l, lines, kernel, bias, out),
            Err(_) => row::<L, K>(l, lines, kernel, bias, out),
        }
    }
}

/// Convolves a row, of which `lines` are the rows of the input that lie within the map.
#[inline(always)]
fn row<L: Lanes, const K: usize>(
    l: L,
    lines: &[&[Octet]],
    kernel: &[Octet],
    bias: Option<Octet>,
    out: &mut [Octet],
) {
    let (width, reach) = (out.len(), K / 2);
    let inner = reach..width.saturating_sub(reach).max(reach);
    let border = (0..reach.min(width)).chain(inner.end.min(width)..width);
    for at in border {
        let columns = Map::taps::<K>(at, width);
        let (begin, first) = (at + columns.start - reach, columns.start);
        let out = &mut out[at];
        match columns.len() {
            4 => partial::<L, K, 4>(l, lines, kernel, bias, begin, first, out),
            3 => partial::<L, K, 3>(l, lines, kernel, bias, begin, first, out),
            2 => partial::<L, K, 2>(l, lines, kernel, bias, begin, first, out),
            _ => partial::<L, K, 1>(l, lines, kernel, bias, begin, first, out),
        }
    }
    if !inner.is_empty() {
        inner_row::<L, K>(l, lines, kernel, bias, &mut out[inner]);
    }
}

/// Convolves the positions of a row whose windows lie within `lines`.
#[inline(always)]
fn inner_row<L: Lanes, const K: usize>(
    l: L,
    lines: &[&[Octet]],
    kernel: &[Octet],
    bias: Option<Octet>,
    out: &mut [Octet],
) {
    let (one, two) = (l.one(), l.two());
    let count = out.len();
    let mut at = 0;
    if L::WIDE {
        while at + 8 <= count {
            stretch::<_, K, 4>(two, lines, kernel, bias, at, out);
            at += 8;
        }
    } else {
        while at + 4 <= count {
            stretch::<_, K, 2>(two, lines, kernel, bias, at, out);
            at += 4;
        }
    }
    while at + 2 <= count {
        stretch::<_, K, 1>(two, lines, kernel, bias, at, out);
        at += 2;
    }
    if at < count {
        stretch::<_, K, 1>(one, lines, kernel, bias, at, out);
    }
}

/// Convolves one position near a border, where `C` of the kernel's columns lie within the map: they
/// begin at `first`, and at `begin` of `lines`.
#[inline(always)]
fn partial<L: Lanes, const K: usize, const C: usize>(
    l: L,
    lines: &[&[Octet]],
    kernel: &[Octet],
    bias: Option<Octet>,
    begin: usize,
    first: usize,
    out: &mut Octet,
) {
    let one = l.one();
    let mut sum = one.load(bias.as_ref().unwrap_or(out));
    for (line, weights) in lines.iter().zip(kernel.chunks_exact(K)) {
        let (window, weights) = (&line[begin..][..C], &weights[first..][..C]);
        for column in 0..C {
            sum = one.mul_add(one.load(&window[column]), one.load(&weights[column]), sum);
        }
    }
    *out = one.store(sum);
}

/// Convolves the neighbouring positions of `R` vectors, where the window of the first one begins at
/// `at` of `lines`.
#[inline(always)]
fn stretch<A: Vectors, const K: usize, const R: usize>(
    a: A,
    lines: &[&[Octet]],
    kernel: &[Octet],
    bias: Option<Octet>,
    at: usize,
    out: &mut [Octet],
) {
    let out = &mut out[at..][..R * A::OCTETS];
    let mut sums: [A::V; R] = match &bias {
        Some(bias) => [a.repeat(bias); R],
        None => load(a, out),
    };
    for (line, weights) in lines.iter().zip(kernel.chunks_exact(K)) {
        let window = &line[at..][..K - 1 + R * A::OCTETS];
        for column in 0..K {
            let weight = a.repeat(&weights[column]);
            let window: [A::V; R] = load(a, &window[column..]);
            for r in 0..R {
                sums[r] = a.mul_add(window[r], weight, sums[r]);
            }
        }
    }
    store(a, out, sums);
}

#[inline(always)]
fn kernel_gradient<L: Lanes, const K: usize>(
    l: L,
    map: Map,
    x: &[Octet],
    out: &[Octet],
    gradient: &mut [Octet],
) {
    let (one, two) = (l.one(), l.two());
    let (width, reach) = (map.width, K / 2);
    let inner = reach..width.saturating_sub(reach).max(reach);
    // Where a tap of the kernel lies, counted from the left end of the kernel over the first column.
    let within = reach..width + reach;
    for (row, gradient) in gradient.chunks_exact_mut(K).enumerate() {
        // Neighbouring positions have sums of their own, so that they need not wait for each other.
        let mut border_sums = [one.splat(0.0); K];
        let mut sums = [[two.splat(0.0); K]; 2];
        // The rows of the output for which this row of the kernel lies within the map.
        let begin = reach.saturating_sub(row);
        let end = (map.height + reach).saturating_sub(row).min(map.height);
        for y in begin..end.max(begin) {
            let x = &x[(y + row - reach) * width..][..width];
            let out = &out[y * width..][..width];
            let border = (0..reach.min(width)).chain(inner.end.min(width)..width);
            for at in border {
                let out = one.load(&out[at]);
                for column in 0..K {
                    if within.contains(&(at + column)) {
                        let x = one.load(&x[at + column - reach]);
                        border_sums[column] = one.mul_add(x, out, border_sums[column]);
                    }
                }
            }
            if inner.is_empty() {
                continue;
            }
            let out = &out[inner.clone()];
            let mut at = 0;
            while at + 4 <= out.len() {
                taps::<_, K>(two, &x[at..], &out[at..], &mut sums[0]);
                taps::<_, K>(two, &x[at + 2..], &out[at + 2..], &mut sums[1]);
                at += 4;
            }
            if at + 2 <= out.len() {
                taps::<_, K>(two, &x[at..], &out[at..], &mut sums[0]);
                at += 2;
            }
            if at < out.len() {
                taps::<_, K>(one, &x[at..], &out[at..], &mut border_sums);
            }
        }
        for column in 0..K {
            let [left, right] = l.halves(two.add(sums[0][column], sums[1][column]));
            let sum = one.add(border_sums[column], one.add(left, right));
            gradient[column] = one.store(one.add(one.load(&gradient[column]), sum));
        }
    }
}

/// Adds to the sums of a row of the kernel what they owe to the first of `out`, whose windows begin
/// at the first of `x`.
#[inline(always)]
fn taps<A: Vectors, const K: usize>(a: A, x: &[Octet], out: &[Octet], sums: &mut [A::V; K]) {
    let [out]: [A::V; 1] = load(a, out);
    let window = &x[..K - 1 + A::OCTETS];
    for column in 0..K {
        let [x]: [A::V; 1] = load(a, &window[column..]);
        sums[column] = a.mul_add(x, out, sums[column]);
    }
}

/// Packs `weights`, `[channels, 1, k, k]`, into `[octets, k * k]`.
pub fn pack(weights: &[f32], kernel: usize) -> Vec<Octet> {
    let taps = kernel * kernel;
    let mut packed = vec![Octet::ZERO; octets(weights.len() / taps) * taps];
    for (channel, weights) in weights.chunks_exact(taps).enumerate() {
        let kernels = &mut packed[channel / LANES * taps..];
        for (octet, weight) in kernels.iter_mut().zip(weights) {
            octet.0[channel % LANES] = *weight;
        }
    }
    packed
}

/// The reverse of [`pack`], into `weights`.
pub fn unpack(kernels: &[Octet], weights: &mut [f32], kernel: usize) {
    let taps = kernel * kernel;
    for (channel, weights) in weights.chunks_exact_mut(taps).enumerate() {
        let kernels = &kernels[channel / LANES * taps..];
        for (weight, octet) in weights.iter_mut().zip(kernels) {
            *weight = octet.0[channel % LANES];
        }
    }
}

/// Packed kernels turned by half a turn: convolving a gradient with them is the transpose of
/// convolving with `kernels`.
pub fn turn(kernels: &[Octet], taps: usize) -> Vec<Octet> {
    kernels
        .chunks_exact(taps)
        .flat_map(|kernel| kernel.iter().rev().copied())
        .collect()
}
