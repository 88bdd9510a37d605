//! What can go wrong with a device.

use bottleneck_lstm::ShapeError;
use burn::tensor::backend::ExecutionError;

/// Why a GPU cannot run a cell.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// The shapes do not fit the cell.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The machine has no adapter for a device.
    #[error(
        "no adapter for {device} on {backend}; found: {}. A driver may be missing: on Debian, \
         `mesa-vulkan-drivers` has one that runs on the CPU",
        list(.found)
    )]
    NoAdapter {
        /// The device that was asked for.
        device: String,
        /// The graphics interface that was looked at.
        backend: String,
        /// Names of the adapters that there are.
        found: Vec<String>,
    },
    /// A tensor of a call is larger than what the adapter binds to a kernel.
    #[error("{tensor} takes {bytes} bytes, and {adapter} binds at most {limit} to a kernel")]
    TooLarge {
        /// The adapter's name.
        adapter: String,
        /// Which tensor.
        tensor: &'static str,
        /// Its size in bytes, or the largest number where it has more.
        bytes: u64,
        /// The adapter's `max_storage_buffer_binding_size`, in bytes.
        limit: u64,
    },
    /// The adapter binds fewer buffers to a kernel than one of ours takes.
    #[error("a kernel takes {buffers} buffers, and {adapter} binds at most {limit}")]
    TooFewBindings {
        /// The adapter's name.
        adapter: String,
        /// Buffers of the kernel.
        buffers: u32,
        /// The adapter's `max_storage_buffers_per_shader_stage`.
        limit: u32,
    },
    /// The device has no `f16`, which weights were to be kept in.
    #[error("{device} has no f16")]
    NoHalf {
        /// The adapter's name, or the device if the adapter was not looked at.
        device: String,
    },
    /// The device did not finish what it was given.
    #[error("the device failed: {reason}")]
    Execution {
        /// What it reports.
        reason: String,
    },
}

impl GpuError {
    pub(crate) fn execution(error: ExecutionError) -> Self {
        Self::Execution {
            reason: error.to_string(),
        }
    }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        _ => names.join(", "),
    }
}
