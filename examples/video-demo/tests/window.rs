//! The real window, on an X server without a screen, drawn by whatever driver there is.
#![cfg(all(feature = "window", target_os = "linux"))]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// An X server in memory. `cargo xtask test --all` installs it on Debian.
struct Server {
    process: Child,
    display: String,
}

impl Server {
    fn new() -> Self {
        let mut process = Command::new("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                "1280x720x24",
                "-nolisten",
                "tcp",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb, of Debian's package xvfb");
        let mut number = String::new();
        let output = process.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut number).unwrap();
        Self {
            process,
            display: format!(":{}", number.trim()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends with this process at the latest.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(display: Option<&str>, home: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_video-demo"));
    command
        .args(arguments.split_whitespace())
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("WAYLAND_SOCKET")
        .env_remove("DISPLAY")
        // Settings of whoever runs the tests are left alone.
        .env("HOME", home)
        .env("XDG_DATA_HOME", home);
    if let Some(display) = display {
        command.env("DISPLAY", display);
    }
    command.output().unwrap()
}

/// The measurement that a window prints when it closes by itself.
fn measured(output: &Output) -> String {
    let [out, error] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success(), "{error}");
    assert!(out.contains("1280x720 in a window"), "{out}{error}");
    out
}

#[test]
fn the_window_opens_plays_and_closes() {
    let server = Server::new();
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &str| measured(&run(Some(&server.display), home.path(), arguments));
    let text = run("--measure 3 --device cpu");
    let frames: f64 = text
        .split_once("window: ")
        .and_then(|(_, rest)| rest.split_once(" frames/s"))
        .and_then(|(frames, _)| frames.parse().ok())
        .unwrap_or_else(|| panic!("{text}"));
    assert!(frames > 0.0, "{text}");
    // Weights that are not there are a message in the window, which goes on.
    run("--measure 2 --device cpu --weights nowhere");
    // So is a video that is none.
    run("--measure 2 --device cpu --video nowhere.mp4");
}

#[cfg(feature = "gpu")]
#[test]
fn burn_computes_on_the_device_that_draws_the_window() {
    let server = Server::new();
    let home = tempfile::tempdir().unwrap();
    measured(&run(
        Some(&server.display),
        home.path(),
        "--measure 3 --device gpu",
    ));
}

#[test]
fn without_a_display_it_says_so_in_one_line() {
    let home = tempfile::tempdir().unwrap();
    let output = run(None, home.path(), "");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.starts_with("error: no window: ") && text.contains("--headless"),
        "{text}"
    );
}
