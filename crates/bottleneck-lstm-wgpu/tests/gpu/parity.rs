//! The suite of `parity` on the GPU, with and without fusion.

use bottleneck_lstm::Reference;
use bottleneck_lstm_wgpu::WgpuRunner;
use burn_fusion::Fusion;

use super::Cube;

::parity::suite!(cube, Cube, WgpuRunner::new());
::parity::suite!(fusion, Fusion<Cube>, WgpuRunner::new());

/// Burn's own operations, whose results are the measure of the runner's where PyTorch's are not at hand.
mod reference {
    use super::*;

    ::parity::results!(cube, Cube, Reference);
    ::parity::results!(fusion, Fusion<Cube>, Reference);
}
