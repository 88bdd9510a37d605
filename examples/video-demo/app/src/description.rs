//! What there is to see, as a front door describes it.

use crate::seen::Quantity;

/// What a value of a [`Knob`] stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share from 0 to 1, shown in percent.
    Share,
    /// A number of things.
    Count,
}

/// One way to damage the video.
#[derive(Debug, Clone, PartialEq)]
pub struct Knob {
    /// The name of its setting, which no knob of another source has.
    pub key: String,
    /// Its name, to show.
    pub name: String,
    /// What it does, in a sentence.
    pub hint: String,
    /// What its value stands for.
    pub unit: Unit,
    /// The largest value; the least, 0, does nothing.
    pub max: f32,
    /// How far a key moves it.
    pub step: f32,
    /// Where it stands at first.
    pub default: f32,
}

/// A video and what can be done to it.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceCard {
    /// Its name, to show.
    pub name: String,
    /// Frames a second at first.
    pub rate: f64,
    /// The ways to damage it.
    pub knobs: Vec<Knob>,
    /// Whether the viewer chooses what the random numbers of damages come of.
    pub seeded: bool,
    /// Whether it has other videos to go on with.
    pub others: bool,
    /// Whether anybody knows what is there to be found.
    pub truth: bool,
}

/// A network.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkCard {
    /// Its name, to show.
    pub name: String,
    /// Parameters of all its parts.
    pub parameters: u64,
    /// Multiply-accumulates of a frame.
    pub macs: u64,
    /// Channels of its memory; nothing without a memory.
    pub channels: Option<usize>,
}

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compute {
    /// The processor.
    Cpu,
    /// The device that draws.
    Gpu,
}

/// Whether the device that draws can compute, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gpu {
    /// It can: its name.
    Ready(String),
    /// It cannot: why.
    Missing(String),
}

/// What there is to see.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// The video.
    pub source: SourceCard,
    /// The networks, side by side.
    pub networks: Vec<NetworkCard>,
    /// What can be shown of them as a heat map.
    pub quantities: Vec<Quantity>,
    /// What computes now.
    pub compute: Compute,
    /// The processor's name and how it runs, to show.
    pub cpu: String,
    /// The other one.
    pub gpu: Gpu,
}

impl Description {
    /// Channels of the memory that is shown, if a network has one with channels to choose from.
    pub fn channels(&self) -> Option<usize> {
        self.networks.iter().find_map(|network| network.channels)
    }
}
