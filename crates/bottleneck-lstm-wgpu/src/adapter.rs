//! The adapter behind a device, looked at before Burn is: CubeCL panics where there is none.

use std::fmt;

use burn_wgpu::WgpuDevice;
use futures_lite::future::block_on;
use wgpu::{Backend, DeviceType, PowerPreference};

use crate::error::GpuError;

/// What an adapter is and what it allows.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// Its name, as the driver has it.
    pub name: String,
    /// Name and version of the driver.
    pub driver: String,
    /// The graphics interface that it is reached by: `Vulkan`, `Metal`, `Dx12`, ..
    pub backend: String,
    /// Whether it is a CPU that stands in for a GPU.
    pub is_cpu: bool,
    /// Whether it has subgroup operations, which our products use where it is a CPU.
    pub has_subgroups: bool,
    /// Whether it has `f16`, in which streams may keep weights.
    pub has_f16: bool,
    /// The largest buffer of a kernel, in bytes.
    pub max_buffer: u64,
    /// The most buffers of a kernel.
    pub max_bindings: u32,
    /// The most threads of a cube.
    pub max_threads: u32,
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yes_no = |yes| if yes { "yes" } else { "no" };
        write!(
            f,
            "{} ({}, driver {}; subgroups: {}, f16: {}; buffers of at most {} MiB, {} a kernel)",
            self.name,
            self.backend,
            self.driver,
            yes_no(self.has_subgroups),
            yes_no(self.has_f16),
            self.max_buffer >> 20,
            self.max_bindings,
        )
    }
}

/// The graphics interface that CubeCL takes where nobody says another.
fn default_backend() -> Backend {
    if cfg!(target_os = "macos") {
        Backend::Metal
    } else {
        Backend::Vulkan
    }
}

impl Adapter {
    /// The adapter that Burn will take for `device`, unless the caller sets another graphics interface up.
    ///
    /// # Errors
    ///
    /// [`GpuError::NoAdapter`].
    pub fn of(device: &WgpuDevice) -> Result<Self, GpuError> {
        let backend = default_backend();
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: backend.into(),
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let all = block_on(instance.enumerate_adapters(backend.into()));
        let names: Vec<_> = all.iter().map(|adapter| adapter.get_info().name).collect();
        let of_type = |wanted: DeviceType, index: usize| {
            let found = |wanted| {
                let same = |adapter: &&wgpu::Adapter| adapter.get_info().device_type == wanted;
                all.iter().filter(same).nth(index).cloned()
            };
            found(wanted).or_else(|| found(DeviceType::Other))
        };
        let adapter = match device {
            WgpuDevice::DiscreteGpu(index) => of_type(DeviceType::DiscreteGpu, *index),
            WgpuDevice::IntegratedGpu(index) => of_type(DeviceType::IntegratedGpu, *index),
            WgpuDevice::VirtualGpu(index) => of_type(DeviceType::VirtualGpu, *index),
            WgpuDevice::Cpu => of_type(DeviceType::Cpu, 0),
            _ => block_on(instance.request_adapter(&wgpu::RequestAdapterOptions {
                power_preference: PowerPreference::HighPerformance,
                ..Default::default()
            }))
            .ok(),
        };
        match adapter {
            Some(adapter) => Ok(Self::from_wgpu(&adapter)),
            None => Err(GpuError::NoAdapter {
                device: format!("{device:?}"),
                backend: format!("{backend:?}"),
                found: names,
            }),
        }
    }

    /// What there is to say of `adapter`: for a caller who set a device up.
    pub fn from_wgpu(adapter: &wgpu::Adapter) -> Self {
        let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
        Self {
            driver: format!("{} {}", info.driver, info.driver_info)
                .trim()
                .to_owned(),
            backend: format!("{:?}", info.backend),
            is_cpu: info.device_type == DeviceType::Cpu,
            has_subgroups: features.contains(wgpu::Features::SUBGROUP),
            has_f16: features.contains(wgpu::Features::SHADER_F16),
            max_buffer: limits.max_storage_buffer_binding_size,
            max_bindings: limits.max_storage_buffers_per_shader_stage,
            max_threads: limits.max_compute_invocations_per_workgroup,
            name: info.name,
        }
    }
}
