//! The program as its users meet it.

use std::path::Path;
use std::process::{Command, Stdio};

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moving-digits"));
    command
        .args(arguments)
        .arg("--out")
        .arg(folder)
        .stderr(Stdio::piped())
        .stdout(Stdio::null());
    command
}

/// The status and stderr of a command that ends by itself.
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = command(folder, arguments).output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[cfg(unix)]
mod interrupted {
    use std::io::{BufRead, BufReader};

    use super::*;

    /// Starts a training, waits for its first evaluation and presses Ctrl-C. Returns the step of
    /// that evaluation and the rest of stderr.
    fn interrupt(folder: &Path, arguments: &[&str]) -> (usize, String) {
        let mut child = command(folder, arguments).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap())
            .lines()
            .map(Result::unwrap);
        let step = lines.find_map(|line| {
            let (_, evaluation) = line.split_once("step ")?;
            evaluation.split(',').next()?.parse().ok()
        });
        let kill = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap();
        assert!(kill.success());
        let rest: Vec<String> = lines.collect();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        (step.expect("an evaluation"), rest.join("\n"))
    }

    #[test]
    fn ctrl_c_saves_and_resume_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        // Evaluated every 4 steps.
        let start = ["--models", "no-memory", "--steps", "60"];
        let (first, rest) = interrupt(folder, &start);
        assert_eq!(first, 4);
        assert!(
            rest.contains("Add --resume to go on to the same bits."),
            "{rest}"
        );

        let (status, error) = run(folder, &start);
        assert_eq!(status, Some(1));
        assert!(error.contains("holds an unfinished run"), "{error}");

        let (second, _) = interrupt(folder, &["--resume"]);
        assert!(second > first, "{second}");
        let (restarted, _) = interrupt(folder, &[&start[..], &["--restart"]].concat());
        assert_eq!(restarted, 4);
    }
}

#[test]
fn what_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (status, error) = run(folder.path(), &["--resume"]);
    assert_eq!(status, Some(1));
    assert!(
        error.starts_with("error: ") && error.contains("holds no run to resume"),
        "{error}"
    );

    if !cfg!(feature = "wgpu") {
        let (status, error) = run(folder.path(), &["--backend", "wgpu"]);
        assert_eq!(status, Some(1));
        assert!(error.contains("built without the GPU"), "{error}");
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "it left something"
        );
    }

    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let (status, error) = run(
        &file.join("inside"),
        &["--models", "no-memory", "--steps", "1"],
    );
    assert_eq!(status, Some(1));
    assert!(error.contains("settings.json: "), "{error}");
}
