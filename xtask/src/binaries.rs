//! Test binaries, two at a time: one by one, as `cargo test` runs them, each leaves cores idle while its
//! last and longest test runs.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::command::cargo;

/// How many run at a time, each with a thread for every core.
const AT_A_TIME: usize = 2;

/// A test binary.
pub struct Binary {
    executable: PathBuf,
    /// The folder of its package, in which it runs.
    package: PathBuf,
    /// Which of its tests, if not all.
    filters: Vec<String>,
}

/// What of Cargo's messages says where a test binary is.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

impl Message {
    fn binary(self) -> Option<Binary> {
        let package = self.manifest_path?.parent()?.to_owned();
        let executable = self.executable?;
        self.profile?.test.then_some(Binary {
            executable,
            package,
            filters: Vec::new(),
        })
    }
}

/// Builds the tests that `selection`, arguments for Cargo, names.
pub fn build(selection: &[&str]) -> Result<Vec<Binary>> {
    let mut build = cargo();
    build.args(["test", "--locked", "--no-run"]);
    build.args(selection);
    build.arg("--message-format=json-render-diagnostics");
    let mut build = build
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let mut binaries = Vec::new();
    if let Some(messages) = build.stdout.take() {
        for line in BufReader::new(messages).lines() {
            let message: Message = serde_json::from_str(&line?).context("a message of cargo")?;
            binaries.extend(message.binary());
        }
    }
    let status = build.wait()?;
    ensure!(status.success(), "the build ended with {status}");
    Ok(binaries)
}

/// Runs them all. Each prints when it is done.
pub fn run(binaries: &[Binary]) -> Result<()> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        while let Some(binary) = binaries.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Output {
                status,
                stdout,
                stderr,
            } = binary.run()?;
            let mut failed = failed.lock().unwrap_or_else(|error| error.into_inner());
            let mut out = std::io::stdout().lock();
            let filters = binary.filters.join(" ");
            writeln!(
                out,
                "\n     Running {} {filters}",
                binary.executable.display()
            )?;
            out.write_all(&stdout)?;
            out.write_all(&stderr)?;
            if !status.success() {
                writeln!(out, "ended with {status}")?;
                failed.push(binary.executable.display().to_string());
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers = [(); AT_A_TIME].map(|()| scope.spawn(work));
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })?;
    let failed = failed
        .into_inner()
        .unwrap_or_else(|error| error.into_inner());
    ensure!(failed.is_empty(), "tests failed in {}", failed.join(", "));
    Ok(())
}

impl Binary {
    /// Whether it was made of the file of this name.
    pub fn is(&self, name: &str) -> bool {
        let file = self.executable.file_name().and_then(|file| file.to_str());
        let name = file.and_then(|file| file.strip_prefix(name));
        name.is_some_and(|hash| hash.starts_with('-'))
    }

    /// A part of its tests, as arguments of the binary say which.
    pub fn part(&self, filters: &[&str]) -> Self {
        Self {
            executable: self.executable.clone(),
            package: self.package.clone(),
            filters: filters.iter().map(|filter| (*filter).to_owned()).collect(),
        }
    }

    fn run(&self) -> Result<Output> {
        Command::new(&self.executable)
            .args(&self.filters)
            .current_dir(&self.package)
            .env("CARGO_MANIFEST_DIR", &self.package)
            .output()
            .with_context(|| format!("cannot run {}", self.executable.display()))
    }
}
