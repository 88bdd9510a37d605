//! The backends that the runner runs on, with and without fusion.

use bottleneck_lstm::BottleneckLstmConfig;
use bottleneck_lstm::fused::{CellTensors, Outcome};
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, TensorMetadata};
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, IntElement};
use burn_fusion::stream::{Operation, OperationStreams};
use burn_fusion::{Fusion, FusionBackend, FusionRuntime};
use burn_ir::{CustomOpIr, HandleContainer, OperationIr, TensorIr};
use std::fmt::Debug;
use std::marker::PhantomData;

use crate::forward;
use crate::launches::Launches;
use crate::plan::Plan;

mod sealed {
    pub trait Sealed {}
}

/// A backend that [`WgpuRunner`](crate::WgpuRunner) has kernels for: `CubeBackend` in `f32` on every
/// runtime, and `Fusion` of it. That is what `Wgpu`, `Vulkan`, `Metal` and `WebGpu` are.
///
/// It is sealed: no other crate can implement it.
pub trait GpuBackend: Backend + sealed::Sealed {
    #[doc(hidden)]
    fn forward(
        config: &BottleneckLstmConfig,
        launches: &Launches,
        tensors: CellTensors<FloatTensor<Self>>,
    ) -> Outcome<FloatTensor<Self>>;
}

impl<R: CubeRuntime, I: IntElement, BT: BoolElement> sealed::Sealed for CubeBackend<R, f32, I, BT> {}

impl<R: CubeRuntime, I: IntElement, BT: BoolElement> GpuBackend for CubeBackend<R, f32, I, BT> {
    fn forward(
        config: &BottleneckLstmConfig,
        launches: &Launches,
        tensors: CellTensors<CubeTensor<R>>,
    ) -> Outcome<CubeTensor<R>> {
        let plan = Plan::new(config, tensors.xs.meta.shape());
        forward::run(&plan, launches, tensors)
    }
}

impl<B: GpuBackend + FusionBackend> sealed::Sealed for Fusion<B> {}

/// A call is one custom operation of the fusion client, whose body runs in the fusion server.
impl<B: GpuBackend + FusionBackend> GpuBackend for Fusion<B> {
    fn forward(
        config: &BottleneckLstmConfig,
        launches: &Launches,
        tensors: CellTensors<FloatTensor<Self>>,
    ) -> Outcome<FloatTensor<Self>> {
        let plan = Plan::new(config, &tensors.xs.shape());
        let client = tensors.xs.client.clone();
        let mut inputs = Vec::new();
        let places = tensors.map(|tensor| {
            inputs.push(tensor);
            inputs.len() - 1
        });
        let streams = OperationStreams::with_inputs(&inputs);
        let inputs: Vec<_> = inputs.into_iter().map(|tensor| tensor.into_ir()).collect();
        let shapes = [plan.outputs_shape(), plan.state_shape(), plan.state_shape()];
        let outputs =
            shapes.map(|shape| TensorIr::uninit(client.create_empty_handle(), shape, DType::F32));
        let ir = CustomOpIr::new("bottleneck_lstm_forward", &inputs, &outputs);
        let operation = Forward::<B> {
            config: config.clone(),
            launches: launches.clone(),
            places,
            ir: ir.clone(),
            backend: PhantomData,
        };
        let outputs = client.register(streams, OperationIr::Custom(ir), operation);
        let [outputs, cell, hidden] = outputs.try_into().expect("three outputs were asked for");
        Outcome {
            outputs,
            cell,
            hidden: Some(hidden),
        }
    }
}

/// [`GpuBackend::forward`] of the backend below fusion.
#[derive(Debug)]
struct Forward<B> {
    config: BottleneckLstmConfig,
    launches: Launches,
    /// Which of the inputs each tensor is.
    places: CellTensors<usize>,
    ir: CustomOpIr,
    backend: PhantomData<B>,
}

impl<B: GpuBackend + FusionBackend> Operation<B::FusionRuntime> for Forward<B> {
    fn execute(
        &self,
        handles: &mut HandleContainer<<B::FusionRuntime as FusionRuntime>::FusionHandle>,
    ) {
        let (inputs, [outputs, cell, hidden]) = (&self.ir.inputs, &self.ir.outputs[..]) else {
            unreachable!("three outputs were asked for");
        };
        let tensors = self
            .places
            .clone()
            .map(|place| handles.get_float_tensor::<B>(&inputs[place]));
        let outcome = B::forward(&self.config, &self.launches, tensors);
        handles.register_float_tensor::<B>(&outputs.id, outcome.outputs);
        handles.register_float_tensor::<B>(&cell.id, outcome.cell);
        if let Some(last) = outcome.hidden {
            handles.register_float_tensor::<B>(&hidden.id, last);
        }
    }
}
