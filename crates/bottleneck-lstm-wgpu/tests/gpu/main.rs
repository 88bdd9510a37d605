//! What needs an adapter; lavapipe, which runs on the CPU, is one. A single binary, since Burn's GPU
//! backends take longer to compile than to test.

mod determinism;
mod launches;
mod parity;
mod reads;
mod shared_device;
mod stream;
mod tiling;

use burn_cubecl::CubeBackend;
use burn_wgpu::WgpuRuntime;

/// Without fusion; `burn_fusion::Fusion` of it is Burn's `Wgpu`.
type Cube = CubeBackend<WgpuRuntime, f32, i32, u32>;
