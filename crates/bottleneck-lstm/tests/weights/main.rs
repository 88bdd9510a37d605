//! Weights in and out. The element type of a device is fixed by its first use, so 64-bit weights
//! are tested in a process of their own, `weights_f64.rs`.

mod chain;
mod checkpoint;
mod configuration;
mod fixtures;
mod hostile;
mod pickle;
mod pytorch;
mod record;
mod steps;
mod tensorflow;
