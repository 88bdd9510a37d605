//! Copies the reader of weights with one check taken out, to see whether the fuzzer misses it.

use std::fs;
use std::path::Path;

const READER: &str = "../crates/bottleneck-lstm/src/weights";

const MODULES: [&str; 12] = [
    "archive",
    "checkpoint",
    "element",
    "error",
    "globals",
    "layout",
    "objects",
    "pickle",
    "safetensors",
    "scope",
    "state_dict",
    "torch",
];

/// A name for the bug, the module it is in, a check, and what is left of it.
const BUGS: [[&str; 4]; 6] = [
    [
        "safetensors_end",
        "safetensors",
        "if metadata.data_len() != file.len() - data {",
        "if metadata.data_len() == usize::MAX {",
    ],
    [
        // Believes the length and reserves as much, up to a quarter of a GiB.
        "safetensors_length",
        "safetensors",
        "let length = u64::from_le_bytes(*length);",
        "let length = u64::from_le_bytes(*length);
         std::hint::black_box(Vec::<u8>::with_capacity(length as usize % (1 << 28)));",
    ],
    [
        "tensor_bounds",
        "layout",
        "if last.is_none_or(|last| last >= available) {",
        "if last.is_none() {",
    ],
    [
        "storage_bounds",
        "torch",
        "if end > file.len() {",
        "if end == usize::MAX {",
    ],
    [
        "archive_bounds",
        "archive",
        "(end <= file.len()).then_some(start..end)",
        "Some(start..end)",
    ],
    [
        "memo_bounds",
        "pickle",
        "let Some(value) = self.memo.get(index).copied() else {",
        "let Some(value) = Some(self.memo[index]) else {",
    ],
];

fn main() {
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    println!("cargo::rerun-if-changed={READER}");
    let mut all = String::new();
    for [bug, place, check, rest] in BUGS {
        let folder = Path::new(&out).join(bug);
        fs::create_dir_all(&folder).expect("OUT_DIR can be written");
        all += &format!("/// The reader without the check `{bug}`.\npub mod {bug} {{\n");
        for module in MODULES {
            let source = Path::new(READER).join(module).with_extension("rs");
            let mut source = fs::read_to_string(&source)
                .unwrap_or_else(|error| panic!("{}: {error}", source.display()));
            if module == place {
                assert_eq!(
                    source.matches(check).count(),
                    1,
                    "{bug}: the check is in {place}.rs"
                );
                source = source.replace(check, rest);
            }
            // Documentation of a module cannot stand in an included file.
            let lines = source.lines().filter(|line| !line.starts_with("//!"));
            let source: Vec<&str> = lines.collect();
            let copy = folder.join(module).with_extension("rs");
            fs::write(&copy, source.join("\n")).expect("OUT_DIR can be written");
            all += &format!("mod {module} {{ include!({copy:?}); }}\n");
        }
        all += "pub use {checkpoint::*, element::*, error::*, scope::*};\n}\n";
    }
    fs::write(Path::new(&out).join("planted.rs"), all).expect("OUT_DIR can be written");
}
