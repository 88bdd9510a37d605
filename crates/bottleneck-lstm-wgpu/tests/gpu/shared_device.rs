//! A device that the caller has already, as a game or a window has.

use bottleneck_lstm::BottleneckLstmConfig;
use bottleneck_lstm_wgpu::{Adapter, GpuError, WgpuRunner};
use burn::tensor::{Distribution, Tensor};
use burn_fusion::Fusion;
use burn_wgpu::{RuntimeOptions, WgpuDevice, WgpuSetup, init_device};
use futures_lite::future::block_on;

use super::Cube;

type B = Fusion<Cube>;

/// The cell on a device of the caller's, who keeps a handle of it.
fn shared() -> (WgpuRunner, WgpuDevice, wgpu::Device) {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = block_on(instance.request_adapter(&Default::default())).expect("an adapter");
    // CubeCL asks the adapter what it may use, not the device, so the device has to have it all.
    let descriptor = wgpu::DeviceDescriptor {
        required_limits: adapter.limits(),
        required_features: adapter.features() - wgpu::Features::MAPPABLE_PRIMARY_BUFFERS,
        // SAFETY: of these CubeCL uses shaders that it has compiled itself.
        experimental_features: unsafe { wgpu::ExperimentalFeatures::enabled() },
        ..Default::default()
    };
    let (device, queue) = block_on(adapter.request_device(&descriptor)).expect("a device");
    let (runner, backend) = (
        WgpuRunner::with_adapter(Adapter::from_wgpu(&adapter)),
        adapter.get_info().backend,
    );
    let setup = WgpuSetup {
        instance,
        adapter,
        device: device.clone(),
        queue,
        backend,
    };
    // Once for each setup, before the first tensor.
    let shared = init_device(setup, RuntimeOptions::default());
    (runner, shared, device)
}

#[test]
fn the_cell_runs_on_the_callers_device() {
    let (runner, shared, device) = shared();
    let cell = BottleneckLstmConfig::new(6, 4).init::<B>(&shared);
    let noise = Distribution::Normal(0.0, 1.0);
    let mut stream = runner.stream(&cell, 1, [5, 5]);
    for _ in 0..3 {
        let x = Tensor::random([1, 6, 5, 5], noise, &shared);
        let expected = cell.step(x.clone(), Some(stream.state())).hidden;
        let found = stream.step(x);
        let difference = (found - expected).abs().max().into_scalar();
        assert!(difference < 1e-5, "{difference}");
    }
    assert_eq!(runner.launches().count(), 12);
    // It is still the caller's.
    device
        .poll(wgpu::PollType::wait_indefinitely())
        .expect("a device that works");
}

#[test]
fn a_lost_device_is_an_error_at_the_next_sync() {
    let (runner, shared, device) = shared();
    let cell = BottleneckLstmConfig::new(6, 4).init::<B>(&shared);
    let mut stream = runner.stream(&cell, 1, [5, 5]);
    let x = Tensor::ones([1, 6, 5, 5], &shared);
    stream.step(x.clone());
    stream.sync().expect("a device that works");

    device.destroy();
    for _ in 0..2 {
        // No step notices.
        stream.step(x.clone());
        let error = stream.sync().expect_err("there is no device");
        assert!(matches!(error, GpuError::Execution { .. }), "{error}");
    }
}
