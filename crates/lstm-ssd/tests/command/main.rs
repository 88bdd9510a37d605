//! The command as a user runs it.

mod damage;
mod distill;
mod memory;
#[path = "../detector/shared.rs"]
mod shared;

use std::borrow::Cow;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use lstm_ssd::network::{Layer, MobileNetV2SsdConfig};
use safetensors::{Dtype, View};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lstm-ssd"))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What it prints, if it succeeds.
fn succeed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// What it prints, and what it says went wrong.
fn fail(arguments: &[&str]) -> (String, String) {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    // The last one: a driver may complain of its own troubles before.
    let error = error.lines().rfind(|line| line.starts_with("error: "));
    (text(&output.stdout), error.unwrap().to_owned())
}

/// Weights of zeros: with them every prior is any object with score 0.5.
fn weights(folder: &Path) -> String {
    weights_with(folder, |_| Vec::new(), |_| 0)
}

/// Weights and biases of zeros, but for those weights of a layer that `set` gives an index and the bits of an `f16`, and
/// its biases, which are all alike.
fn weights_with(
    folder: &Path,
    set: impl Fn(&Layer) -> Vec<(usize, u16)>,
    bias: impl Fn(&Layer) -> u16,
) -> String {
    let mut tensors = Vec::new();
    for layer in MobileNetV2SsdConfig::new(24).layers() {
        let shape = layer.weight_shape().to_vec();
        let mut weights = vec![0; shape.iter().product()];
        for (index, bits) in set(&layer) {
            weights[index] = bits;
        }
        let biases = vec![bias(&layer); layer.channels[1]];
        tensors.push((format!("{}.weight", layer.name), shape, weights));
        tensors.push((format!("{}.bias", layer.name), vec![biases.len()], biases));
    }
    let tensors = tensors.into_iter().map(|(name, shape, values)| {
        let bytes: Vec<u8> = values.into_iter().flat_map(u16::to_le_bytes).collect();
        (name, Tensor { shape, bytes })
    });
    let path = folder.join("weights.safetensors");
    std::fs::write(&path, safetensors::serialize(tensors, None).unwrap()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A tensor of `f16` on its way to a file.
struct Tensor {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for Tensor {
    fn dtype(&self) -> Dtype {
        Dtype::F16
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        (&self.bytes).into()
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Three frames of 40 by 30 pixels, of which the last one is cut.
fn video(folder: &Path) -> String {
    let mut content = b"YUV4MPEG2 W40 H30 Cmono\n".to_vec();
    for _ in 0..3 {
        content.extend(b"FRAME\n");
        content.extend([100; 40 * 30]);
    }
    content.truncate(content.len() - 1);
    let path = folder.join("cut.y4m");
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn help_says_where_to_begin() {
    let help = succeed(&["--help"]);
    for word in ["detect", "evaluate", "info", "cargo xtask weights", "H.264"] {
        assert!(help.contains(word), "{word}: {help}");
    }
}

#[test]
fn rows_before_damage_are_whole_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, video) = (weights(folder.path()), video(folder.path()));
    let list = folder.path().join("list.csv");
    let animation = folder.path().join("boxes.gif");
    let (stdout, error) = fail(&[
        "detect",
        &video,
        "--weights",
        &weights,
        "--out",
        list.to_str().unwrap(),
        "--render",
        animation.to_str().unwrap(),
    ]);
    assert_eq!(stdout, "");
    let expected = "cut.y4m, frame 3: the frame: expected planes of 40 by 30 pixels";
    assert!(error.contains(expected), "{error}");

    let list = std::fs::read_to_string(list).unwrap();
    assert!(list.ends_with('\n'));
    let mut lines = list.lines();
    assert_eq!(lines.next(), Some("frame,label,score,x,y,width,height"));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert!(
        rows.iter()
            .all(|row| row.len() == 7 && row[2] == "0.500000")
    );
    // Boxes of code 0 are the priors themselves: the first of the list is the upper left one.
    let first = ["1", "Bicycle", "0.500000", "-0.95", "-0.71", "4.00", "3.00"];
    assert_eq!(rows[0], first);
    let frame = |frame| rows.iter().filter(|row| row[0] == frame).count();
    assert!(frame("1") > 0 && frame("1") == frame("2") && frame("3") == 0);
    let labels: std::collections::BTreeSet<_> = rows.iter().map(|row| row[1]).collect();
    assert_eq!(labels.len(), 23, "all classes but the background");

    let gif = std::fs::read(animation).unwrap();
    assert!(gif.starts_with(b"GIF89a") && gif.ends_with(b"\x3b"));
}

#[test]
fn every_other_frame_is_every_other_frame() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, video) = (weights(folder.path()), video(folder.path()));
    // The third frame is not to be looked at, and yet is damaged.
    let (list, error) = fail(&["detect", &video, "--weights", &weights, "--every", "2"]);
    assert!(error.contains("frame 3"), "{error}");
    assert!(list.lines().skip(1).all(|row| row.starts_with("1,")));
    let none = [
        "detect",
        &video,
        "--weights",
        &weights,
        "--min-score",
        "0.6",
    ];
    assert_eq!(fail(&none).0, "frame,label,score,x,y,width,height\n");
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, video) = (weights(folder.path()), video(folder.path()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_lstm-ssd"))
        .args(["detect", &video, "--weights", &weights])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn bad_input_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, video) = (weights(folder.path()), video(folder.path()));
    let truth = folder.path().join("truth.txt");
    std::fs::write(&truth, "1,1,2,3,4,5,1\n1,1,2,3,-4,5,1\n").unwrap();
    let truth = truth.to_str().unwrap();
    let evaluate = ["evaluate", &video, "--weights", &weights, "--truth", truth];
    let error = fail(&evaluate).1;
    assert!(
        error.contains("truth.txt: line 2: width: expected a number above 0"),
        "{error}"
    );

    std::fs::write(truth, "1,1,2,3,4,5,1\n").unwrap();
    let error = fail(&[&evaluate[..], &["--class", "Unicorn"]].concat()).1;
    assert!(error.contains("no class \"Unicorn\""), "{error}");
    let (table, error) = fail(&evaluate);
    assert!(
        table.contains("| cut.y4m | Person |   none |   none |     – |      2 |       1 |"),
        "{table}"
    );
    assert!(error.contains("frame 3"), "{error}");

    let error = fail(&["info", truth]).1;
    assert!(
        error.contains("truth.txt: expected a safetensors or PyTorch file"),
        "{error}"
    );
    let error = fail(&["detect", "no-video.mp4", "--weights", &weights]).1;
    assert!(error.contains("no-video.mp4"), "{error}");
}

#[test]
#[cfg(not(feature = "wgpu"))]
fn a_program_without_the_gpu_says_how_to_get_one_with_it() {
    let error = fail(&["info", "any", "--backend", "wgpu"]).1;
    assert!(error.contains("--features wgpu"), "{error}");
}

/// Burn's own operations, on whatever adapter there is.
#[test]
#[cfg(feature = "wgpu")]
fn the_gpu_lists_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, video) = (weights(folder.path()), video(folder.path()));
    let detect = ["detect", &video, "--weights", &weights];
    let (expected, _) = fail(&detect);
    let (found, error) = fail(&[&detect[..], &["--backend", "wgpu"]].concat());
    assert!(error.contains("frame 3"), "{error}");
    assert_eq!(found, expected);
}

#[test]
fn info_says_what_the_weights_are_of() {
    let folder = tempfile::tempdir().unwrap();
    let info = succeed(&["info", &weights(folder.path())]);
    for word in [
        "MobileNetV2",
        "4951996",
        "673.0 million",
        "1917",
        "Person",
        "19x19 (3)",
    ] {
        assert!(info.contains(word), "{word}: {info}");
    }
}

/// AP50 of the last row of a table.
fn precision(table: &str) -> f64 {
    let row = table.lines().last().unwrap();
    row.split('|').nth(9).unwrap().trim().parse().unwrap()
}

/// The table of a shared clip.
fn evaluate(clip: &str, weights: &Path, more: &[&str]) -> String {
    let [video, truth] =
        ["mp4", "gt.txt"].map(|kind| shared::file(&format!("clips/{clip}.{kind}")).unwrap());
    let [video, truth, weights] =
        [&video, &truth, weights].map(|path: &Path| path.to_str().unwrap());
    let arguments = ["evaluate", video, "--truth", truth, "--weights", weights];
    succeed(&[&arguments[..], more].concat())
}

#[test]
fn it_is_as_precise_as_the_published_detector() {
    let Some(weights) = shared::file("ssd_mobilenet_v2/ssd_mobilenet_v2.safetensors") else {
        return;
    };
    // Of the interpreter on the same frames, resized in the same way.
    for (clip, every, counts, expected) in [
        ("TUD-Stadtmitte", "2", "|     90 |     580 |", 0.8366),
        ("TUD-Campus", "1", "|     71 |     359 |", 0.7713),
    ] {
        let table = evaluate(clip, &weights, &["--every", every, "--memory", "none"]);
        assert!(table.contains(counts), "{table}");
        assert!((precision(&table) - expected).abs() <= 0.01, "{table}");
    }
}
