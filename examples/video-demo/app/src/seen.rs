//! What was seen in a frame.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::picture::Picture;
use crate::score::Tally;

/// Where something is, in shares of the frame's width and height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Its left edge, from 0 to 1.
    pub x: f32,
    /// Its upper edge, from 0 to 1.
    pub y: f32,
    /// Its width.
    pub width: f32,
    /// Its height.
    pub height: f32,
}

/// Whether a find is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is there.
    Right,
    /// It is not there.
    Wrong,
    /// Nobody knows.
    Unknown,
}

/// Something that a network sees in a frame, or that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// What it is.
    pub label: String,
    /// How sure the network is, from 0 to 1; nothing for the truth.
    pub score: Option<f32>,
    /// Where it is.
    pub place: Place,
    /// Whether it is there.
    pub verdict: Verdict,
}

/// What is shown as a heat map: a part of a memory, or what a network makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// The hidden state.
    Hidden,
    /// The cell state.
    Cell,
    /// The input gate.
    Input,
    /// The forget gate.
    Forget,
    /// The candidate for the cell state.
    Candidate,
    /// The output gate.
    Output,
    /// How sure a network is that what is looked for is there.
    Score,
}

impl Quantity {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Hidden,
        Self::Cell,
        Self::Input,
        Self::Forget,
        Self::Candidate,
        Self::Output,
        Self::Score,
    ];

    /// The parts of a memory, in the order in which the key goes through them.
    pub const MEMORY: [Self; 6] = [
        Self::Hidden,
        Self::Cell,
        Self::Input,
        Self::Forget,
        Self::Candidate,
        Self::Output,
    ];

    /// Its name, to show.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hidden => "hidden state",
            Self::Cell => "cell state",
            Self::Input => "input gate",
            Self::Forget => "forget gate",
            Self::Candidate => "candidate",
            Self::Output => "output gate",
            Self::Score => "score",
        }
    }
}

/// What to look at, beside what the networks find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Look {
    /// What of the networks, if anything.
    pub quantity: Option<Quantity>,
    /// One channel of it, or the norm over all.
    pub channel: Option<usize>,
}

/// A map over the frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// `[width, height]` in cells.
    pub size: [usize; 2],
    /// A value for each cell, row by row.
    pub values: Vec<f32>,
    /// Where the values can be at most, if that is known: 1 for a gate or a score.
    pub limit: Option<f32>,
}

/// How long the parts of a network took, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Times {
    /// From the frame to features.
    pub encode: f64,
    /// The memory.
    pub recurrent: f64,
    /// From features to finds, and to have them at hand.
    pub head: f64,
}

impl Times {
    /// All parts together.
    pub fn total(self) -> f64 {
        self.encode + self.recurrent + self.head
    }
}

/// What one network makes of a frame.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct View {
    /// What it sees.
    pub found: Vec<Found>,
    /// How well, where the truth is known and the frame counts.
    pub tally: Option<Tally>,
    /// What was asked for as a heat map.
    pub heat: Option<Heat>,
    /// How long it took, where that was measured.
    pub times: Option<Times>,
    /// Frames that its memory goes back, if it has one.
    pub age: Option<u64>,
}

/// A frame and what each network makes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The number of the frame in its video, from 0.
    pub number: u64,
    /// The frame as the networks see it.
    pub picture: Arc<Picture>,
    /// What happened to it, if anything.
    pub damage: Option<String>,
    /// What is there, if anybody knows.
    pub truth: Vec<Found>,
    /// What each network makes of it, in the order of the description.
    pub views: Vec<View>,
}
