//! Custom operations of the fusion client.

use std::fmt;
use std::marker::PhantomData;

use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Shape};
use burn_fusion::stream::{Operation, OperationStreams};
use burn_fusion::{Fusion, FusionBackend, FusionRuntime};
use burn_ir::{CustomOpIr, HandleContainer, OperationIr, TensorIr};

/// Lists what `visit` shows it. Returns the list, and what `visit` makes of the places in it.
pub(crate) fn list<T, U>(visit: impl FnOnce(&mut dyn FnMut(T) -> usize) -> U) -> (Vec<T>, U) {
    let mut all = Vec::new();
    let result = visit(&mut |item| {
        all.push(item);
        all.len() - 1
    });
    (all, result)
}

/// Takes what is at a place of a list.
pub(crate) fn each<T>(list: Vec<T>) -> impl FnMut(usize) -> T {
    let mut list: Vec<_> = list.into_iter().map(Some).collect();
    move |place| list[place].take().expect("each place is taken once")
}

/// Registers `run`, which makes tensors of the given shapes of `inputs`, and is executed in the fusion
/// server once somebody wants them.
pub(crate) fn register<B: FusionBackend>(
    name: &'static str,
    inputs: Vec<FloatTensor<Fusion<B>>>,
    shapes: Vec<Shape>,
    run: impl Fn(Vec<FloatTensor<B>>) -> Vec<FloatTensor<B>> + Send + Sync + 'static,
) -> Vec<FloatTensor<Fusion<B>>> {
    let client = inputs[0].client.clone();
    let streams = OperationStreams::with_inputs(&inputs);
    let inputs: Vec<_> = inputs.into_iter().map(|tensor| tensor.into_ir()).collect();
    let output = |shape| TensorIr::uninit(client.create_empty_handle(), shape, DType::F32);
    let outputs: Vec<_> = shapes.into_iter().map(output).collect();
    let ir = CustomOpIr::new(name, &inputs, &outputs);
    let operation = Custom::<B, _> {
        ir: ir.clone(),
        run,
        backend: PhantomData,
    };
    client.register(streams, OperationIr::Custom(ir), operation)
}

struct Custom<B, F> {
    ir: CustomOpIr,
    run: F,
    backend: PhantomData<B>,
}

impl<B, F> fmt::Debug for Custom<B, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Custom")
            .field("ir", &self.ir)
            .finish_non_exhaustive()
    }
}

impl<B, F> Operation<B::FusionRuntime> for Custom<B, F>
where
    B: FusionBackend,
    F: Fn(Vec<FloatTensor<B>>) -> Vec<FloatTensor<B>> + Send + Sync,
{
    fn execute(
        &self,
        handles: &mut HandleContainer<<B::FusionRuntime as FusionRuntime>::FusionHandle>,
    ) {
        let inputs = self.ir.inputs.iter();
        let inputs = inputs
            .map(|input| handles.get_float_tensor::<B>(input))
            .collect();
        for (output, tensor) in self.ir.outputs.iter().zip((self.run)(inputs)) {
            handles.register_float_tensor::<B>(&output.id, tensor);
        }
    }
}
