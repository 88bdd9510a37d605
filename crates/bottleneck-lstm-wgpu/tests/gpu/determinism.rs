//! The same input gives the same bits, forward and backward.

use bottleneck_lstm::{BottleneckLstmConfig, Peephole};
use bottleneck_lstm_wgpu::WgpuRunner;
use burn::tensor::{Distribution, Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_fusion::Fusion;

use super::Cube;

type B = Autodiff<Fusion<Cube>>;

#[test]
fn three_runs_have_the_same_bits() {
    let device = Default::default();
    let config = BottleneckLstmConfig::tensorflow(20, 12)
        .with_groups(2)
        .with_peephole(Peephole::PerChannel)
        .with_scale_state(true)
        .with_output_bottleneck(true);
    let cell = config.init::<B>(&device);
    let noise = Distribution::Normal(0.0, 2.0);
    let xs = Tensor::<B, 5>::random([2, 4, 20, 7, 9], noise, &device).require_grad();
    let run = || -> Vec<TensorData> {
        let (hs, state) = cell.forward_with(&WgpuRunner::new(), xs.clone(), None);
        let gradients = (hs.clone().square().sum() + state.cell.clone().sum()).backward();
        let gradient =
            |gradient: Option<Tensor<Fusion<Cube>, 4>>| gradient.expect("it trains").into_data();
        vec![
            hs.into_data(),
            state.cell.into_data(),
            xs.grad(&gradients).expect("it is tracked").into_data(),
            gradient(cell.gates.val().grad(&gradients)),
            gradient(cell.bottleneck.val().grad(&gradients)),
            gradient(cell.depthwise.val().grad(&gradients)),
        ]
    };
    let first = run();
    assert_eq!(run(), first);
    assert_eq!(run(), first);
}
