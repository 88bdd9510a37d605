//! Between channels first, as Burn has it, and channels last, as the kernels want it.

/// Positions that are moved together, so that both sides stay within a few cache lines.
const TILE: usize = 16;

/// `from`, `[channels, area]`, into `to`, `[area, channels]`.
pub(crate) fn to_channels_last(from: &[f32], to: &mut [f32], channels: usize, area: usize) {
    transpose(from, to, channels, area);
}

/// `from`, `[area, channels]`, into `to`, `[channels, area]`.
pub(crate) fn to_channels_first(from: &[f32], to: &mut [f32], channels: usize, area: usize) {
    transpose(from, to, area, channels);
}

/// `from`, `[rows, columns]`, into `to`, `[columns, rows]`, tile by tile.
fn transpose(from: &[f32], to: &mut [f32], rows: usize, columns: usize) {
    assert_eq!(
        from.len(),
        rows * columns,
        "the matrix to transpose has another size"
    );
    assert_eq!(
        to.len(),
        rows * columns,
        "the transposed matrix has another size"
    );
    for top in (0..rows).step_by(TILE) {
        let bottom = (top + TILE).min(rows);
        for left in (0..columns).step_by(TILE) {
            let right = (left + TILE).min(columns);
            for column in left..right {
                let line = &mut to[column * rows + top..column * rows + bottom];
                for (value, row) in line.iter_mut().zip(top..) {
                    *value = from[row * columns + column];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_on_awkward_sizes() {
        for (channels, area) in [
            (1, 1),
            (1, 17),
            (3, 5),
            (16, 16),
            (17, 15),
            (31, 33),
            (0, 4),
        ] {
            let from = (0..channels * area)
                .map(|value| value as f32)
                .collect::<Vec<_>>();
            let mut last = vec![0.0; from.len()];
            to_channels_last(&from, &mut last, channels, area);
            for channel in 0..channels {
                for position in 0..area {
                    assert_eq!(
                        last[position * channels + channel],
                        from[channel * area + position]
                    );
                }
            }
            let mut first = vec![0.0; from.len()];
            to_channels_first(&last, &mut first, channels, area);
            assert_eq!(first, from);
        }
    }
}
