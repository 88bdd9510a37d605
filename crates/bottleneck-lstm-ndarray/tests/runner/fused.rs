//! Which cells the kernels cover.

use bottleneck_lstm::CellRunner;
use bottleneck_lstm_ndarray::CpuRunner;
use burn::tensor::backend::Backend;
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use burn_ndarray::NdArray;

use crate::variants::{ACTIVATIONS, variants};

fn check<B: Backend>()
where
    CpuRunner: CellRunner<B>,
{
    let device = Default::default();
    let is_fused = |config: bottleneck_lstm::BottleneckLstmConfig| {
        CpuRunner::new().is_fused(&config.init::<B>(&device))
    };
    for (name, config) in variants(5) {
        for kernel_size in [1, 3, 5] {
            let config = config.clone().with_kernel_size(kernel_size);
            for activation in ACTIVATIONS {
                let config = config
                    .clone()
                    .with_activation(activation)
                    .with_bottleneck_activation(activation);
                assert!(is_fused(config), "{name}, kernels of {kernel_size}");
            }
        }
        assert!(!is_fused(config.with_kernel_size(7)), "{name}");
    }
}

#[test]
fn every_variant_is_fused_but_for_large_kernels() {
    check::<NdArray>();
    check::<Flex>();
    check::<Autodiff<NdArray>>();
    check::<Autodiff<Flex>>();
}
