//! The runner on every variant: what it covers, extreme values, and the same bits every time.

mod determinism;
mod extremes;
mod fused;
mod plain;
mod variants;
