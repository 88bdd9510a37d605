//! The suite of `parity` on the GPU, with and without fusion.

use bottleneck_lstm_wgpu::WgpuRunner;
use burn_fusion::Fusion;

use super::Cube;

mod cube {
    use super::*;
    ::parity::results!(plain, Cube, WgpuRunner::new());
}

mod fusion {
    use super::*;
    ::parity::results!(plain, Fusion<Cube>, WgpuRunner::new());
}

mod reference {
    use super::*;
    use bottleneck_lstm::Reference;
    ::parity::results!(cube, Cube, Reference);
    ::parity::results!(fusion, Fusion<Cube>, Reference);
}
