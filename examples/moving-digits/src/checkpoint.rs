//! Files that are whole or not there.

use std::io::Write;
use std::path::{Path, PathBuf};

use burn::record::{FullPrecisionSettings, NamedMpkBytesRecorder, Record, Recorder, RecorderError};
use burn::tensor::backend::Backend;
use tempfile::Builder;
use thiserror::Error;

/// Why a file could not be written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// It does not hold the record that it should.
    #[error("{path}: not the expected record: {source}", path = path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: RecorderError,
    },
}

/// Writes a file by way of a temporary one beside it, so that it is never seen half written.
///
/// # Errors
///
/// If the folder or the file cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut file = temporary_file().tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|source| FileError::Io {
        path: path.into(),
        source,
    })
}

/// Temporary files are private by default; these become files like any other.
fn temporary_file() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder
}

/// Saves a Burn record at full precision: loaded again, it has the same bits.
///
/// # Errors
///
/// If it cannot be encoded or written.
pub fn save<B: Backend, T: Record<B>>(path: &Path, record: T) -> Result<(), FileError> {
    let recorder = NamedMpkBytesRecorder::<FullPrecisionSettings>::default();
    let bytes =
        Recorder::<B>::record(&recorder, record, ()).map_err(|source| FileError::Record {
            path: path.into(),
            source,
        })?;
    write(path, &bytes)
}

/// Loads what [`save`] saved.
///
/// # Errors
///
/// If the file cannot be read or holds something else.
pub fn load<B: Backend, T: Record<B>>(path: &Path, device: &B::Device) -> Result<T, FileError> {
    let bytes = std::fs::read(path).map_err(|source| FileError::Io {
        path: path.into(),
        source,
    })?;
    NamedMpkBytesRecorder::<FullPrecisionSettings>::default()
        .load(bytes, device)
        .map_err(|source| FileError::Record {
            path: path.into(),
            source,
        })
}
