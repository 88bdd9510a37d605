//! The CPU runner.
