//! Training, as a user starts it.

use std::path::Path;

use burn_flex::Flex;
use lstm_ssd::network::Memory;

use super::{fail, run, succeed, text, weights};

/// Sixteen frames of 40 by 30 pixels.
fn footage(folder: &Path) -> String {
    let mut content = b"YUV4MPEG2 W40 H30 Cmono\n".to_vec();
    for frame in 0..16 {
        content.extend(b"FRAME\n");
        content.extend((0..40 * 30).map(|at| (at % 40 * 5 + frame) as u8));
    }
    let path = folder.join("footage.y4m");
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_memory_comes_with_its_log_chart_and_card() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, video) = (weights(folder.path()), footage(folder.path()));
    let out = folder.path().join("memory.safetensors");
    let path = out.to_str().unwrap();
    let shared = ["--weights", &weights, "--out", path];
    let few = [
        "--clips",
        "1",
        "--iterations",
        "2",
        "--frame-iterations",
        "3",
        "--card",
        "a ramp",
        "--licence",
        "CC0",
    ];
    let distill = [&["distill", video.as_str()], &shared[..], &few[..]].concat();
    succeed(&distill);

    let (memory, card) = Memory::<Flex>::load(&out, &Default::default()).unwrap();
    assert!(memory.frame().is_some());
    assert_eq!(
        (card.notes["data"].as_str(), card.notes["licence"].as_str()),
        ("a ramp", "CC0")
    );
    assert!(
        card.notes["command"].starts_with("lstm-ssd distill "),
        "{card:?}"
    );
    assert_eq!(card.detector.len(), 64);
    for (stage, iterations) in [("frame", 3), ("map", 2)] {
        let beside = |extension: &str| out.with_extension(format!("{stage}.{extension}"));
        let log = std::fs::read_to_string(beside("csv")).unwrap();
        let rows: Vec<&str> = log.lines().collect();
        assert_eq!(rows[0], "iteration,shown,features,detections,rate,amount");
        assert_eq!(rows.len(), 1 + iterations, "{log}");
        let chart = std::fs::read_to_string(beside("svg")).unwrap();
        assert!(chart.starts_with("<svg"), "{chart}");
        assert!(!beside("checkpoint").exists(), "it is finished");
    }

    // The same bytes once more, with the clips that are there; what is left of an earlier training counts for nothing.
    for stage in ["frame", "map"] {
        let checkpoint = out.with_extension(format!("{stage}.checkpoint"));
        std::fs::write(checkpoint, "half of one").unwrap();
    }
    let before = std::fs::read(&out).unwrap();
    std::fs::remove_file(&out).unwrap();
    succeed(&[&distill[..], &["--restart"]].concat());
    assert!(std::fs::read(&out).unwrap() == before);
}

/// Ctrl-C, and on to the same bytes.
#[cfg(unix)]
#[test]
fn an_interrupted_training_is_resumed_to_the_same_memory() {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    let folder = tempfile::tempdir().unwrap();
    let (weights, video) = (weights(folder.path()), footage(folder.path()));
    let start = |name: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lstm-ssd"));
        command
            .current_dir(folder.path())
            .args(["distill", &video, "--weights", &weights, "--clips", "1"])
            .args(["--iterations", "2", "--frame-iterations", "4"])
            .args(["--out", name])
            .args(more)
            .stderr(Stdio::null());
        command.spawn().unwrap()
    };
    assert!(start("whole.safetensors", &[]).wait().unwrap().success());

    // As soon as there is a file, which it makes after it began to listen for Ctrl-C.
    let interrupt = |file: &str, more: &[&str]| {
        let mut child = start("parts.safetensors", more);
        let file = folder.path().join(file);
        while !file.exists() {
            assert!(child.try_wait().unwrap().is_none(), "it is under way");
            std::thread::sleep(Duration::from_millis(5));
        }
        let id = child.id().to_string();
        let kill = Command::new("kill").args(["-INT", &id]).status();
        assert!(kill.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(!folder.path().join("parts.safetensors").exists());
    };
    let checkpoint = folder.path().join("parts.frame.checkpoint");
    // Before there are clips, and when the one clip is there, so that training begins.
    interrupt("parts.cache", &[]);
    assert!(!checkpoint.exists());
    interrupt("parts.cache/frame/00000.f16", &["--resume"]);
    assert!(checkpoint.exists());
    let mut last = start("parts.safetensors", &["--resume"]);
    assert!(last.wait().unwrap().success());
    let tensors = |name: &str| {
        let content = std::fs::read(folder.path().join(name)).unwrap();
        let header = u64::from_le_bytes(content[..8].try_into().unwrap()) as usize;
        content[8 + header..].to_vec()
    };
    // Their cards name other files.
    assert!(tensors("parts.safetensors") == tensors("whole.safetensors"));
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, video) = (weights(folder.path()), footage(folder.path()));
    let out = folder.path().join("memory.safetensors");
    let shared = ["--weights", &weights, "--out", out.to_str().unwrap()];
    let (_, error) = fail(&[&["distill", video.as_str()], &shared[..], &["--resume"]].concat());
    assert!(error.contains("no training to resume"), "{error}");
    std::fs::write(out.with_extension("frame.checkpoint"), "half of one").unwrap();
    let (_, error) = fail(&[&["distill", video.as_str()], &shared[..]].concat());
    assert!(
        error.contains("--resume goes on with it, --restart discards it"),
        "{error}"
    );

    let fresh = folder.path().join("other.safetensors");
    let shared = ["--weights", &weights, "--out", fresh.to_str().unwrap()];
    let truth = folder.path().join("truth.txt");
    std::fs::write(&truth, "1,1,2,3,4,5,1\n").unwrap();
    let truth = truth.to_str().unwrap();
    let train = ["train", video.as_str(), video.as_str(), "--truth", truth];
    let (_, error) = fail(&[&train[..], &shared[..]].concat());
    assert!(error.contains("a --truth for each video"), "{error}");
    let (_, error) = fail(&[&["distill", "absent.mp4"], &shared[..]].concat());
    assert!(error.contains("absent.mp4"), "{error}");
    let unicorn = [
        &["distill", video.as_str()],
        &shared[..],
        &["--class", "Unicorn"],
    ]
    .concat();
    let (_, error) = fail(&unicorn);
    assert!(error.contains("no class \"Unicorn\""), "{error}");
    let error = text(&run(&[&["distill"], &shared[..]].concat()).stderr);
    assert!(
        error.contains("<VIDEO>") || error.contains("[VIDEO]"),
        "{error}"
    );
}
