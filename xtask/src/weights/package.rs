//! An npm package: fetched by its name, and a file out of it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;

use crate::command::run;

/// The package and its version.
pub const NAME: &str = "@mediapipe/objectron@0.4.1675468480";

/// Where the registry has it.
const PATH: &str = "@mediapipe/objectron/-/objectron-0.4.1675468480.tgz";

/// npm's own registry, unless the user has set another one.
const REGISTRY: &str = "https://registry.npmjs.org";

/// Fetches the package into a folder: by npm, which knows the user's registry, proxy and
/// certificates, or by curl where there is no npm.
pub fn fetch(folder: &Path) -> Result<PathBuf> {
    let mut npm = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    npm.args(["pack", NAME, "--silent", "--pack-destination"])
        .arg(folder)
        .current_dir(folder);
    if is_there(&npm) {
        run(&mut npm)?;
    } else {
        let registry = std::env::var("NPM_CONFIG_REGISTRY").unwrap_or_default();
        let registry = match registry.as_str() {
            "" => REGISTRY,
            own => own,
        };
        let url = format!("{}/{PATH}", registry.trim_end_matches('/'));
        let mut curl = Command::new("curl");
        curl.args(["--fail", "--silent", "--show-error", "--location"])
            .args(["--output", "package.tgz"])
            .arg(url)
            .current_dir(folder);
        if !is_there(&curl) {
            bail!("expected npm or curl to fetch {NAME} with, found neither");
        }
        run(&mut curl)?;
    }
    let archive = std::fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"));
    archive.with_context(|| format!("{NAME} was fetched, and no .tgz is there"))
}

/// Whether a command's program can be started at all.
fn is_there(command: &Command) -> bool {
    let version = Command::new(command.get_program())
        .arg("--version")
        .output();
    !matches!(version, Err(error) if error.kind() == ErrorKind::NotFound)
}

/// A file out of the package.
pub fn member(package: &Path, name: &str) -> Result<Vec<u8>> {
    let file = File::open(package).with_context(|| format!("cannot open {}", package.display()))?;
    let mut archive = tar::Archive::new(GzDecoder::new(file));
    let read = || format!("cannot read {}", package.display());
    for entry in archive.entries().with_context(read)? {
        let mut entry = entry.with_context(read)?;
        if entry.path_bytes().as_ref() == name.as_bytes() {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).with_context(read)?;
            return Ok(content);
        }
    }
    bail!(
        "{}: expected the file {name}, found none",
        package.display()
    )
}
