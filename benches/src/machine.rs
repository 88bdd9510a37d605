//! Where figures come from.

use std::fmt;
use std::process::Command;

use serde::Serialize;

/// What a reader needs to know of a machine to judge its figures.
#[derive(Debug, Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub system: String,
    pub simd: String,
    pub rustc: String,
    pub burn: String,
    pub peers: Vec<String>,
}

impl Machine {
    pub fn this(peers: Vec<String>) -> Self {
        Self {
            cpu: cpu().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            system: std::env::consts::OS.to_owned(),
            simd: simd(),
            rustc: rustc().unwrap_or_else(|| "unknown".to_owned()),
            burn: format!("Burn {BURN}, {FEATURES}{FLEX}"),
            peers,
        }
    }
}

/// What `cargo xtask bench` was told of stock Burn's features.
pub const OPTIONS: &str = match (cfg!(feature = "stock"), cfg!(feature = "flex-x86-v4")) {
    (true, false) => " --burn default",
    (true, true) => " --burn default --flex-x86-v4",
    (false, false) => " --burn lean",
    (false, true) => " --burn lean --flex-x86-v4",
};

const BURN: &str = "0.21.0";
const FEATURES: &str = if cfg!(feature = "stock") {
    "default features"
} else {
    "no default features"
};

const FLEX: &str = if cfg!(feature = "flex-x86-v4") {
    ", Flex with x86-v4"
} else {
    ""
};

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {} cores, {}, {}; {}; {}",
            self.cpu, self.cores, self.simd, self.system, self.rustc, self.burn
        )?;
        self.peers.iter().try_for_each(|peer| write!(f, "; {peer}"))
    }
}

fn cpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn rustc() -> Option<String> {
    let output = Command::new("rustc").arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

#[cfg(target_arch = "x86_64")]
fn simd() -> String {
    let found = [
        ("AVX2", is_x86_feature_detected!("avx2")),
        ("FMA", is_x86_feature_detected!("fma")),
        ("AVX-512", is_x86_feature_detected!("avx512f")),
    ];
    let names = found
        .iter()
        .filter(|(_, found)| *found)
        .map(|(name, _)| *name);
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(not(target_arch = "x86_64"))]
fn simd() -> String {
    std::env::consts::ARCH.to_owned()
}
