//! Burn on a device that also draws.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bottleneck_lstm_wgpu::{Adapter, WgpuRunner};
use burn_cubecl::CubeBackend;
use burn_wgpu::{RuntimeOptions, WgpuDevice, WgpuRuntime, WgpuSetup, init_device};
use video_demo_app::{Heat, Look, NetworkCard, Picture, Quantity, View};

use crate::digits::{Pair, Timing, Weights};
use crate::networks::{Memory, NetworkError, Networks};

/// Burn's backend without fusion: networks this small are over before a fused kernel is compiled.
type Gpu = CubeBackend<WgpuRuntime, f32, i32, u32>;

/// A frame in so many is timed: it waits for the device between its parts.
const TIMED: u64 = 16;

/// A device that computes for Burn and stays its owner's.
#[derive(Debug, Clone)]
pub struct SharedGpu {
    device: WgpuDevice,
    runner: WgpuRunner,
    name: String,
    is_real: bool,
}

/// What a device has to allow before Burn is let onto it. CubeCL asks the adapter what it may use, not the device.
pub fn descriptor(adapter: &wgpu::Adapter) -> wgpu::DeviceDescriptor<'static> {
    wgpu::DeviceDescriptor {
        label: Some("video-demo"),
        required_limits: adapter.limits(),
        required_features: adapter.features() - wgpu::Features::MAPPABLE_PRIMARY_BUFFERS,
        // SAFETY: of these only CubeCL uses any, in shaders that it has compiled itself.
        experimental_features: unsafe { wgpu::ExperimentalFeatures::enabled() },
        ..Default::default()
    }
}

/// The descriptor of a device that draws, and computes if its adapter can.
pub fn descriptor_to_draw(adapter: &wgpu::Adapter) -> wgpu::DeviceDescriptor<'static> {
    match computes(adapter) {
        Ok(()) => descriptor(adapter),
        // OpenGL draws with what it has.
        Err(_) => wgpu::DeviceDescriptor {
            label: Some("video-demo"),
            required_limits: adapter.limits(),
            ..Default::default()
        },
    }
}

/// Whether Burn computes on such an adapter.
fn computes(adapter: &wgpu::Adapter) -> Result<(), String> {
    let info = adapter.get_info();
    let flags = adapter.get_downlevel_capabilities().flags;
    match info.backend {
        wgpu::Backend::Vulkan | wgpu::Backend::Metal | wgpu::Backend::Dx12
            if flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS) =>
        {
            Ok(())
        }
        backend => Err(format!(
            "{} draws by {backend:?}, on which Burn does not compute",
            info.name
        )),
    }
}

impl SharedGpu {
    /// Lets Burn onto a device, which must have all that its adapter has, as [`descriptor`] asks for.
    ///
    /// # Errors
    ///
    /// Why Burn does not compute on it.
    pub fn new(
        adapter: &wgpu::Adapter,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
    ) -> Result<Self, String> {
        computes(adapter)?;
        let limits = (device.limits(), adapter.limits());
        if limits.0.max_storage_buffers_per_shader_stage
            < limits.1.max_storage_buffers_per_shader_stage
        {
            return Err("the device was made with less than its adapter has".to_owned());
        }
        let about = Adapter::from_wgpu(adapter);
        let name = format!("{} ({})", about.name, about.backend);
        let is_real = !about.is_cpu;
        let setup = WgpuSetup {
            // Nothing is asked of it once there is a device.
            instance: wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle()),
            backend: adapter.get_info().backend,
            adapter: adapter.clone(),
            device: device.clone(),
            queue: queue.clone(),
        };
        Ok(Self {
            device: init_device(setup, RuntimeOptions::default()),
            runner: WgpuRunner::with_adapter(about),
            name,
            is_real,
        })
    }

    /// Its name and the way to it.
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// Whether it is a GPU, and not a CPU that stands in for one.
    pub fn is_real(&self) -> bool {
        self.is_real
    }

    /// The networks on it.
    pub(crate) fn networks(
        &self,
        weights: &Weights,
        is_timed: bool,
    ) -> Result<Box<dyn Networks>, NetworkError> {
        let timing = match is_timed {
            true => Timing::Sometimes(TIMED),
            false => Timing::Never,
        };
        let make =
            || Pair::<Gpu, _>::new(weights, self.runner.clone(), self.device.clone(), timing);
        Ok(Box::new(Guarded(guard(make)?)))
    }
}

/// CubeCL panics on a device that was lost; here that is an error like any other. The process's panic hook has its
/// say first.
struct Guarded<N>(N);

fn guard<T>(work: impl FnOnce() -> Result<T, NetworkError>) -> Result<T, NetworkError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let why = "it may be lost or out of memory";
        Err(NetworkError::Failed(why.to_owned()))
    })
}

impl<N: Networks> Networks for Guarded<N> {
    fn cards(&self) -> Vec<NetworkCard> {
        self.0.cards()
    }

    fn quantities(&self) -> Vec<Quantity> {
        self.0.quantities()
    }

    fn look(&mut self, picture: &Picture, look: Look) -> Result<Vec<View>, NetworkError> {
        guard(|| self.0.look(picture, look))
    }

    fn look_again(&mut self, look: Look) -> Result<Vec<Option<Heat>>, NetworkError> {
        guard(|| self.0.look_again(look))
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn memory(&self) -> Result<Memory, NetworkError> {
        guard(|| self.0.memory())
    }

    fn set_memory(&mut self, memory: &Memory) -> Result<(), NetworkError> {
        guard(|| self.0.set_memory(memory))
    }
}
