//! However much of a result a thread computes, it is the same result.

use bottleneck_lstm::{BottleneckLstm, BottleneckLstmConfig, CellRunner, Depthwise, Reference};
use bottleneck_lstm_wgpu::{Adapter, Tiling, WgpuRunner};
use burn::tensor::{Distribution, Tensor, Tolerance};

use super::Cube;

fn results(
    runner: &impl CellRunner<Cube>,
    cell: &BottleneckLstm<Cube>,
    xs: &Tensor<Cube, 5>,
) -> [Tensor<Cube, 5>; 3] {
    let (hs, state) = cell.forward_with(runner, xs.clone(), None);
    [hs, state.cell.unsqueeze(), state.hidden.unsqueeze()]
}

#[test]
fn tiles_do_not_change_results() {
    let device = Default::default();
    let mut tilings = vec![Tiling::Gpu, Tiling::Cpu];
    if Adapter::of(&device).expect("an adapter").has_subgroups {
        tilings.push(Tiling::CpuSubgroups);
    }
    // Of several tiles each way, the last of which stick out of the map or the channels.
    let cells = [
        (
            BottleneckLstmConfig::new(36, 20).with_gate_bias(true),
            [50, 52],
        ),
        (
            BottleneckLstmConfig::tensorflow(20, 36)
                .with_groups(2)
                .with_scale_state(true)
                .with_output_bottleneck(true),
            [11, 40],
        ),
        (
            BottleneckLstmConfig::new(9, 14)
                .with_kernel_size(5)
                .with_depthwise(Depthwise::InputAndHidden),
            [19, 13],
        ),
    ];
    for (config, [height, width]) in cells {
        let cell = config.init::<Cube>(&device);
        let shape = [2, 2, config.input_channels, height, width];
        let xs = Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device);
        let expected = results(&Reference, &cell, &xs);
        let mut bits = None;
        for tiling in &tilings {
            let runner = WgpuRunner::new().with_tiling(*tiling);
            let found = results(&runner, &cell, &xs).map(Tensor::into_data);
            for (found, expected) in found.iter().zip(&expected) {
                let tolerance = Tolerance::<f32>::rel_abs(1e-5, 1e-5);
                found.assert_approx_eq(&expected.to_data(), tolerance);
            }
            assert_eq!(*bits.get_or_insert_with(|| found.clone()), found);
        }
    }
}
