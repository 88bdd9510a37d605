//! The program as its users meet it, without a window.

use std::path::Path;
use std::process::{Command, Output};

use moving_digits::picture::Canvas;
use video_demo::sidecar;

fn run(folder: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_video-demo"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap()
}

/// The one line that a failure prints.
fn error(folder: &Path, arguments: &str) -> String {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn a_picture_and_a_list_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let arguments = "--headless --frames 3 --size 1000x600 --out demo.png --theme light";
    let output = run(folder, arguments);
    assert!(output.status.success(), "{output:?}");
    let picture = Canvas::from_png(&std::fs::read(folder.join("demo.png")).unwrap()).unwrap();
    assert_eq!((picture.width(), picture.height()), (1000, 600));
    let json = std::fs::read_to_string(folder.join("demo.json")).unwrap();
    let frames = sidecar::from_json(&json).unwrap();
    let numbers: Vec<u64> = frames.iter().map(|frame| frame.number).collect();
    assert_eq!(numbers, [0, 1, 2]);
}

#[test]
fn an_animation_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let output = run(
        folder,
        "--headless --frames 2 --size 640x400 --out demo.gif",
    );
    assert!(output.status.success(), "{output:?}");
    let file = std::fs::read(folder.join("demo.gif")).unwrap();
    assert!(file.starts_with(b"GIF89a"));
}

#[test]
fn it_says_how_fast_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), "--headless --measure 1 --size 640x400");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("frames/s over 1 s") && text.contains("dropped"),
        "{text}"
    );
}

#[test]
fn what_is_wrong_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text = error(folder, "--headless --out a.png --weights nowhere");
    assert!(
        text.contains("nowhere") && text.contains("no-memory.safetensors"),
        "{text}"
    );
    let text = error(folder, "--headless --out a.png --weights .");
    assert!(text.contains("no-memory.safetensors"), "{text}");
    std::fs::write(folder.join("file"), "in the way").unwrap();
    let text = error(folder, "--headless --out a.png --video file");
    assert!(text.starts_with("error: file: found neither"), "{text}");
    let text = error(folder, "--headless --frames 1 --out file/a.png");
    assert!(text.contains("a.png"), "{text}");
    if !cfg!(feature = "gpu") {
        let text = error(folder, "--headless --device gpu --out a.png");
        assert!(text.contains("built without the GPU"), "{text}");
    }
    // A wrong flag is clap's to tell.
    let output = run(folder, "--colour");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.starts_with("error: unexpected argument '--colour'"),
        "{text}"
    );
}
