//! Files that are there whole or not at all.

use std::io::{self, Write};
use std::path::Path;

/// Writes a file under a temporary name in the same folder, then renames it, so that a reader finds the old file or
/// the new one and never a part.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    // Temporary files are private to the user by default; this one is to be as any other.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|failure| failure.error)?;
    Ok(())
}
