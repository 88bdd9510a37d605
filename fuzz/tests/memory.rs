//! Files that are as dense as can be, a MiB of each: memory stays in proportion.

use bottleneck_lstm::weights::Checkpoint;
use fuzz::allocator::measure;
use fuzz::driver::memory_limit;

const LENGTH: usize = 1 << 20;

fn stays_in_proportion(what: &str, file: &[u8]) {
    let (read, peak) = measure(|| {
        Checkpoint::from_bytes(file).map(|checkpoint| {
            // A reader of the whole file holds one tensor at a time.
            checkpoint
                .tensors()
                .filter_map(|tensor| tensor.to_f64().ok())
                .map(|v| v.len())
                .sum()
        })
    });
    let times = peak as f64 / file.len() as f64;
    let result: Result<usize, String> = read.map_err(|error| error.to_string());
    println!(
        "{what}: {} bytes, {times:.1} times as much held: {result:.90?}",
        file.len()
    );
    assert!(
        peak <= memory_limit(file),
        "{what}: {peak} bytes for {}",
        file.len()
    );
}

/// A file of PyTorch before 1.6 whose object is `pickle`.
fn chain(pickle: &[u8], storage: usize) -> Vec<u8> {
    let before = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\
                   \x80\x02}X\x0d\0\0\0little_endian\x88s.\x80\x02";
    let after = b".\x80\x02](X\x01\0\0\x000e.";
    let elements = (storage as u64 / 4).to_le_bytes();
    [&before[..], pickle, after, &elements, &vec![0; storage]].concat()
}

const STORAGE: &[u8] = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\0\0\0\0";
const REBUILD: &[u8] = b"ctorch._utils\n_rebuild_tensor_v2\n";

#[test]
fn dense_pickles() {
    let repeat = |start: &[u8], unit: &[u8], end: &[u8]| {
        chain(&[start, &unit.repeat(LENGTH / unit.len()), end].concat(), 4)
    };
    for (what, start, unit, end) in [
        ("nothing on the stack", &b""[..], &b"N"[..], &b""[..]),
        ("marks", b"", b"(", b""),
        ("remembering", b"}", b"\x94", b""),
        ("lists", b"", b"]0", b"}"),
        ("dicts", b"", b"}0", b"}"),
        ("tuples", b"N", b"\x85", b"}"),
        ("pairs", b"N", b"N\x86", b"}"),
        ("entries", b"}q\0X\x01\0\0\0aq\x010", b"h\0h\x01Ns0", b"h\0"),
        (
            "entries at once",
            b"}X\x01\0\0\0aq\x010",
            b"(h\x01Nh\x01Nh\x01Nu",
            b"",
        ),
        ("items", b"]X\x01\0\0\0aq\x010", b"h\x01a", b"0}"),
        ("short names", b"}", b"X\x01\0\0\0aNs", b""),
        ("text", b"}", b"X\x01\0\0\0a0", b""),
    ] {
        stays_in_proportion(what, &repeat(start, unit, end));
    }

    // d[name] = tensor, over and over, from parts that are remembered.
    let parts = [STORAGE, b"K\x01tQK\0))NNtq\x01", REBUILD, b"q\x020000}"].concat();
    let parts = [
        REBUILD,
        b"q\x01(",
        STORAGE,
        b"K\x01tQK\0))NNtq\x0200}",
        &parts[..0],
    ]
    .concat();
    let mut dict = parts;
    for name in 0..(LENGTH / 16) as u32 {
        dict.extend(
            [
                b"X\x04\0\0\0",
                &format!("{name:04x}").as_bytes()[..4],
                b"h\x01h\x02Rs",
            ]
            .concat(),
        );
    }
    stays_in_proportion("tensors", &chain(&dict, 4));
}

#[test]
fn claims_of_a_hundred_bytes() {
    let tensor = |shape: &[u8]| {
        [
            b"}X\x01\0\0\0a",
            REBUILD,
            b"(",
            STORAGE,
            b"K\x01tQK\0",
            shape,
            b"NNtRs",
        ]
        .concat()
    };
    let huge = b"\x8a\x06\0\0\0\0\0\x01";
    for (what, pickle) in [
        (
            "a terabyte of one number",
            tensor(&[&huge[..], b"\x85K\0\x85"].concat()),
        ),
        (
            "a tensor of 65,536 numbers",
            tensor(b"J\0\0\x01\0\x85K\0\x85"),
        ),
        ("a memo of 2^32", b"}r\xff\xff\xff\xff".to_vec()),
        (
            "a text of 2^63",
            b"}\x8d\xff\xff\xff\xff\xff\xff\xff\x7f".to_vec(),
        ),
    ] {
        stays_in_proportion(what, &chain(&pickle, 4));
    }
    let claim = |length: u64| [&length.to_le_bytes()[..], b"{}"].concat();
    stays_in_proportion("a header of 2^63", &claim(1 << 63));
    stays_in_proportion("a header of 99 MB", &claim(99_000_000));
}

#[test]
fn dense_headers() {
    let header = |start: &str, unit: &str, end: &str| {
        let header = [start, &unit.repeat(LENGTH / unit.len()), end].concat();
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()
    };
    for (what, start, unit, end) in [
        (
            "dimensions",
            r#"{"t":{"dtype":"F32","shape":[0"#,
            ",0",
            r#"],"data_offsets":[0,0]}}"#,
        ),
        ("numbers for a tensor", r#"{"t":[0"#, ",0", "]}"),
        ("lists for a tensor", r#"{"t":"#, "[", ""),
        (
            "metadata",
            r#"{"__metadata__":{"a":"b""#,
            r#","a":"b""#,
            "}}",
        ),
        ("escapes", r#"{""#, r"\n", r#"":0}"#),
    ] {
        stays_in_proportion(what, &header(start, unit, end));
    }
    let tensors: String = (0..LENGTH / 60)
        .map(|name| {
            format!(
                r#""{name}":{{"dtype":"F32","shape":[],"data_offsets":[{},{}]}},"#,
                4 * name,
                4 * name + 4
            )
        })
        .collect();
    let header = format!("{{{}}}", tensors.trim_end_matches(','));
    let mut file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    file.resize(file.len() + LENGTH / 60 * 4, 0);
    stays_in_proportion("tensors", &file);
}
