//! Damaged and hostile files: each is a typed error, or loads what it says.
//!
//! The fuzz targets in `fuzz/` go further and count memory; these are the cases one can think of.

use bottleneck_lstm::weights::{Checkpoint, WeightsError};
use proptest::prelude::*;

use crate::chain::chain;
use crate::fixtures::path;

/// Every file that holds weights, in every format.
const FILES: [&str; 14] = [
    "plain.safetensors",
    "half.safetensors",
    "double.safetensors",
    "grouped.safetensors",
    "plain.pt",
    "plain.pth",
    "protocol4.pt",
    "protocol5.pth",
    "views.pt",
    "views.pth",
    "training.pt",
    "training.pth",
    "kinds.pt",
    "kinds.pth",
];

fn file(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

/// Reads a file and all its floating-point values.
pub fn read(file: Vec<u8>) -> Result<Vec<(String, Vec<u64>)>, WeightsError> {
    let checkpoint = Checkpoint::from_bytes(file)?;
    let mut all = Vec::new();
    for tensor in checkpoint.tensors() {
        let values = match tensor.to_f64() {
            Ok(values) => values.into_iter().map(f64::to_bits).collect(),
            Err(_) => vec![],
        };
        if tensor.element_type().is_float() {
            assert_eq!(values.len(), tensor.num_elements());
            assert_eq!(
                tensor.num_elements(),
                tensor.shape().iter().product::<usize>()
            );
        }
        all.push((format!("{tensor:?}"), values));
    }
    Ok(all)
}

pub fn message(file: Vec<u8>) -> String {
    read(file).unwrap_err().to_string()
}

#[test]
fn no_part_of_a_file_is_a_file() {
    for name in FILES {
        let whole = file(name);
        for length in 0..whole.len() {
            assert!(
                read(whole[..length].to_vec()).is_err(),
                "{name}: {length} bytes"
            );
        }
        assert!(read(whole).is_ok());
    }
}

/// The checksums of an archive cover names, shapes and values.
#[test]
fn no_flipped_bit_changes_an_archive_unseen() {
    let whole = file("views.pt");
    let expected = read(whole.clone()).unwrap();
    let mut seen = 0;
    for bit in 0..whole.len() * 8 {
        let mut file = whole.clone();
        file[bit / 8] ^= 1 << (bit % 8);
        match read(file) {
            Ok(found) => assert_eq!(found, expected, "bit {bit}"),
            Err(_) => seen += 1,
        }
    }
    assert!(seen > whole.len(), "{seen} of {} flips", whole.len() * 8);
}

#[test]
fn safetensors_headers_are_checked() {
    let with_length = |length: u64, header: &str, data: usize| {
        let mut file = length.to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        file.resize(file.len() + data, 0);
        file
    };
    for length in [u64::MAX, 1 << 63, 1 << 40, 3] {
        let found = message(with_length(length, "{}", 0));
        let expected = format!(
            "malformed safetensors file: the header's length: expected at most the 2 bytes that \
             follow it, found {length}"
        );
        assert_eq!(found, expected);
    }
    let check = |header: &str, data: usize, expected: &str| {
        let found = message(with_length(header.len() as u64, header, data));
        assert!(found.contains(expected), "{found}");
    };
    let tensor = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"t":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    check("{", 0, "a header in JSON");
    check(&"{\"a\":".repeat(100_000), 0, "a header in JSON");
    check(&tensor("F31", "[1]", "[0,4]"), 4, "a header in JSON");
    check(&tensor("F32", "[-1]", "[0,4]"), 4, "a header in JSON");
    check(
        &tensor("F32", "[1]", "[0,4]"),
        8,
        "4 bytes of tensors, found 8 bytes",
    );
    check(
        &tensor("F32", "[1]", "[0,4]"),
        0,
        "4 bytes of tensors, found 0 bytes",
    );
    check(&tensor("F32", "[1]", "[4,0]"), 4, "tensors end to end");
    check(&tensor("F32", "[1]", "[4,8]"), 8, "tensors end to end");
    check(&tensor("F32", "[2]", "[0,4]"), 4, "tensors end to end");
    check(
        &tensor("F32", "[4294967296,4294967296]", "[0,0]"),
        0,
        "tensors end to end",
    );
    check(
        &tensor("F32", "[0]", "[0,18446744073709551615]"),
        0,
        "tensors end to end",
    );
    let twice = tensor("F32", "[1]", "[0,4]");
    let twice = format!("{},{}", &twice[..twice.len() - 1], &twice[1..]);
    check(&twice, 4, "tensor `t` twice");
    assert!(read(with_length(2, "{}", 0)).unwrap().is_empty());
}

#[test]
fn archives_are_checked() {
    let whole = file("plain.pt");
    let directory = whole.windows(4).position(|at| at == b"PK\x01\x02").unwrap();
    let end = whole.len() - 22;
    let patched = |at: usize, bytes: &[u8]| {
        let mut file = whole.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        message(file)
    };
    // An entry's method, size, name length, and the place of its own header.
    assert!(patched(directory + 10, &[8, 0]).contains("stored without compression"));
    assert!(patched(directory + 8, &[9, 8]).contains("stored without compression"));
    for size in [0xfffe_u32, 0xffff_fffe] {
        let sizes = [size.to_le_bytes(), size.to_le_bytes()].concat();
        assert!(patched(directory + 20, &sizes).contains("its data within the file"));
    }
    assert!(patched(directory + 28, &[0xff, 0xff]).contains("a directory entry"));
    assert!(patched(directory + 42, &[1, 0, 0, 0]).contains("a header of that name"));
    assert!(patched(directory + 16, &[0; 4]).contains("checksum 00000000"));
    // The directory's place and number of entries, here and in the 64-bit records.
    assert!(patched(end + 10, &[0xfe, 0xff]).contains("a directory entry"));
    assert!(patched(end + 16, &[0xfe, 0xff, 0xff, 0xff]).contains("a directory entry"));
    let wide = end - 20 - 56;
    assert_eq!(&whole[wide..wide + 4], b"PK\x06\x06");
    let mut file = whole.clone();
    file[end + 10..end + 12].copy_from_slice(&[0xff; 2]);
    assert!(
        read(file.clone()).is_ok(),
        "the 64-bit records say the same"
    );
    file[wide + 32..wide + 40].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(message(file.clone()).contains("a directory entry"));
    file[wide + 48..wide + 56].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(message(file).contains("a directory entry"));
    assert!(patched(end, b"gone").contains("an end record"));
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..5_u8), 1..6);
    (prop::sample::select(&FILES[..]), edits).prop_map(|(name, edits)| {
        let mut file = file(name);
        for (at, byte, kind) in edits {
            if file.is_empty() {
                break;
            }
            let at = at.index(file.len());
            match kind {
                0 => file[at] ^= 1 << (byte % 8),
                1 => file[at] = byte,
                2 => file.truncate(at),
                3 => drop(file.drain(at..(at + usize::from(byte)).min(file.len()))),
                _ => {
                    let block = file[at..(at + usize::from(byte)).min(file.len())].to_vec();
                    file.splice(at..at, block);
                }
            }
        }
        file
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn damaged_files_are_read_or_refused(file in mutated()) {
        let _ = read(file);
    }

    #[test]
    fn spliced_files_are_read_or_refused(
        first in prop::sample::select(&FILES[..]),
        second in prop::sample::select(&FILES[..]),
        at in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
    ) {
        let (mut first, second) = (file(first), file(second));
        first.truncate(at.index(first.len()));
        first.extend(&second[from.index(second.len())..]);
        let _ = read(first);
    }

    #[test]
    fn random_bytes_are_refused(
        start in prop::sample::select(vec![
            &b""[..], b"PK\x03\x04", b"\x80\x02", b"\x10\0\0\0\0\0\0\0{",
        ]),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let file = [start, &bytes].concat();
        prop_assert!(read(file).is_err());
    }

    #[test]
    fn random_objects_are_read_or_refused(object in prop::collection::vec(
        prop::sample::select(&b"}])(NKJqhtsuaeQRb0.\x85\x86\x88\x94\0\x01"[..]), 0..80,
    )) {
        let _ = read(chain(&object, &["0"], &[&[0; 4]]));
    }
}
