//! How a network starts: from the seed alone.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use rand::RngExt;

use crate::random::{Purpose, rng};

/// Draws every convolution of `module` anew: uniformly, with the deviation that
/// [`Initialization::FanIn`](bottleneck_lstm::Initialization::FanIn) has too. All else keeps its
/// value: biases and normalisations start as constants.
///
/// Burn draws from a generator that the whole process shares, so that what a network starts with
/// would depend on what else the process does.
pub fn draw<B: Backend, M: Module<B>>(module: M, seed: u64) -> M {
    module.map(&mut Draw { seed, index: 0 })
}

struct Draw {
    seed: u64,
    index: u64,
}

impl<B: Backend> ModuleMapper<B> for Draw {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        if D != 4 {
            return param;
        }
        let mut rng = rng(self.seed, Purpose::Weights, self.index);
        self.index += 1;
        param.map(|weights| {
            let [_, input, height, width] = weights.shape().dims();
            let gain = if height * width == 1 { 2.0 } else { 1.0 };
            // A uniform distribution up to `limit` has the variance `limit * limit / 3`.
            let limit = (3.0 * gain / (input * height * width) as f32).sqrt();
            let values: Vec<f32> = (0..weights.shape().num_elements())
                .map(|_| rng.random_range(-limit..limit))
                .collect();
            let values = TensorData::new(values, weights.shape());
            Tensor::from_data(values, &weights.device()).set_require_grad(weights.is_require_grad())
        })
    }
}
