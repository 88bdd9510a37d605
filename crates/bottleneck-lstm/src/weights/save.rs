//! Writing safetensors files.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use ::safetensors::{Dtype, SafeTensorError, View};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};

use super::error::WeightsError;
use super::representable::not_representable;

/// Tensors on their way to a file.
#[derive(Default)]
pub(super) struct Tensors(Vec<(String, Stored)>);

impl Tensors {
    pub fn add<B: Backend, const D: usize>(
        &mut self,
        key: impl Into<String>,
        tensor: Tensor<B, D>,
    ) -> Result<(), WeightsError> {
        let key = key.into();
        let data = tensor.into_data();
        let dtype = match data.dtype {
            DType::F64 => Dtype::F64,
            DType::F32 | DType::Flex32 => Dtype::F32,
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            other => {
                let reason = format!("`{key}` has elements of type {other:?}");
                return Err(not_representable(reason));
            }
        };
        let shape = data.shape.iter().copied().collect();
        self.0.push((key, Stored { dtype, shape, data }));
        Ok(())
    }

    /// Writes the file under a temporary name in the same folder, then renames it, so that a
    /// reader finds the old file or the new one and never a part.
    pub fn write(self, path: &Path) -> Result<(), WeightsError> {
        let error = |error| WeightsError::io(path, error);
        let content = ::safetensors::serialize(self.0, None).map_err(|cause| match cause {
            SafeTensorError::IoError(cause) => error(cause),
            other => error(io::Error::other(other)),
        })?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let mut builder = tempfile::Builder::new();
        // Temporary files are private to the user by default; this one is to be as any other.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map_err(error)?;
        file.write_all(&content).map_err(error)?;
        file.as_file().sync_all().map_err(error)?;
        file.persist(path).map_err(|failure| error(failure.error))?;
        Ok(())
    }
}

struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    data: TensorData,
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.data.as_bytes().into()
    }

    fn data_len(&self) -> usize {
        self.data.as_bytes().len()
    }
}
