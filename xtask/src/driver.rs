//! A Vulkan driver, where the machine has none.

use std::path::Path;

use anyhow::Result;

use crate::command::{command, stage_of};

/// Where drivers are listed.
const LISTS: [&str; 3] = [
    "/usr/share/vulkan/icd.d",
    "/etc/vulkan/icd.d",
    "/usr/local/share/vulkan/icd.d",
];

/// Installs lavapipe, which runs on the CPU, on a Debian without any Vulkan driver. Elsewhere drivers come
/// with the system.
pub fn install() -> Result<()> {
    let listed = |list: &&str| {
        Path::new(list)
            .read_dir()
            .is_ok_and(|mut drivers| drivers.next().is_some())
    };
    if !cfg!(target_os = "linux") || LISTS.iter().any(listed) {
        return Ok(());
    }
    println!("There is no Vulkan driver; installing lavapipe, which runs on the CPU.");
    stage_of("driver lists", command("apt-get").arg("update"))?;
    let packages = ["install", "--yes", "mesa-vulkan-drivers", "libvulkan1"];
    stage_of("driver", command("apt-get").args(packages))
}
