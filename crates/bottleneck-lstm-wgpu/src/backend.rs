//! The backends that the runner runs on, with and without fusion.

use bottleneck_lstm::BottleneckLstmConfig;
use bottleneck_lstm::fused::{CellGradients, CellTensors, Outcome, TENSORS};
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, TensorMetadata};
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, IntElement};
use burn_fusion::{Fusion, FusionBackend};

use crate::fusion;
use crate::launches::Launches;
use crate::plan::Plan;
use crate::tape::Tape;
use crate::tiling::Tiling;
use crate::{backward, forward};

mod sealed {
    pub trait Sealed {}
}

/// A backend that [`WgpuRunner`](crate::WgpuRunner) has kernels for: `CubeBackend` in `f32` on every
/// runtime, and `Fusion` of it. That is what `Wgpu`, `Vulkan`, `Metal` and `WebGpu` are.
///
/// It is sealed: no other crate can implement it.
#[expect(private_interfaces, reason = "no other crate calls its methods")]
pub trait GpuBackend: Backend + sealed::Sealed {
    #[doc(hidden)]
    fn forward(call: &Call, tensors: CellTensors<FloatTensor<Self>>) -> Outcome<FloatTensor<Self>>;

    /// Outputs and last cell state, one after the other, and the tape.
    #[doc(hidden)]
    fn forward_taped(
        call: &Call,
        tensors: CellTensors<FloatTensor<Self>>,
    ) -> (FloatTensor<Self>, Tape<FloatTensor<Self>>);

    /// From the gradient of what [`forward_taped`](Self::forward_taped) yielded.
    #[doc(hidden)]
    fn backward(
        call: &Call,
        recording: Recording<FloatTensor<Self>>,
        wanted: CellTensors<bool, bool>,
        gradient: FloatTensor<Self>,
    ) -> CellGradients<FloatTensor<Self>>;
}

/// What a call is made with, besides its tensors.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub config: BottleneckLstmConfig,
    pub launches: Launches,
    pub tiling: Tiling,
}

/// What a forward pass leaves for the backward pass.
#[derive(Debug, Clone)]
pub struct Recording<T> {
    pub(crate) tensors: CellTensors<T>,
    pub(crate) tape: Tape<T>,
    /// What it yielded.
    pub(crate) packed: T,
}

impl<T> Recording<T> {
    /// Applies `f` to every tensor.
    pub(crate) fn map<U>(self, mut f: impl FnMut(T) -> U) -> Recording<U> {
        Recording {
            tensors: self.tensors.map(&mut f),
            tape: self.tape.map(&mut f),
            packed: f(self.packed),
        }
    }
}

impl<R: CubeRuntime, I: IntElement, BT: BoolElement> sealed::Sealed for CubeBackend<R, f32, I, BT> {}

#[expect(private_interfaces, reason = "no other crate calls its methods")]
impl<R: CubeRuntime, I: IntElement, BT: BoolElement> GpuBackend for CubeBackend<R, f32, I, BT> {
    fn forward(call: &Call, tensors: CellTensors<CubeTensor<R>>) -> Outcome<CubeTensor<R>> {
        let plan = Plan::new(&call.config, tensors.xs.meta.shape());
        forward::run(&plan, call, tensors)
    }

    fn forward_taped(
        call: &Call,
        tensors: CellTensors<CubeTensor<R>>,
    ) -> (CubeTensor<R>, Tape<CubeTensor<R>>) {
        let plan = Plan::new(&call.config, tensors.xs.meta.shape());
        forward::run_taped(&plan, call, tensors)
    }

    fn backward(
        call: &Call,
        recording: Recording<CubeTensor<R>>,
        wanted: CellTensors<bool, bool>,
        gradient: CubeTensor<R>,
    ) -> CellGradients<CubeTensor<R>> {
        let plan = Plan::new(&call.config, recording.tensors.xs.meta.shape());
        backward::run(&plan, call, recording, &wanted, gradient)
    }
}

impl<B: GpuBackend + FusionBackend> sealed::Sealed for Fusion<B> {}

/// A call is one custom operation of the fusion client, whose body runs in the fusion server.
#[expect(private_interfaces, reason = "no other crate calls its methods")]
impl<B: GpuBackend + FusionBackend> GpuBackend for Fusion<B> {
    fn forward(call: &Call, tensors: CellTensors<FloatTensor<Self>>) -> Outcome<FloatTensor<Self>> {
        let plan = Plan::new(&call.config, &tensors.xs.shape());
        let (inputs, places) = fusion::list(|list| tensors.map(list));
        let shapes = vec![plan.outputs_shape(), plan.state_shape(), plan.state_shape()];
        let call = call.clone();
        let outputs = fusion::register::<B>("bottleneck_lstm", inputs, shapes, move |inputs| {
            let outcome = B::forward(&call, places.clone().map(fusion::each(inputs)));
            let hidden = outcome.hidden.expect("the kernels have it");
            vec![outcome.outputs, outcome.cell, hidden]
        });
        let [outputs, cell, hidden] = outputs.try_into().expect("three outputs were asked for");
        Outcome {
            outputs,
            cell,
            hidden: Some(hidden),
        }
    }

    fn forward_taped(
        call: &Call,
        tensors: CellTensors<FloatTensor<Self>>,
    ) -> (FloatTensor<Self>, Tape<FloatTensor<Self>>) {
        let plan = Plan::new(&call.config, &tensors.xs.shape());
        let (inputs, places) = fusion::list(|list| tensors.map(list));
        let (sizes, tape) = fusion::list(|list| plan.tape().map(list));
        let packed = plan.outputs() + plan.state();
        let shapes = std::iter::once(packed).chain(sizes);
        let shapes = shapes.map(|values| [values].into()).collect();
        let call = call.clone();
        let outputs =
            fusion::register::<B>("bottleneck_lstm_taped", inputs, shapes, move |inputs| {
                let (packed, tape) =
                    B::forward_taped(&call, places.clone().map(fusion::each(inputs)));
                let (tape, _) = fusion::list(|list| tape.map(list));
                std::iter::once(packed).chain(tape).collect()
            });
        let mut outputs = outputs.into_iter();
        let packed = outputs.next().expect("the first output");
        (packed, tape.map(fusion::each(outputs.collect())))
    }

    fn backward(
        call: &Call,
        recording: Recording<FloatTensor<Self>>,
        wanted: CellTensors<bool, bool>,
        gradient: FloatTensor<Self>,
    ) -> CellGradients<FloatTensor<Self>> {
        let shapes = recording.tensors.clone().map(|tensor| tensor.shape());
        let shapes = shapes.into_options().into_array();
        let asked = wanted.clone().into_array();
        let shapes = std::array::from_fn::<_, TENSORS, _>(|index| {
            shapes[index].clone().filter(|_| asked[index])
        });
        let (mut inputs, places) = fusion::list(|list| recording.map(list));
        inputs.push(gradient);
        let outputs = shapes.iter().flatten().cloned().collect();
        let call = call.clone();
        let run = move |mut inputs: Vec<FloatTensor<B>>| {
            let gradient = inputs.pop().expect("the gradient comes last");
            let recording = places.clone().map(fusion::each(inputs));
            let gradients = B::backward(&call, recording, wanted.clone(), gradient);
            gradients.into_array().into_iter().flatten().collect()
        };
        let outputs = fusion::register::<B>("bottleneck_lstm_backward", inputs, outputs, run);
        let mut outputs = outputs.into_iter();
        let gradient = |shape: Option<Shape>| shape.and_then(|_| outputs.next());
        CellTensors::from_array(shapes.map(gradient))
    }
}
