//! The depthwise convolution, 'same' padding, stride 1, channels last.
//!
//! Kernels are packed as `[k * k, channels]`, see [`pack`].

/// The map that a convolution runs over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Map {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    /// Side of the kernels, odd.
    pub kernel: usize,
}

impl Map {
    /// Values of one map.
    fn len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Calls `visit(position, tap, neighbour)` for every tap of the kernel that lies within the
    /// map, position by position.
    fn visit_taps(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let reach = self.kernel / 2;
        for y in 0..self.height {
            let rows = reach.saturating_sub(y)..self.kernel.min(self.height + reach - y);
            for x in 0..self.width {
                let columns = reach.saturating_sub(x)..self.kernel.min(self.width + reach - x);
                for row in rows.clone() {
                    for column in columns.clone() {
                        let neighbour = (y + row - reach) * self.width + x + column - reach;
                        visit(y * self.width + x, row * self.kernel + column, neighbour);
                    }
                }
            }
        }
    }
}

/// Packs `weights`, `[channels, 1, k, k]`, into `[k * k, channels]`.
pub(crate) fn pack(weights: &[f32], kernel: usize) -> Vec<f32> {
    let taps = kernel * kernel;
    let channels = weights.len() / taps;
    (0..taps)
        .flat_map(|tap| (0..channels).map(move |c| weights[c * taps + tap]))
        .collect()
}

/// Adds packed `kernels`, `[k * k, channels]`, to `weights`, `[channels, 1, k, k]`.
pub(crate) fn unpack_add(kernels: &[f32], weights: &mut [f32], kernel: usize) {
    let taps = kernel * kernel;
    let channels = weights.len() / taps;
    for (c, weights) in weights.chunks_exact_mut(taps).enumerate() {
        for (tap, weight) in weights.iter_mut().enumerate() {
            *weight += kernels[tap * channels + c];
        }
    }
}

/// Packed kernels turned by half a turn: convolving a gradient with them is the transpose of
/// convolving with `kernels`.
pub(crate) fn turn(kernels: &[f32], channels: usize) -> Vec<f32> {
    kernels.rchunks_exact(channels).flatten().copied().collect()
}

/// Convolves every map of `x`, `[maps, area, channels]`, into `out`.
pub(crate) fn convolve(
    map: Map,
    x: &[f32],
    kernels: &[f32],
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    for (x, out) in x
        .chunks_exact(map.len())
        .zip(out.chunks_exact_mut(map.len()))
    {
        match bias {
            Some(bias) => {
                out.chunks_exact_mut(map.channels)
                    .for_each(|line| line.copy_from_slice(bias));
            }
            None => out.fill(0.0),
        }
        accumulate(map, x, kernels, out);
    }
}

/// Convolves every map of `x` and adds the result to `out`, both `[maps, area, channels]`.
pub(crate) fn convolve_add(map: Map, x: &[f32], kernels: &[f32], out: &mut [f32]) {
    for (x, out) in x
        .chunks_exact(map.len())
        .zip(out.chunks_exact_mut(map.len()))
    {
        accumulate(map, x, kernels, out);
    }
}

/// Convolves one map and adds the result to `out`.
fn accumulate(map: Map, x: &[f32], kernels: &[f32], out: &mut [f32]) {
    let channels = map.channels;
    map.visit_taps(|position, tap, neighbour| {
        let out = &mut out[position * channels..][..channels];
        let x = &x[neighbour * channels..][..channels];
        let kernel = &kernels[tap * channels..][..channels];
        for ((out, x), kernel) in out.iter_mut().zip(x).zip(kernel) {
            *out += x * kernel;
        }
    });
}

/// Adds to `gradient`, `[k * k, channels]`, what the kernels owe to the gradient `out` of
/// convolving `x`, both `[maps, area, channels]`.
pub(crate) fn kernel_gradient(map: Map, x: &[f32], out: &[f32], gradient: &mut [f32]) {
    let channels = map.channels;
    for (x, out) in x.chunks_exact(map.len()).zip(out.chunks_exact(map.len())) {
        map.visit_taps(|position, tap, neighbour| {
            let out = &out[position * channels..][..channels];
            let x = &x[neighbour * channels..][..channels];
            let gradient = &mut gradient[tap * channels..][..channels];
            for ((gradient, x), out) in gradient.iter_mut().zip(x).zip(out) {
                *gradient += x * out;
            }
        });
    }
}
