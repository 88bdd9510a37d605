//! What tests want of the system and Debian has in packages: a Vulkan driver and an X server, where the machine has
//! none.

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
pub fn driver() -> Result<()> {
    let listed = |list: &&str| {
        Path::new(list)
            .read_dir()
            .is_ok_and(|mut drivers| drivers.next().is_some())
    };
    if !cfg!(target_os = "linux") || LISTS.iter().any(listed) {
        return Ok(());
    }
    println!("There is no Vulkan driver; installing lavapipe, which runs on the CPU.");
    install(&["mesa-vulkan-drivers", "libvulkan1"])
}

/// Installs an X server that needs no screen, and the libraries that a window loads, on a Debian without one.
pub fn screen() -> Result<()> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&folders).any(|folder| folder.join("Xvfb").exists());
    if !cfg!(target_os = "linux") || there {
        return Ok(());
    }
    println!("There is no Xvfb; installing it, for the demo's window.");
    install(&[
        "xvfb",
        "libx11-xcb1",
        "libxcursor1",
        "libxi6",
        "libxkbcommon-x11-0",
    ])
}

fn install(packages: &[&str]) -> Result<()> {
    stage_of("lists of packages", command("apt-get").arg("update"))?;
    let mut install = command("apt-get");
    stage_of(
        "packages",
        install.args(["install", "--yes"]).args(packages),
    )
}
