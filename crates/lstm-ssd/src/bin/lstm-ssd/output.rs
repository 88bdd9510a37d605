//! Files that are there whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

/// A file under a temporary name, until it is finished.
pub struct Output {
    writer: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl Output {
    /// Begins a file.
    pub fn create(path: &Path) -> Result<Self> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        // Temporary files are private to the user by default; this one is to be as any other.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder
            .tempfile_in(folder)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            writer: BufWriter::new(file),
            path: path.to_owned(),
        })
    }

    /// The file itself, for who writes to it without this.
    pub fn file(&self) -> Result<File> {
        Ok(self.writer.get_ref().as_file().try_clone()?)
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<()> {
        let context = || format!("cannot write {}", self.path.display());
        let file = self
            .writer
            .into_inner()
            .map_err(|error| error.into_error())
            .with_context(context)?;
        file.persist(&self.path).with_context(context)?;
        eprintln!("wrote {}", self.path.display());
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}
