//! Matrix products, through the `gemm` crate.

use gemm::Parallelism;

/// A matrix that lies in a slice with any strides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    data: &'a [f32],
    shape: Shape,
}

/// Where the element `(row, column)` lies: `row * strides[0] + column * strides[1]`.
#[derive(Debug, Clone, Copy)]
struct Shape {
    rows: usize,
    columns: usize,
    strides: [usize; 2],
}

impl Shape {
    /// One past the last element.
    fn end(&self) -> usize {
        if self.rows == 0 || self.columns == 0 {
            return 0;
        }
        (self.rows - 1) * self.strides[0] + (self.columns - 1) * self.strides[1] + 1
    }
}

impl<'a> Matrix<'a> {
    /// `rows` lines of `columns` values, each line `stride` values after the one before.
    pub(crate) fn new(data: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        let shape = Shape {
            rows,
            columns,
            strides: [stride, 1],
        };
        assert!(shape.end() <= data.len(), "a matrix reaches past its slice");
        Self { data, shape }
    }

    /// The matrix with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        let Shape {
            rows,
            columns,
            strides: [row, column],
        } = self.shape;
        Self {
            shape: Shape {
                rows: columns,
                columns: rows,
                strides: [column, row],
            },
            ..self
        }
    }
}

/// Writes `a b` over `out`, or adds it where `accumulate` holds. `out` has lines `stride` apart.
pub(crate) fn product(a: Matrix, b: Matrix, out: &mut [f32], stride: usize, accumulate: bool) {
    let (rows, columns, depth) = (a.shape.rows, b.shape.columns, a.shape.columns);
    let shape = Shape {
        rows,
        columns,
        strides: [stride, 1],
    };
    assert_eq!(
        depth, b.shape.rows,
        "the inner sizes of a matrix product differ"
    );
    assert!(
        columns <= stride || rows <= 1,
        "lines of the product overlap"
    );
    assert!(
        shape.end() <= out.len(),
        "the product reaches past its slice"
    );
    // SAFETY: `Matrix::new` and the assertions above keep every element that the strides reach
    // within its slice; `out` is borrowed mutably, so it overlaps neither factor, and its lines do
    // not overlap each other.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            depth,
            out.as_mut_ptr(),
            1,
            stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.shape.strides[1] as isize,
            a.shape.strides[0] as isize,
            b.data.as_ptr(),
            b.shape.strides[1] as isize,
            b.shape.strides[0] as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_equal_the_naive_sum_on_awkward_sizes() {
        for [rows, columns, depth] in [[1, 1, 1], [3, 5, 7], [17, 16, 31], [64, 9, 33], [2, 3, 0]] {
            let a = (0..rows * (depth + 1))
                .map(|i| (i as f32).sin())
                .collect::<Vec<_>>();
            let b = (0..columns * (depth + 2))
                .map(|i| (i as f32).cos())
                .collect::<Vec<_>>();
            let stride = columns + 3;
            let mut out = vec![1.0; rows * stride];
            let left = Matrix::new(&a, rows, depth, depth + 1);
            let right = Matrix::new(&b, columns, depth, depth + 2).transposed();
            product(left, right, &mut out, stride, true);
            for (row, line) in out.chunks_exact(stride).enumerate() {
                let (inside, outside) = line.split_at(columns);
                assert_eq!(outside, vec![1.0; stride - columns]);
                for (column, value) in inside.iter().enumerate() {
                    let sum = (0..depth)
                        .map(|i| a[row * (depth + 1) + i] * b[column * (depth + 2) + i])
                        .sum::<f32>();
                    assert!((value - 1.0 - sum).abs() < 1e-5, "{value} {sum}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "reaches past its slice")]
    fn a_matrix_stays_within_its_slice() {
        Matrix::new(&[0.0; 8], 3, 3, 3);
    }
}
