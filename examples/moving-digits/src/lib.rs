//! Moving handwritten digits in damaged video: what a recurrent layer remembers.
//!
//! The parts stand by themselves, so that other programs can use them: [`video`] is the source,
//! [`damage`] spoils it, [`network`] looks at it, [`score`] tells how well, [`picture`] draws it.
//! [`training`] and [`experiment`] put them together.

pub mod checkpoint;
pub mod clip;
pub mod damage;
pub mod detection;
pub mod digits;
pub mod encoder;
pub mod evaluation;
pub mod experiment;
pub mod frame;
pub mod hold;
mod init;
pub mod network;
pub mod picture;
pub mod plan;
pub mod random;
pub mod recurrent;
pub mod report;
pub mod schedule;
pub mod score;
pub mod session;
pub mod table;
pub mod training;
pub mod video;
pub mod weights;
