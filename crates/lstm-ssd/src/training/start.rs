//! What a memory starts with: from the seed alone.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::random::{Purpose, Random};
use crate::network::GATE_GAIN;

/// Draws every convolution of a memory anew, with the deviations that [`MemoryConfig::try_init`] has too. All else
/// keeps its value: it starts with constants.
///
/// Burn draws from a generator that the whole process shares, so that what a memory starts with would depend on what else
/// the process does.
///
/// [`MemoryConfig::try_init`]: crate::network::MemoryConfig::try_init
/// `channels` are those of what its cell sees.
pub(super) fn draw<B: Backend, M: Module<B>>(memory: M, channels: usize, seed: u64) -> M {
    memory.map(&mut Draw {
        seed,
        channels,
        index: 0,
        at: Vec::new(),
    })
}

struct Draw {
    seed: u64,
    channels: usize,
    index: u64,
    at: Vec<String>,
}

impl Draw {
    /// The deviation of a weight: the input that it is for counts from 0, of so many for each output.
    fn deviation(&self, input: usize, inputs: usize, kernel: usize) -> f64 {
        let [module, field] = [0, 1].map(|depth| self.at.get(depth).map_or("", String::as_str));
        match (module, field) {
            // As `Initialization::FanIn` says.
            ("cell", "bottleneck") if input < self.channels => (1.6 / self.channels as f64).sqrt(),
            ("cell", "bottleneck") => (0.4 / (inputs - self.channels) as f64).sqrt(),
            ("cell", "gates") => (2.0 / inputs as f64).sqrt(),
            ("cell", _) => 1.0 / (kernel as f64).sqrt(),
            ("correction", _) => 0.0,
            _ => GATE_GAIN / (inputs as f64).sqrt(),
        }
    }
}

impl<B: Backend> ModuleMapper<B> for Draw {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.at.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.at.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        if D != 4 {
            return param;
        }
        let mut random = Random::new(self.seed, Purpose::Weights, self.index);
        self.index += 1;
        param.map(|weights| {
            let [_, inputs, height, width] = weights.shape().dims();
            let kernel = height * width;
            let value = |index: usize| {
                let deviation = self.deviation(index / kernel % inputs, inputs, kernel);
                (deviation * random.normal()) as f32
            };
            let values: Vec<f32> = (0..weights.shape().num_elements()).map(value).collect();
            let values = TensorData::new(values, weights.shape());
            Tensor::from_data(values, &weights.device()).set_require_grad(weights.is_require_grad())
        })
    }
}
