//! The suite in `f32`. One binary, since a backend takes longer to compile than to test.

mod baselines;
mod cpu_runner;
mod reference;
