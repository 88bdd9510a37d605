//! The runner on every variant: what it covers, extreme values, the same bits every time, and its
//! streams.

mod determinism;
mod extremes;
mod fused;
mod kept;
mod network;
mod plain;
mod stream;
mod variants;
