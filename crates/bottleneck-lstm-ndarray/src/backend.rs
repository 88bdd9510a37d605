//! The border to Burn: slices out of tensors and tensors out of vectors.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{Flex, FlexTensor, Layout};
use burn_ndarray::{FloatNdArrayElement, IntNdArrayElement, NdArray, NdArrayTensor, SharedArray};
use ndarray::{ArcArray, IxDyn};

/// A backend whose tensors lie in the CPU's memory: `NdArray` and `Flex`.
///
/// Sealed: its methods are private to this crate.
pub trait CpuBackend: Backend + sealed::Slices {}

impl<B: Backend + sealed::Slices> CpuBackend for B {}

pub(crate) mod sealed {
    use super::*;

    pub trait Slices: Backend {
        /// The tensor with its values in order, copied only if they are not.
        fn contiguous(tensor: FloatTensor<Self>) -> FloatTensor<Self>;

        /// The values of a [`contiguous`](Self::contiguous) `f32` tensor.
        fn slice(tensor: &FloatTensor<Self>) -> &[f32];

        /// A tensor of `values` in order.
        fn tensor(values: Vec<f32>, shape: Shape) -> FloatTensor<Self>;
    }
}

/// What [`sealed::Slices::slice`] is promised.
const PROMISE: &str = "the tensor was made contiguous and is f32, as the runner checked";

impl<E: FloatNdArrayElement, I: IntNdArrayElement> sealed::Slices for NdArray<E, I>
where
    NdArrayTensor: From<SharedArray<E>> + From<SharedArray<I>>,
{
    fn contiguous(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        match tensor {
            NdArrayTensor::F32(storage) if !storage.view().is_standard_layout() => {
                let array = storage.into_shared();
                array.as_standard_layout().into_owned().into_shared().into()
            }
            tensor => tensor,
        }
    }

    fn slice(tensor: &FloatTensor<Self>) -> &[f32] {
        match tensor {
            NdArrayTensor::F32(storage) => storage.view().to_slice().expect(PROMISE),
            _ => panic!("{PROMISE}"),
        }
    }

    fn tensor(values: Vec<f32>, shape: Shape) -> FloatTensor<Self> {
        let dims = IxDyn(shape.as_slice());
        ArcArray::from_shape_vec(dims, values)
            .expect("as many values as the shape has")
            .into()
    }
}

impl sealed::Slices for Flex {
    fn contiguous(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        match tensor.as_slice::<f32>() {
            Some(_) => tensor,
            None => tensor.to_contiguous(),
        }
    }

    fn slice(tensor: &FloatTensor<Self>) -> &[f32] {
        tensor.as_slice().expect(PROMISE)
    }

    fn tensor(values: Vec<f32>, shape: Shape) -> FloatTensor<Self> {
        FlexTensor::new(
            Bytes::from_elems(values),
            Layout::contiguous(shape),
            DType::F32,
        )
    }
}
