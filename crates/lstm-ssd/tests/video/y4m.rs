//! YUV4MPEG2.

use super::{message, rate, read};

fn video(header: &str, frames: &[&[u8]]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.y4m");
    let mut content = format!("YUV4MPEG2 {header}\n").into_bytes();
    for frame in frames {
        content.extend(b"FRAME\n");
        content.extend(*frame);
    }
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

#[test]
fn every_layout_of_eight_bits_is_read() {
    for (header, frame) in [
        ("W2 H2 F25:1 C420jpeg", &[235, 16, 16, 235, 128, 128][..]),
        ("W2 H2 F25:1", &[235, 16, 16, 235, 128, 128]),
        ("W2 H2 C422", &[235, 16, 16, 235, 128, 128, 128, 128]),
        (
            "W2 H2 C444",
            &[235, 16, 16, 235, 128, 128, 128, 128, 128, 128, 128, 128],
        ),
        ("W2 H2 Cmono", &[235, 16, 16, 235]),
        ("W2 H2 Cmono XCOLORRANGE=FULL", &[255, 0, 0, 255]),
    ] {
        let (_folder, path) = video(header, &[frame, frame]);
        let (pictures, error) = read(&path);
        assert!(error.is_none(), "{header}: {error:?}");
        assert_eq!(pictures.len(), 2, "{header}");
        let expected = [255, 255, 255, 0, 0, 0, 0, 0, 0, 255, 255, 255];
        assert_eq!(pictures[1].pixels(), expected, "{header}");
    }
}

#[test]
fn frames_come_as_fast_as_the_header_says() {
    for (header, expected) in [
        ("F30000:1001", Some(30000.0 / 1001.0)),
        ("F0:0", None),
        ("F0:1", None),
        ("F25:0", None),
    ] {
        let (_folder, path) = video(&format!("W2 H2 Cmono {header}"), &[&[16; 4]]);
        assert_eq!(rate(&path), expected, "{header}");
    }
}

#[test]
fn odd_sizes_are_read() {
    let frame = [128; 9 + 4 + 4];
    let (_folder, path) = video("W3 H3 C420", &[&frame]);
    let (pictures, error) = read(&path);
    assert!(error.is_none(), "{error:?}");
    assert_eq!([pictures[0].width(), pictures[0].height()], [3, 3]);
}

#[test]
fn a_frame_that_ends_early_is_named() {
    let (_folder, path) = video("W2 H2 Cmono", &[&[16; 4], &[16; 3]]);
    let (pictures, error) = read(&path);
    assert_eq!(pictures.len(), 1);
    let error = message(error.unwrap());
    let expected = "clip.y4m, frame 2: the frame: expected planes of 2 by 2 pixels, found the end \
                    of the file after 9 bytes";
    assert!(error.ends_with(expected), "{error}");
}

#[test]
fn what_is_not_read_is_named() {
    for (header, expected) in [
        (
            "W2 H2 C420p10",
            "expected a colour space of 8 bits: mono, 420, 422 or 444",
        ),
        (
            "W2 H2 Cxyz",
            "expected a colour space of 8 bits: mono, 420, 422 or 444",
        ),
        ("W0 H2", "expected 1 to 16384 pixels a side, found 0 by 2"),
        (
            "W99999999999 H99999999999",
            "expected 1 to 16384 pixels a side",
        ),
        ("W2", "expected 1 to 16384 pixels a side, found 2 by 0"),
    ] {
        let (_folder, path) = video(header, &[]);
        let error = message(read(&path).1.unwrap());
        assert!(error.contains(expected), "{header}: {error}");
    }
    let (_folder, path) = video("W2 H2 Cmono", &[]);
    let error = message(read(&path).1.unwrap());
    assert!(
        error.ends_with("expected at least one frame, found none"),
        "{error}"
    );
    let (_folder, path) = video("W2 H2 Cmono", &[&[16; 4], &[16; 5]]);
    let (pictures, error) = read(&path);
    assert_eq!(pictures.len(), 2);
    let error = message(error.unwrap());
    assert!(error.contains("frame 3"), "{error}");
}
