//! AdamW for a part of a memory: its amounts learn faster than its weights, and do not decay.

use burn::module::{AutodiffModule, ModuleVisitor, Param, ParamId};
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{AdamW, AdamWConfig, GradientsParams, Optimizer};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{ElementConversion, Tensor};

use super::student::Student;

const BETAS: [f32; 2] = [0.9, 0.98];
const DECAY: f32 = 1e-3;

/// The largest norm of all gradients together.
const NORM: f64 = 1.0;

type Adam<B, S> = OptimizerAdaptor<AdamW, S, B>;

/// What it remembers of earlier gradients.
pub(super) type Moments<B, S> = (
    <Adam<B, S> as Optimizer<S, B>>::Record,
    <Adam<B, S> as Optimizer<S, B>>::Record,
);

/// The optimiser.
pub(super) struct MemoryOptimizer<B: AutodiffBackend, S: AutodiffModule<B>> {
    weights: Adam<B, S>,
    amount: Adam<B, S>,
}

impl<B: AutodiffBackend, S: Student<B> + AutodiffModule<B>> MemoryOptimizer<B, S> {
    pub fn new() -> Self {
        let [beta_1, beta_2] = BETAS;
        let adam = |decay| {
            AdamWConfig::new()
                .with_beta_1(beta_1)
                .with_beta_2(beta_2)
                .with_epsilon(1e-8)
                .with_weight_decay(decay)
                .init()
        };
        Self {
            weights: adam(DECAY),
            amount: adam(0.0),
        }
    }

    /// The memory after one step.
    pub fn step(&mut self, rate: f64, memory: S, gradients: B::Gradients) -> S {
        let mut gradients = Gradients {
            all: GradientsParams::from_grads(gradients, &memory),
            amounts: memory.amount_ids(),
            squares: 0.0,
            clipped: None,
        };
        memory.visit(&mut gradients);
        let share = NORM / (gradients.squares.sqrt() + 1e-6);
        gradients.clipped = Some(Clipped {
            share: share.min(1.0),
            weights: GradientsParams::new(),
            amount: GradientsParams::new(),
        });
        memory.visit(&mut gradients);
        let Some(clipped) = gradients.clipped else {
            return memory;
        };
        let memory = self.weights.step(rate, memory, clipped.weights);
        self.amount.step(S::AMOUNT * rate, memory, clipped.amount)
    }

    pub fn to_record(&self) -> Moments<B, S> {
        (self.weights.to_record(), self.amount.to_record())
    }

    pub fn load_record(self, (weights, amount): Moments<B, S>) -> Self {
        Self {
            weights: self.weights.load_record(weights),
            amount: self.amount.load_record(amount),
        }
    }
}

/// Gradients, of which the first visit sums the squares and the second one makes clipped ones.
struct Gradients {
    all: GradientsParams,
    amounts: Vec<ParamId>,
    squares: f64,
    clipped: Option<Clipped>,
}

struct Clipped {
    share: f64,
    weights: GradientsParams,
    amount: GradientsParams,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Gradients {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let Some(gradient) = self.all.get::<B::InnerBackend, D>(param.id) else {
            return;
        };
        match &mut self.clipped {
            None => self.squares += gradient.square().sum().into_scalar().elem::<f64>(),
            Some(clipped) => {
                let group = match self.amounts.contains(&param.id) {
                    true => &mut clipped.amount,
                    false => &mut clipped.weights,
                };
                group.register::<B::InnerBackend, D>(param.id, gradient * clipped.share);
            }
        }
    }
}
