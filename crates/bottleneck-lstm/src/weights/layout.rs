//! Where a tensor's elements lie in a file.

use std::ops::Range;

use super::element::ElementType;

/// Most dimensions of a tensor. Convolutions have four.
pub(super) const MAX_RANK: usize = 16;

/// Elements that a tensor may repeat a smaller storage to, whatever the size of the file.
const FREE_REPEATS: usize = 1 << 16;

/// Where the elements of one tensor lie in the bytes of a file.
///
/// Both constructors check every address that [`gather`](Self::gather) will form against the
/// storage, so that reading cannot fail, and against the size of the file, so that a few bytes
/// cannot claim to be a terabyte.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub element: ElementType,
    pub shape: Vec<usize>,
    /// Distance of neighbours along each dimension, in elements.
    strides: Vec<usize>,
    /// The byte of the first element.
    start: usize,
    /// The product of `shape`.
    pub elements: usize,
}

/// Why a layout is not one: what was expected, and what was found.
pub(super) type Mismatch = (String, String);

impl Layout {
    /// Row-major elements that fill `storage` exactly.
    pub fn dense(
        element: ElementType,
        shape: Vec<usize>,
        storage: Range<usize>,
    ) -> Result<Self, Mismatch> {
        let elements = product(&shape)?;
        let mut strides = vec![1_usize; shape.len()];
        for dim in (1..shape.len()).rev() {
            strides[dim - 1] = strides[dim].saturating_mul(shape[dim]);
        }
        let bytes = elements
            .checked_mul(element.bits())
            .map(|bits| bits.div_ceil(8));
        if bytes != Some(storage.len()) {
            return Err((
                format!("{} bytes for {element} of shape {shape:?}", display(bytes)),
                format!("{} bytes", storage.len()),
            ));
        }
        Ok(Self {
            element,
            shape,
            strides,
            start: storage.start,
            elements,
        })
    }

    /// Elements of `storage` from element `offset` on, with steps of `strides`. `file` is the
    /// length of the file in bytes.
    pub fn strided(
        element: ElementType,
        shape: Vec<usize>,
        mut strides: Vec<usize>,
        offset: usize,
        storage: Range<usize>,
        file: usize,
    ) -> Result<Self, Mismatch> {
        if shape.len() != strides.len() || shape.len() > MAX_RANK {
            return Err((
                format!("a stride for each of at most {MAX_RANK} dimensions"),
                format!("{} dimensions and {} strides", shape.len(), strides.len()),
            ));
        }
        let elements = product(&shape)?;
        let width = element.bits().div_ceil(8);
        let available = storage.len() / width;
        if elements == 0 {
            return Ok(Self {
                element,
                shape,
                strides,
                start: storage.start,
                elements,
            });
        }
        let last = shape
            .iter()
            .zip(&strides)
            .try_fold(offset, |last, (size, stride)| {
                last.checked_add((size - 1).checked_mul(*stride)?)
            });
        if last.is_none_or(|last| last >= available) {
            return Err((
                format!("elements within a storage of {available}"),
                format!("shape {shape:?} with strides {strides:?} from element {offset} on"),
            ));
        }
        // Along a dimension of one element the stride means nothing and may be anything.
        for (stride, size) in strides.iter_mut().zip(&shape) {
            if *size == 1 {
                *stride = 0;
            }
        }
        let limit = file.max(FREE_REPEATS);
        if elements > limit {
            return Err((
                format!("at most {limit} elements in a file of {file} bytes"),
                format!("shape {shape:?} with strides {strides:?}"),
            ));
        }
        let start = storage.start + offset * width;
        Ok(Self {
            element,
            shape,
            strides,
            start,
            elements,
        })
    }

    /// The same elements with their dimensions in another order.
    ///
    /// # Panics
    ///
    /// If `order` is not a permutation of the dimensions.
    pub fn permute(&self, order: &[usize]) -> Self {
        let mut seen = vec![false; self.shape.len()];
        for dim in order {
            assert!(
                !std::mem::replace(&mut seen[*dim], true),
                "dimension {dim} is named twice"
            );
        }
        assert_eq!(order.len(), seen.len(), "every dimension has a place");
        Self {
            shape: order.iter().map(|dim| self.shape[*dim]).collect(),
            strides: order.iter().map(|dim| self.strides[*dim]).collect(),
            ..self.clone()
        }
    }

    /// The elements in row-major order, `N` bytes each.
    pub fn gather<const N: usize, T>(&self, file: &[u8], decode: impl Fn([u8; N]) -> T) -> Vec<T> {
        debug_assert_eq!(N * 8, self.element.bits());
        if self.elements == 0 {
            return Vec::new();
        }
        let element = |index: usize| {
            let at = self.start + index * N;
            let mut bytes = [0; N];
            bytes.copy_from_slice(&file[at..at + N]);
            decode(bytes)
        };
        if self.is_dense() {
            return (0..self.elements).map(element).collect();
        }
        let mut values = Vec::with_capacity(self.elements);
        let mut index = vec![0; self.shape.len()];
        let mut at = 0;
        while values.len() < self.elements {
            values.push(element(at));
            for dim in (0..index.len()).rev() {
                at += self.strides[dim];
                index[dim] += 1;
                if index[dim] < self.shape[dim] {
                    break;
                }
                at -= self.strides[dim] * self.shape[dim];
                index[dim] = 0;
            }
        }
        values
    }

    fn is_dense(&self) -> bool {
        let mut next = 1;
        self.shape
            .iter()
            .zip(&self.strides)
            .rev()
            .all(|(size, stride)| {
                let dense = *size == 1 || *stride == next;
                next *= size;
                dense
            })
    }
}

fn product(shape: &[usize]) -> Result<usize, Mismatch> {
    // A zero makes the tensor empty, however large the other sizes are.
    if shape.contains(&0) {
        return Ok(0);
    }
    shape
        .iter()
        .try_fold(1_usize, |product, size| product.checked_mul(*size))
        .ok_or_else(|| {
            (
                format!("at most {} elements", usize::MAX),
                format!("shape {shape:?}"),
            )
        })
}

fn display(bytes: Option<usize>) -> String {
    bytes.map_or_else(
        || format!("more than {}", usize::MAX),
        |bytes| bytes.to_string(),
    )
}
