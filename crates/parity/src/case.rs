//! A cell with something to run it on, apart from any backend.

use bottleneck_lstm::{BottleneckLstm, BottleneckLstmConfig, BottleneckLstmState, LearnedState};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};
use burn_flex::Flex;

use crate::kinks::{self, Survey};
use crate::parameters::{self, Named};
use crate::{compare, random::Random};

/// The deviation of a drawn cell state: large enough that a bound of the state is reached.
const STATE: f64 = 4.0;

/// A cell's parameters, a sequence, and the state that it starts from.
#[derive(Debug, Clone)]
pub struct Case {
    /// What messages call it.
    pub name: String,
    /// The cell's configuration.
    pub config: BottleneckLstmConfig,
    /// The cell's parameters.
    pub parameters: Named,
    /// The sequence, `[batch, time, input, height, width]`.
    pub xs: TensorData,
    /// The cell and the hidden state, `[batch, hidden, height, width]`. A case without them starts
    /// at the cell's learned state.
    pub start: Option<[TensorData; 2]>,
}

/// A [`Case`] on a backend.
#[derive(Debug, Clone)]
pub struct Loaded<B: Backend> {
    /// The cell.
    pub cell: BottleneckLstm<B>,
    /// The sequence, `[batch, time, input, height, width]`.
    pub xs: Tensor<B, 5>,
    /// The state that it starts from.
    pub state: Option<BottleneckLstmState<B>>,
}

impl Case {
    /// A case with random values, sized so that no gate saturates; `sizes` are batch, time, height
    /// and width.
    pub fn draw(name: &str, config: &BottleneckLstmConfig, sizes: [usize; 4], seed: u64) -> Self {
        let mut random = Random::new(seed);
        let [batch, time, height, width] = sizes;
        let fresh = parameters::named(&config.init::<Flex>(&Default::default()));
        let parameters = fresh.into_iter().map(|(name, fresh)| {
            let fan_in = fresh.shape[1..].iter().product::<usize>() as f64;
            let deviation = match name.as_str() {
                "bottleneck" => (2.0 / fan_in).sqrt(),
                "depthwise" | "bottleneck_depthwise" | "gates" => (1.0 / fan_in).sqrt(),
                "initial_cell" => STATE,
                "initial_hidden" => 1.0,
                _ => 0.3,
            };
            (name, random.tensor(&fresh.shape, deviation))
        });
        let parameters = parameters.collect();
        let xs = random.tensor(&[batch, time, config.input_channels, height, width], 1.0);
        let state = [batch, config.hidden_channels, height, width];
        let start = (config.learned_state == LearnedState::None)
            .then(|| [random.tensor(&state, STATE), random.tensor(&state, 1.0)]);
        Self {
            name: name.to_string(),
            config: config.clone(),
            parameters,
            xs,
            start,
        }
    }

    /// The first case that `suits`, of those that [`draw`](Self::draw) makes from `seed` on.
    ///
    /// # Panics
    ///
    /// If a thousand do not, which means that the case is too large for what is asked of it.
    pub fn find(
        name: &str,
        config: &BottleneckLstmConfig,
        sizes: [usize; 4],
        seed: u64,
        suits: impl Fn(Survey) -> bool,
    ) -> Self {
        (0..1000)
            .map(|attempt| Self::draw(name, config, sizes, seed.wrapping_mul(1000) + attempt))
            .find(|case| suits(kinks::survey(case)))
            .unwrap_or_else(|| panic!("{name}: no draw suits"))
    }

    /// The case in a backend's default element type.
    pub fn load<B: Backend>(&self) -> Loaded<B> {
        self.load_as(compare::default_dtype::<B>())
    }

    /// The case in elements of type `dtype`.
    pub fn load_as<B: Backend>(&self, dtype: DType) -> Loaded<B> {
        let device = B::Device::default();
        let tensor = |data: &TensorData| Tensor::from_data(data.clone(), (&device, dtype));
        let cell = parameters::replaced(self.config.init(&device), &self.parameters, dtype);
        let state = self
            .start
            .as_ref()
            .map(|[cell, hidden]| BottleneckLstmState::new(tensor(cell), tensor(hidden)));
        Loaded {
            cell,
            xs: Tensor::from_data(self.xs.clone(), (&device, dtype)),
            state,
        }
    }
}

impl<B: Backend> Loaded<B> {
    /// The state that the sequence starts from: the case's own, or the cell's learned one.
    pub fn start(&self) -> BottleneckLstmState<B> {
        let [batch, _, _, height, width] = self.xs.dims();
        self.state
            .clone()
            .unwrap_or_else(|| self.cell.init_state(batch, [height, width]))
    }

    /// The frames `begin..end` of the sequence.
    pub fn frames(&self, begin: usize, end: usize) -> Tensor<B, 5> {
        self.xs.clone().narrow(1, begin, end - begin)
    }

    /// One frame of the sequence, `[batch, input, height, width]`.
    pub fn frame(&self, step: usize) -> Tensor<B, 4> {
        self.frames(step, step + 1).squeeze_dim(1)
    }
}
