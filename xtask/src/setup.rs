//! What the checks need beyond Rust itself.

use std::process::Stdio;

use anyhow::Result;

use crate::command::{cargo, stage_of};

/// The version of `cargo-deny` that CI runs.
const CARGO_DENY: &str = "cargo-deny@0.20.2";

/// Installs `cargo-deny`, unless it is there.
pub fn run() -> Result<()> {
    let mut version = cargo();
    version
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if version.status().is_ok_and(|status| status.success()) {
        println!("cargo-deny is there.");
        return Ok(());
    }
    // Its release profile takes two cores a quarter of an hour, and what it saves is seconds.
    let install = ["install", "--locked", "--debug", CARGO_DENY];
    stage_of("cargo-deny", cargo().args(install))
}
