//! What a cell carries from one frame to the next.

use burn::record::Record;
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Int, Tensor};

/// The state of a [`BottleneckLstm`](crate::BottleneckLstm) or a [`ConvLstm`](crate::ConvLstm).
///
/// A state is a value: nothing carries it from one video into the next but the caller.
///
/// # Memory
///
/// Under `Autodiff` a state remembers how it came about. When training, [`detach`](Self::detach) it
/// between the chunks of truncated back-propagation through time, after the backward pass of each,
/// or memory grows with the length of the video. To run a cell without a backward pass, detaching
/// is not enough, since Burn's `Autodiff` lets go of what it recorded in a backward pass alone: run
/// it on the inner backend, where [`valid`](burn::module::AutodiffModule::valid) takes a module.
///
/// # Records
///
/// It derives Burn's [`Record`]: saved with `FullPrecisionSettings`, an `f32` state resumes bit
/// for bit.
///
/// # Example
///
/// ```
/// use bottleneck_lstm::{BottleneckLstmConfig, BottleneckLstmState};
/// use burn::tensor::Tensor;
/// use burn_flex::Flex;
///
/// let device = Default::default();
/// let cell = BottleneckLstmConfig::new(8, 4).init::<Flex>(&device);
/// let mut state: Option<BottleneckLstmState<Flex>> = None;
/// for _frame in 0..3 {
///     let x = Tensor::ones([1, 8, 6, 6], &device);
///     state = Some(cell.step(x, state).detach());
/// }
/// assert!(state.unwrap().is_finite());
/// ```
#[derive(Record, Debug, Clone)]
pub struct BottleneckLstmState<B: Backend> {
    /// The cell state, `[batch, hidden, height, width]`.
    pub cell: Tensor<B, 4>,
    /// The hidden state, `[batch, hidden, height, width]`.
    pub hidden: Tensor<B, 4>,
}

impl<B: Backend> BottleneckLstmState<B> {
    /// A state of the given tensors, both `[batch, hidden, height, width]`.
    pub fn new(cell: Tensor<B, 4>, hidden: Tensor<B, 4>) -> Self {
        Self { cell, hidden }
    }

    /// A state of zeros, of shape `[batch, hidden, height, width]` and the device's default element
    /// type. A cell's `init_state` has the element type of its parameters.
    pub fn zeros(shape: [usize; 4], device: &B::Device) -> Self {
        Self::new(Tensor::zeros(shape, device), Tensor::zeros(shape, device))
    }

    /// The batch size.
    pub fn batch(&self) -> usize {
        self.hidden.dims()[0]
    }

    /// Cuts the state from how it came about, so that no gradient flows further back. Without
    /// `Autodiff` this changes nothing.
    pub fn detach(self) -> Self {
        self.map(Tensor::detach)
    }

    /// Moves the state to a device.
    pub fn to_device(self, device: &B::Device) -> Self {
        self.map(|tensor| tensor.to_device(device))
    }

    /// The rows of the batch that `indices`, `[rows]`, names, in that order.
    pub fn select(self, indices: Tensor<B, 1, Int>) -> Self {
        self.map(|tensor| tensor.select(0, indices.clone()))
    }

    /// Joins states over the batch.
    ///
    /// # Panics
    ///
    /// If `states` is empty or their other dimensions differ, as [`Tensor::cat`] does.
    pub fn cat(states: Vec<Self>) -> Self {
        let (cells, hiddens) = states.into_iter().map(|s| (s.cell, s.hidden)).unzip();
        Self::new(Tensor::cat(cells, 0), Tensor::cat(hiddens, 0))
    }

    /// Sets the rows of the batch where `mask`, `[batch]`, holds to zero.
    ///
    /// A cell with a learned state starts elsewhere: see
    /// [`BottleneckLstm::forward_reset`](crate::BottleneckLstm::forward_reset), or
    /// [`reset_to`](Self::reset_to) with its `init_state`.
    pub fn reset(self, mask: Tensor<B, 1, Bool>) -> Self {
        let mask = mask.reshape([-1, 1, 1, 1]);
        self.map(|tensor| {
            let mask = mask.clone().expand(tensor.dims());
            tensor.mask_fill(mask, 0.0)
        })
    }

    /// Sets the rows of the batch where `mask`, `[batch]`, holds to those of `start`, a state of the
    /// same shape.
    pub fn reset_to(self, mask: Tensor<B, 1, Bool>, start: Self) -> Self {
        let mask = mask.reshape([-1, 1, 1, 1]).expand(self.hidden.dims());
        Self::new(
            self.cell.mask_where(mask.clone(), start.cell),
            self.hidden.mask_where(mask, start.hidden),
        )
    }

    /// Whether every value is finite. This waits for the device: it reads a value of each tensor
    /// back.
    pub fn is_finite(&self) -> bool {
        let finite = |tensor: &Tensor<B, 4>| tensor.clone().is_finite().all().into_scalar();
        use burn::tensor::ElementConversion;
        finite(&self.cell).elem::<bool>() && finite(&self.hidden).elem::<bool>()
    }

    fn map(self, f: impl Fn(Tensor<B, 4>) -> Tensor<B, 4>) -> Self {
        Self::new(f(self.cell), f(self.hidden))
    }
}
