//! The same values in other places of the memory.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// The same tensor with its dimensions in the reverse order in memory, so that it is a permuted
/// view wherever the backend has views.
pub fn permuted<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Tensor<B, D> {
    let reverse: [isize; D] = core::array::from_fn(|dim| (D - 1 - dim) as isize);
    let options = (&tensor.device(), tensor.dtype());
    Tensor::from_data(tensor.permute(reverse).into_data(), options).permute(reverse)
}

/// The same tensor as the middle of a larger one that is NaN elsewhere, along `dim`.
pub fn sliced<B: Backend, const D: usize>(tensor: Tensor<B, D>, dim: usize) -> Tensor<B, D> {
    let len = tensor.dims()[dim];
    let mut frame = tensor.dims();
    frame[dim] = 1;
    let frame = Tensor::full(frame, f64::NAN, (&tensor.device(), tensor.dtype()));
    Tensor::cat(vec![frame.clone(), tensor, frame], dim).narrow(dim, 1, len)
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;
    use burn_flex::Flex;

    use super::*;

    #[test]
    fn values_stay_and_memory_does_not() {
        let device = Default::default();
        let tensor = Tensor::<Flex, 2>::from_data([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], &device);
        let expected: TensorData = tensor.to_data();
        let permuted = permuted(tensor.clone());
        assert!(!permuted.clone().into_primitive().tensor().is_contiguous());
        assert_eq!(permuted.into_data(), expected);
        assert_eq!(sliced(tensor.clone(), 0).into_data(), expected);
        assert_eq!(sliced(tensor, 1).into_data(), expected);
    }
}
