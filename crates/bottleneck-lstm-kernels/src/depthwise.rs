//! The depthwise convolution, 'same' padding, stride 1, one octet of channels at a time.

use std::ops::Range;

use crate::lanes::{LANES, Lanes, Octet};
use crate::octets::octets;

/// The map that a convolution runs over.
#[derive(Debug, Clone, Copy)]
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
    matches!(kernel, 1 | 3 | 5 | 7)
}

/// Calls `$function::<L, K>(arguments)` with `K` of `$kernel`.
macro_rules! by_kernel {
    ($kernel:expr, $function:ident::<$lanes:ty>($($argument:expr),* $(,)?)) => {
        match $kernel {
            1 => $function::<$lanes, 1>($($argument),*),
            3 => $function::<$lanes, 3>($($argument),*),
            5 => $function::<$lanes, 5>($($argument),*),
            7 => $function::<$lanes, 7>($($argument),*),
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
    let mut weights = [[l.splat(0.0); K]; K];
    for (line, from) in weights.iter_mut().zip(kernel.chunks_exact(K)) {
        for (weight, from) in line.iter_mut().zip(from) {
            *weight = l.load(&from.0);
        }
    }
    let inner = reach..width.saturating_sub(reach).max(reach);
    // Where a tap of the kernel lies, counted from the left end of the kernel over the first column.
    let within = reach..width + reach;
    for (y, out) in rows.zip(out.chunks_exact_mut(width)) {
        let taps = Map::taps::<K>(y, map.height);
        let mut lines: [&[Octet]; K] = [&[]; K];
        for tap in taps.clone() {
            lines[tap] = &x[(y + tap - reach - top) * width..][..width];
        }
        let border = (0..reach.min(width)).chain(inner.end.min(width)..width);
        for at in border {
            let mut sum = l.load(&bias.as_ref().unwrap_or(&out[at]).0);
            for row in 0..K {
                for column in 0..K {
                    // The same as in range of the taps, but for a constant index, without which
                    // the weights would have to lie in memory.
                    if taps.contains(&row) && within.contains(&(at + column)) {
                        let x = l.load(&lines[row][at + column - reach].0);
                        sum = l.mul_add(x, weights[row][column], sum);
                    }
                }
            }
            out[at] = Octet(l.store(sum));
        }
        if inner.is_empty() {
            continue;
        }
        for (at, out) in out[inner.clone()].iter_mut().enumerate() {
            let mut sum = l.load(&bias.as_ref().unwrap_or(out).0);
            for row in 0..K {
                if taps.contains(&row) {
                    let window: &[Octet; K] = lines[row][at..].first_chunk().expect("a window");
                    for column in 0..K {
                        sum = l.mul_add(l.load(&window[column].0), weights[row][column], sum);
                    }
                }
            }
            *out = Octet(l.store(sum));
        }
    }
}

#[inline(always)]
fn kernel_gradient<L: Lanes, const K: usize>(
    l: L,
    map: Map,
    x: &[Octet],
    out: &[Octet],
    gradient: &mut [Octet],
) {
    let (width, reach) = (map.width, K / 2);
    let inner = reach..width.saturating_sub(reach).max(reach);
    // Where a tap of the kernel lies, counted from the left end of the kernel over the first column.
    let within = reach..width + reach;
    for (row, gradient) in gradient.chunks_exact_mut(K).enumerate() {
        // Neighbouring positions have sums of their own, so that they need not wait for each other.
        let mut sums = [[l.splat(0.0); K]; 2];
        // The rows of the output for which this row of the kernel lies within the map.
        let begin = reach.saturating_sub(row);
        let end = (map.height + reach).saturating_sub(row).min(map.height);
        for y in begin..end.max(begin) {
            let x = &x[(y + row - reach) * width..][..width];
            let out = &out[y * width..][..width];
            let border = (0..reach.min(width)).chain(inner.end.min(width)..width);
            for at in border {
                let out = l.load(&out[at].0);
                for column in 0..K {
                    if within.contains(&(at + column)) {
                        let x = l.load(&x[at + column - reach].0);
                        sums[0][column] = l.mul_add(x, out, sums[0][column]);
                    }
                }
            }
            if inner.is_empty() {
                continue;
            }
            let mut pairs = out[inner.clone()].chunks_exact(2);
            let mut at = 0;
            for pair in &mut pairs {
                for half in 0..2 {
                    let out = l.load(&pair[half].0);
                    let window: &[Octet; K] = x[at + half..].first_chunk().expect("a window");
                    for column in 0..K {
                        let x = l.load(&window[column].0);
                        sums[half][column] = l.mul_add(x, out, sums[half][column]);
                    }
                }
                at += 2;
            }
            for out in pairs.remainder() {
                let out = l.load(&out.0);
                let window: &[Octet; K] = x[at..].first_chunk().expect("a window");
                for column in 0..K {
                    let x = l.load(&window[column].0);
                    sums[0][column] = l.mul_add(x, out, sums[0][column]);
                }
            }
        }
        for (column, gradient) in gradient.iter_mut().enumerate() {
            let sum = l.add(sums[0][column], sums[1][column]);
            *gradient = Octet(l.store(l.add(l.load(&gradient.0), sum)));
        }
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
