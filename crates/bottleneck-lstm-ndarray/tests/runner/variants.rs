//! The published variants of the cell, and numbers to feed them with.

use bottleneck_lstm::{Activation, BottleneckLstmConfig, Depthwise, LearnedState, Peephole};

pub const SPATIAL: [usize; 2] = [5, 6];

pub const ACTIVATIONS: [Activation; 4] = [
    Activation::Identity,
    Activation::Relu,
    Activation::Relu6,
    Activation::Tanh,
];

/// Every variant, with its name, of `ci` input channels and of 12 hidden ones: twelve and its
/// fourth do not fill octets.
pub fn variants(ci: usize) -> Vec<(&'static str, BottleneckLstmConfig)> {
    let cell = BottleneckLstmConfig::new(ci, 12);
    let paper = BottleneckLstmConfig::paper(ci, 12);
    let tensorflow = BottleneckLstmConfig::tensorflow(ci, 12);
    let grouped = tensorflow.clone().with_groups(4);
    vec![
        ("default", cell.clone()),
        (
            "peepholes",
            cell.clone().with_peephole(Peephole::PerChannel),
        ),
        (
            "peepholes of positions",
            cell.clone().with_peephole(Peephole::PerPosition(SPATIAL)),
        ),
        (
            "depthwise over both",
            cell.clone().with_depthwise(Depthwise::InputAndHidden),
        ),
        ("paper", paper),
        ("TensorFlow", tensorflow.clone()),
        ("clipped", tensorflow.clone().with_clip_state(6.0)),
        ("scaled", tensorflow.clone().with_scale_state(true)),
        (
            "with its bottleneck",
            tensorflow.clone().with_output_bottleneck(true),
        ),
        (
            "learned state",
            tensorflow
                .clone()
                .with_learned_state(LearnedState::PerChannel),
        ),
        (
            "learned state of positions",
            tensorflow
                .clone()
                .with_learned_state(LearnedState::PerPosition(SPATIAL)),
        ),
        ("activated carry", cell.with_carry_activated(true)),
        ("grouped", grouped.clone()),
        (
            "grouped with everything",
            grouped
                .with_peephole(Peephole::PerPosition(SPATIAL))
                .with_scale_state(true)
                .with_output_bottleneck(true)
                .with_learned_state(LearnedState::PerPosition(SPATIAL)),
        ),
    ]
}

/// Numbers from -1 to 1 that stay the same from run to run, by SplitMix64 (Steele, Lea & Flood,
/// 2014).
pub struct Random(pub u64);

impl Random {
    pub fn value(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    }

    pub fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.value()).collect()
    }
}
