//! One suite that every backend and runner passes.
