//! What a runner with kernels of its own supplies, and the one autodiff node that differentiates
//! a whole sequence of any of them.

use core::marker::PhantomData;

use burn::module::Param;
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Tensor, TensorPrimitive};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use crate::runner::CellRunner;
use crate::{BottleneckLstm, BottleneckLstmConfig, BottleneckLstmState, Reference};

/// The kernels of a runner on backend `B`, which is never an `Autodiff` one: [`forward`] and
/// [`forward_autodiff`] turn them into a [`CellRunner`].
///
/// Shapes and element types are validated before any of these is called.
pub trait FusedCell<B: Backend>: Clone + Send + core::fmt::Debug + 'static {
    /// What the backward pass needs of the forward pass.
    type Tape: Clone + Send + core::fmt::Debug + 'static;

    /// Whether the kernels cover a cell of this configuration and element type; all others go to
    /// [`Reference`].
    fn covers(&self, config: &BottleneckLstmConfig, dtype: DType) -> bool;

    /// Runs a sequence.
    fn forward(
        &self,
        config: &BottleneckLstmConfig,
        tensors: CellTensors<FloatTensor<B>>,
    ) -> Outcome<FloatTensor<B>>;

    /// Runs a sequence and records it. Returns outputs and cell state of [`forward`](Self::forward)
    /// in one tensor of rank 1, one after the other, since an autodiff node has one output.
    fn forward_taped(
        &self,
        config: &BottleneckLstmConfig,
        tensors: CellTensors<FloatTensor<B>>,
    ) -> (FloatTensor<B>, Self::Tape);

    /// The gradients of the tensors that are `wanted`, each of its tensor's shape, from the
    /// gradient of what [`forward_taped`](Self::forward_taped) returned.
    fn backward(
        &self,
        config: &BottleneckLstmConfig,
        tape: Self::Tape,
        wanted: CellTensors<bool, bool>,
        gradient: FloatTensor<B>,
    ) -> CellGradients<FloatTensor<B>>;
}

/// What becomes of a sequence.
#[derive(Debug, Clone)]
pub struct Outcome<T> {
    /// What the cell yields, `[batch, time, output, height, width]`.
    pub outputs: T,
    /// The last cell state, `[batch, hidden, height, width]`.
    pub cell: T,
    /// The last hidden state, likewise; cut out of the outputs if there is none.
    pub hidden: Option<T>,
}

/// Every tensor that a sequence depends on: `T` where the cell always has it, `O` where it may be
/// absent. Shapes are those of [`BottleneckLstm`]'s fields.
#[derive(Debug, Clone)]
pub struct CellTensors<T, O = Option<T>> {
    /// The input, `[batch, time, input, height, width]`.
    pub xs: T,
    /// The cell state at the start, `[batch, hidden, height, width]`.
    pub cell: T,
    /// The hidden state at the start, `[batch, hidden, height, width]`.
    pub hidden: T,
    /// [`BottleneckLstm::depthwise`].
    pub depthwise: T,
    /// [`BottleneckLstm::depthwise_bias`].
    pub depthwise_bias: O,
    /// [`BottleneckLstm::bottleneck`].
    pub bottleneck: T,
    /// [`BottleneckLstm::bottleneck_bias`].
    pub bottleneck_bias: T,
    /// [`BottleneckLstm::bottleneck_depthwise`].
    pub bottleneck_depthwise: T,
    /// [`BottleneckLstm::gates`].
    pub gates: T,
    /// [`BottleneckLstm::gates_bias`].
    pub gates_bias: O,
    /// [`BottleneckLstm::peephole_input`].
    pub peephole_input: O,
    /// [`BottleneckLstm::peephole_forget`].
    pub peephole_forget: O,
    /// [`BottleneckLstm::peephole_output`].
    pub peephole_output: O,
}

/// Gradients of [`CellTensors`], where they were wanted.
pub type CellGradients<T> = CellTensors<Option<T>, Option<T>>;

/// What a runner makes of a sequence: see [`CellRunner::forward`].
pub type Sequence<B> = (Tensor<B, 5>, BottleneckLstmState<B>);

/// The number of [`CellTensors`].
pub const TENSORS: usize = 13;

impl<T> CellTensors<T, T> {
    /// The tensors in the order of their fields.
    pub fn from_array(array: [T; TENSORS]) -> Self {
        let [
            xs,
            cell,
            hidden,
            depthwise,
            depthwise_bias,
            bottleneck,
            bottleneck_bias,
            bottleneck_depthwise,
            gates,
            gates_bias,
            peephole_input,
            peephole_forget,
            peephole_output,
        ] = array;
        Self {
            xs,
            cell,
            hidden,
            depthwise,
            depthwise_bias,
            bottleneck,
            bottleneck_bias,
            bottleneck_depthwise,
            gates,
            gates_bias,
            peephole_input,
            peephole_forget,
            peephole_output,
        }
    }

    /// The reverse of [`from_array`](Self::from_array).
    pub fn into_array(self) -> [T; TENSORS] {
        [
            self.xs,
            self.cell,
            self.hidden,
            self.depthwise,
            self.depthwise_bias,
            self.bottleneck,
            self.bottleneck_bias,
            self.bottleneck_depthwise,
            self.gates,
            self.gates_bias,
            self.peephole_input,
            self.peephole_forget,
            self.peephole_output,
        ]
    }
}

impl<T> CellTensors<T> {
    /// Every tensor, or that it is not there.
    pub fn into_options(self) -> CellTensors<Option<T>, Option<T>> {
        CellTensors {
            xs: Some(self.xs),
            cell: Some(self.cell),
            hidden: Some(self.hidden),
            depthwise: Some(self.depthwise),
            depthwise_bias: self.depthwise_bias,
            bottleneck: Some(self.bottleneck),
            bottleneck_bias: Some(self.bottleneck_bias),
            bottleneck_depthwise: Some(self.bottleneck_depthwise),
            gates: Some(self.gates),
            gates_bias: self.gates_bias,
            peephole_input: self.peephole_input,
            peephole_forget: self.peephole_forget,
            peephole_output: self.peephole_output,
        }
    }

    /// Applies `f` to every tensor that is there.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> CellTensors<U> {
        CellTensors {
            xs: f(self.xs),
            cell: f(self.cell),
            hidden: f(self.hidden),
            depthwise: f(self.depthwise),
            depthwise_bias: self.depthwise_bias.map(&mut f),
            bottleneck: f(self.bottleneck),
            bottleneck_bias: f(self.bottleneck_bias),
            bottleneck_depthwise: f(self.bottleneck_depthwise),
            gates: f(self.gates),
            gates_bias: self.gates_bias.map(&mut f),
            peephole_input: self.peephole_input.map(&mut f),
            peephole_forget: self.peephole_forget.map(&mut f),
            peephole_output: self.peephole_output.map(&mut f),
        }
    }

    /// Every tensor, with `absent()` in the place of those that are not there.
    fn or_else(self, absent: impl Fn() -> T) -> CellTensors<T, T> {
        let tensors = self.into_options().into_array();
        CellTensors::from_array(tensors.map(|tensor| tensor.unwrap_or_else(&absent)))
    }
}

/// The tensors of a call on `cell`, as primitives.
pub fn tensors<B: Backend>(
    cell: &BottleneckLstm<B>,
    xs: Tensor<B, 5>,
    state: BottleneckLstmState<B>,
) -> CellTensors<FloatTensor<B>> {
    fn take<B: Backend, const D: usize>(param: &Param<Tensor<B, D>>) -> FloatTensor<B> {
        param.val().into_primitive().tensor()
    }
    CellTensors {
        xs: xs.into_primitive().tensor(),
        cell: state.cell.into_primitive().tensor(),
        hidden: state.hidden.into_primitive().tensor(),
        depthwise: take(&cell.depthwise),
        depthwise_bias: cell.depthwise_bias.as_ref().map(take),
        bottleneck: take(&cell.bottleneck),
        bottleneck_bias: take(&cell.bottleneck_bias),
        bottleneck_depthwise: take(&cell.bottleneck_depthwise),
        gates: take(&cell.gates),
        gates_bias: cell.gates_bias.as_ref().map(take),
        peephole_input: cell.peephole_input.as_ref().map(take),
        peephole_forget: cell.peephole_forget.as_ref().map(take),
        peephole_output: cell.peephole_output.as_ref().map(take),
    }
}

/// [`CellRunner::forward`] of a runner's kernels, on a backend without autodiff.
pub fn forward<B: Backend, F: FusedCell<B>>(
    fused: &F,
    cell: &BottleneckLstm<B>,
    xs: Tensor<B, 5>,
    state: BottleneckLstmState<B>,
) -> Sequence<B> {
    let config = cell.config();
    if !fused.covers(config, xs.dtype()) {
        return Reference.forward(cell, xs, state);
    }
    unpacked(config, fused.forward(config, tensors(cell, xs, state)))
}

fn unpacked<B: Backend>(
    config: &BottleneckLstmConfig,
    outcome: Outcome<FloatTensor<B>>,
) -> Sequence<B> {
    let outputs = Tensor::from_primitive(TensorPrimitive::Float(outcome.outputs));
    let cell = Tensor::from_primitive(TensorPrimitive::Float(outcome.cell));
    let hidden = match outcome.hidden {
        Some(hidden) => Tensor::from_primitive(TensorPrimitive::Float(hidden)),
        None => last_hidden(config, &outputs),
    };
    (outputs, BottleneckLstmState::new(cell, hidden))
}

/// [`CellRunner::forward`] of a runner's kernels under `Autodiff`: one node for the sequence.
pub fn forward_autodiff<B: Backend, C: CheckpointStrategy, F: FusedCell<B>>(
    fused: &F,
    cell: &BottleneckLstm<Autodiff<B, C>>,
    xs: Tensor<Autodiff<B, C>, 5>,
    state: BottleneckLstmState<Autodiff<B, C>>,
) -> Sequence<Autodiff<B, C>> {
    let config = cell.config();
    if !fused.covers(config, xs.dtype()) {
        return Reference.forward(cell, xs, state);
    }
    let [batch, time, _, height, width] = xs.dims();
    let (device, dtype) = (xs.device(), xs.dtype());

    let tracked = tensors(cell, xs, state);
    let inner = tracked.clone().map(|tensor| tensor.primitive);
    let untracked = || Tensor::<Autodiff<B, C>, 1>::zeros([1], (&device, dtype));
    // A backward pass in another thread clears away nodes that no tensor refers to: these stay
    // until the new node is registered as their child.
    let parents = tracked
        .or_else(|| untracked().into_primitive().tensor())
        .into_array();
    let nodes = parents.each_ref().map(|tensor| tensor.node.clone());

    let node = SequenceNode {
        fused: fused.clone(),
        backend: PhantomData,
    };
    let packed = match node.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => {
            let (packed, tape) = fused.forward_taped(config, inner);
            let packed = prep.finish((config.clone(), tape), packed);
            drop(parents);
            packed
        }
        OpsKind::UnTracked(_) => {
            let (outputs, last) = unpacked(config, fused.forward(config, inner));
            let last = BottleneckLstmState::new(
                Tensor::from_inner(last.cell),
                Tensor::from_inner(last.hidden),
            );
            return (Tensor::from_inner(outputs), last);
        }
    };

    let packed = Tensor::<Autodiff<B, C>, 1>::from_primitive(TensorPrimitive::Float(packed));
    let hidden = config.hidden_channels;
    let shape = [batch, time, config.output_channels(), height, width];
    let split = shape.iter().product::<usize>();
    let outputs = packed.clone().narrow(0, 0, split).reshape(shape);
    let last = packed
        .narrow(0, split, batch * hidden * height * width)
        .reshape([batch, hidden, height, width]);
    let hidden = last_hidden(config, &outputs);
    (outputs, BottleneckLstmState::new(last, hidden))
}

fn last_hidden<B: Backend>(config: &BottleneckLstmConfig, outputs: &Tensor<B, 5>) -> Tensor<B, 4> {
    let last = outputs.dims()[1] - 1;
    outputs
        .clone()
        .narrow(1, last, 1)
        .squeeze_dim::<4>(1)
        .narrow(1, 0, config.hidden_channels)
}

/// The autodiff node of a whole sequence. Its parents are the [`CellTensors`]; parameters that
/// the cell lacks are untracked placeholders.
#[derive(Debug)]
struct SequenceNode<B, F> {
    fused: F,
    backend: PhantomData<B>,
}

impl<B: Backend, F: FusedCell<B>> Backward<B, TENSORS> for SequenceNode<B, F> {
    type State = (BottleneckLstmConfig, F::Tape);

    fn backward(
        self,
        ops: Ops<Self::State, TENSORS>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<B>(&ops.node);
        let (config, tape) = ops.state;
        let wanted = CellTensors::from_array(ops.parents.each_ref().map(Option::is_some));
        let gradients = self.fused.backward(&config, tape, wanted, gradient);
        for (parent, gradient) in ops.parents.into_iter().zip(gradients.into_array()) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<B>(parent.id, gradient);
            }
        }
    }
}
