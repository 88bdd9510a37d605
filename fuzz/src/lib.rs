//! Feeds damaged files to the readers of `bottleneck_lstm::weights`, on the stable toolchain.
//!
//! A target must neither panic, nor hang, nor hold more memory than 40 bytes for each byte of the
//! file and 1 MiB. Files start as the fixtures of the library's tests and the corpus, and are
//! damaged by their structure: bits, numbers, blocks, words of the format, splices, with lengths
//! and checksums made to fit, so that damage reaches what lies behind them. What leads to a new
//! error is damaged further.
//!
//! `cargo test -p fuzz` reads 200,000 files a target, or as many as `FUZZ_EXECUTIONS` says, and
//! shows that copies of the reader with one check taken out fail. `cargo run -p fuzz` is for
//! longer runs, and writes what they find.

pub mod allocator;
pub mod driver;
pub mod input;
pub mod mutate;
pub mod random;
pub mod targets;

/// Copies of the reader, each with one check taken out by the build script.
pub mod planted {
    include!(concat!(env!("OUT_DIR"), "/planted.rs"));
}

// The copies name it as theirs.
use bottleneck_lstm::ConfigError;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;
