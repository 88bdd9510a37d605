//! Reference data, made by PyTorch, NumPy, OpenCV and pycocotools: on demand, never in CI.

use anyhow::Result;

use crate::command::{command, root, stage_of};

/// Makes a virtual environment with pinned versions under `target`, and runs every script in it.
pub fn run() -> Result<()> {
    let scripts = root().join("xtask/reference");
    let environment = root().join("target/reference");
    let python = environment.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    if !python.exists() {
        let make = ["-m", "venv"];
        stage_of(
            "virtual environment",
            command("python3").args(make).arg(&environment),
        )?;
    }
    let requirements = scripts.join("requirements.txt");
    let mut install = command(&python);
    stage_of(
        "packages",
        install
            .args(["-m", "pip", "install", "--quiet", "-r"])
            .arg(requirements),
    )?;
    for (script, out) in [
        ("cells.py", "crates/parity/fixtures"),
        ("checkpoints.py", "crates/bottleneck-lstm/tests/fixtures"),
        ("damage.py", "crates/lstm-ssd/tests/fixtures"),
        ("detection.py", "crates/lstm-ssd/tests/fixtures"),
        ("resize.py", "crates/lstm-ssd/tests/fixtures"),
    ] {
        stage_of(
            script,
            command(&python)
                .arg(scripts.join(script))
                .arg(root().join(out)),
        )?;
    }
    Ok(())
}
