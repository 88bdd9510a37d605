//! A Vulkan driver and an X server, where the machine has none.

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

/// Installs an X server that needs no screen, and the libraries that a window loads, on a Debian without one.
pub fn install_screen() -> Result<()> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&folders).any(|folder| folder.join("Xvfb").exists());
    if !cfg!(target_os = "linux") || there {
        return Ok(());
    }
    println!("There is no Xvfb; installing it, for the demo's window.");
    stage_of("lists of packages", command("apt-get").arg("update"))?;
    let packages = [
        "install",
        "--yes",
        "xvfb",
        "libx11-xcb1",
        "libxcursor1",
        "libxi6",
        "libxkbcommon-x11-0",
    ];
    stage_of("screen", command("apt-get").args(packages))
}
