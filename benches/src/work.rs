//! What is timed.

use std::fmt;
use std::str::FromStr;

use bottleneck_lstm::{BottleneckLstmConfig, ConvLstmConfig};
use clap::ValueEnum;
use serde::Serialize;

/// Shapes that are timed unless others are asked for: deep and small, wide and shallow.
pub const SHAPES: [&str; 6] = [
    "1024,256,10",
    "512,128,10",
    "256,64,10",
    "256,256,20",
    "64,64,40",
    "32,32,80",
];
/// Steps of a sequence, as a camera's half second has.
pub const SEQUENCE: usize = 16;
/// Steps of a training step.
pub const TRAINING: usize = 8;
/// Videos of a training step.
pub const BATCH: usize = 4;

/// Which cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// The default Bottleneck-LSTM.
    BottleneckLstm,
    /// The full 3x3 ConvLSTM.
    ConvLstm,
}

/// Which work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One step of batch 1 from a state that is not zero.
    Step,
    /// Sixteen steps at once, batch 1; times are per frame.
    Sequence,
    /// Forward and backward over eight steps of batch 4: gradients of the weights, loss the sum over
    /// the steps of the mean square of the hidden state.
    Training,
}

/// Channels in, channels hidden, height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Shape {
    pub input: usize,
    pub hidden: usize,
    pub side: usize,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Work {
    pub cell: Cell,
    pub kind: Kind,
    pub shape: Shape,
}

impl Kind {
    /// Batch and steps.
    pub fn batch_and_steps(self) -> (usize, usize) {
        match self {
            Self::Step => (1, 1),
            Self::Sequence => (1, SEQUENCE),
            Self::Training => (BATCH, TRAINING),
        }
    }

    /// Frames that a time is divided by.
    pub fn frames(self) -> usize {
        if self == Self::Sequence { SEQUENCE } else { 1 }
    }
}

impl Work {
    /// Multiply-accumulates of one run; the backward pass has twice those of the forward pass.
    pub fn macs(&self) -> u64 {
        let Shape {
            input,
            hidden,
            side,
        } = self.shape;
        let step = match self.cell {
            Cell::BottleneckLstm => BottleneckLstmConfig::new(input, hidden).macs([side; 2]),
            Cell::ConvLstm => ConvLstmConfig::new(input, hidden).macs([side; 2]),
        };
        let (batch, steps) = self.kind.batch_and_steps();
        let passes = if self.kind == Kind::Training { 3 } else { 1 };
        step * (batch * steps * passes) as u64
    }
}

impl Work {
    /// Bytes that one run of the cell moves at least: each tensor that it takes or gives, once.
    pub fn bytes(&self) -> u64 {
        let Shape {
            input,
            hidden,
            side,
        } = self.shape;
        let (batch, steps) = self.kind.batch_and_steps();
        let params = match self.cell {
            Cell::BottleneckLstm => BottleneckLstmConfig::new(input, hidden).num_params(),
            Cell::ConvLstm => ConvLstmConfig::new(input, hidden).num_params(),
        };
        // Weights and outputs have gradients.
        let copies = if self.kind == Kind::Training { 2 } else { 1 };
        let area = side * side;
        let frames = batch * steps * area * (input + copies * hidden);
        // Cell and hidden state, before and after.
        let states = batch * area * hidden * 4;
        ((copies * params + frames + states) * size_of::<f32>()) as u64
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sizes = text
            .split(',')
            .map(str::parse)
            .collect::<Result<Vec<usize>, _>>();
        match sizes.as_deref() {
            Ok([input, hidden, side]) if ![input, hidden, side].contains(&&0) => Ok(Self {
                input: *input,
                hidden: *hidden,
                side: *side,
            }),
            _ => Err(format!(
                "expected INPUT,HIDDEN,SIDE as 256,64,10, found {text}"
            )),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} → {}, {}×{}",
            self.input, self.hidden, self.side, self.side
        )
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {}", self.cell, self.kind, self.shape)
    }
}
