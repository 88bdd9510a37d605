//! One step of a cell against the same step in PyTorch, from `steps.safetensors`.

use bottleneck_lstm::weights::Checkpoint;
use bottleneck_lstm::{BottleneckLstm, BottleneckLstmState};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::fixtures::path;

pub const INPUT: usize = 3;
pub const HIDDEN: usize = 4;
pub const SPATIAL: [usize; 2] = [4, 5];

/// The largest difference over the largest magnitude, of the new cell and hidden state.
pub fn difference<B: Backend>(cell: &BottleneckLstm<B>, case: &str) -> f64 {
    let checkpoint = Checkpoint::open(path("steps.safetensors")).unwrap();
    let values = |key: &str| checkpoint.get(&format!("{case}.{key}")).unwrap();
    let tensor = |key: &str, channels: usize| {
        let [height, width] = SPATIAL;
        let view = values(key);
        assert_eq!(view.shape(), [2, channels, height, width]);
        Tensor::<B, 4>::from_data(view.to_data().unwrap(), &Default::default())
    };
    let state = BottleneckLstmState::new(tensor("cell0", HIDDEN), tensor("hidden0", HIDDEN));
    let state = cell.step(tensor("x", INPUT), Some(state));
    let difference = |found: Tensor<B, 4>, key: &str| {
        let expected = values(key).to_f64().unwrap();
        let found: Vec<f64> = found.into_data().iter::<f64>().collect();
        let largest = expected
            .iter()
            .fold(0.0, |largest, value| value.abs().max(largest));
        let differences = expected.iter().zip(&found).map(|(a, b)| (a - b).abs());
        assert_eq!(expected.len(), found.len());
        assert!(found.iter().all(|value| value.is_finite()) && largest > 0.0);
        differences.fold(0.0, f64::max) / largest
    };
    difference(state.cell, "cell1").max(difference(state.hidden, "hidden1"))
}

/// Every parameter of a cell: its shape, element type and bytes.
pub fn parameters<B: Backend>(cell: &BottleneckLstm<B>) -> Vec<(Vec<usize>, String, Vec<u8>)> {
    fn raw<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> (Vec<usize>, String, Vec<u8>) {
        let data = tensor.into_data();
        let shape = data.shape.iter().copied().collect();
        (shape, format!("{:?}", data.dtype), data.as_bytes().to_vec())
    }
    let mut all = vec![
        raw(cell.depthwise.val()),
        raw(cell.bottleneck.val()),
        raw(cell.bottleneck_bias.val()),
        raw(cell.bottleneck_depthwise.val()),
        raw(cell.gates.val()),
    ];
    let vectors = [&cell.depthwise_bias, &cell.gates_bias];
    all.extend(vectors.into_iter().flatten().map(|param| raw(param.val())));
    let maps = [
        &cell.peephole_input,
        &cell.peephole_forget,
        &cell.peephole_output,
        &cell.initial_cell,
        &cell.initial_hidden,
    ];
    all.extend(maps.into_iter().flatten().map(|param| raw(param.val())));
    all
}
