//! Weights in and out. 64-bit weights are tested in `double`.

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
