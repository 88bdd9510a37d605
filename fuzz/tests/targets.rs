//! Each target for a while, and proof that it would notice.

use fuzz::driver;
use fuzz::targets::{PYTORCH, Reader, SAFETENSORS};

fn executions() -> u64 {
    match std::env::var("FUZZ_EXECUTIONS") {
        Ok(text) => text.parse().expect("FUZZ_EXECUTIONS is a number"),
        Err(_) => 200_000,
    }
}

fn holds(reader: &Reader) {
    let seeds = reader.seeds().unwrap();
    assert!(seeds.len() > 5, "{}", seeds.len());
    match driver::run(reader.target, &seeds, executions(), 1) {
        Ok(report) => {
            println!("{}: {report}", reader.name);
            // Damage reaches the whole of the reader, and some files survive it.
            assert!(report.outcomes.len() > 10, "{:?}", report.outcomes);
            assert!(report.outcomes.contains_key("a cell"));
        }
        Err(failure) => panic!("{}: {failure}: {:02x?}", reader.name, failure.file),
    }
}

#[test]
fn safetensors_holds() {
    holds(&SAFETENSORS);
}

#[test]
fn pytorch_holds() {
    holds(&PYTORCH);
}

/// A reader with one check taken out fails, and within a tenth of what CI runs.
fn finds_planted_bugs(reader: &Reader) {
    let seeds = reader.seeds().unwrap();
    for (bug, target) in reader.planted {
        let Err(failure) = driver::run(*target, &seeds, 20_000, 1) else {
            panic!("{}: the planted bug {bug} is not found", reader.name);
        };
        println!("{}: {bug} is found: {failure}", reader.name);
    }
}

#[test]
fn safetensors_finds_planted_bugs() {
    finds_planted_bugs(&SAFETENSORS);
}

#[test]
fn pytorch_finds_planted_bugs() {
    finds_planted_bugs(&PYTORCH);
}
