//! The network: an encoder, a recurrent layer and a head.

use bottleneck_lstm::CellRunner;
use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;

use crate::detection::Belief;
use crate::digits::CLASSES;
use crate::encoder::{self, Encoder, FEATURES};
use crate::init::draw;
use crate::recurrent::{Layer, Recurrent, RecurrentState};
use crate::video::MAP;

/// The head's bias for background at the start: nearly all of a map is background.
const BACKGROUND_BIAS: f32 = 3.0;

/// Says at each position of an 8 by 8 map which digit, if any, has its centre there.
///
/// [`encode`](Self::encode), [`recur`](Self::recur) and [`classify`](Self::classify) are its three
/// parts; [`forward_with`](Self::forward_with) is all of them.
#[derive(Module, Debug)]
pub struct Network<B: Backend> {
    encoder: Encoder<B>,
    head: Conv2d<B>,
    recurrent: Option<Recurrent<B>>,
}

impl<B: Backend> Network<B> {
    /// A fresh network. Under the same seed, encoder and head start the same with every layer.
    pub fn new(layer: Layer, seed: u64, device: &B::Device) -> Self {
        let mut head = Conv2dConfig::new([FEATURES, 1 + CLASSES], [1, 1]).init(device);
        let mut bias = [0.0; 1 + CLASSES];
        bias[0] = BACKGROUND_BIAS;
        head.bias = Some(Param::from_tensor(Tensor::from_floats(bias, device)));
        let network = Self {
            encoder: Encoder::new(device),
            head,
            recurrent: layer.init(device),
        };
        draw(network, seed)
    }

    /// Looks at `frames`, `[batch, time, 1, height, width]`, one by one: feature maps
    /// `[batch, time, FEATURES, height / 8, width / 8]`.
    pub fn encode(&self, frames: Tensor<B, 5>) -> Tensor<B, 5> {
        each_frame(frames, |frames| self.encoder.forward(frames))
    }

    /// Runs the recurrent layer, if there is one, over `features` of the shape that
    /// [`encode`](Self::encode) returns. No state means the start of a video.
    pub fn recur<R: CellRunner<B>>(
        &self,
        runner: &R,
        features: Tensor<B, 5>,
        state: Option<RecurrentState<B>>,
    ) -> (Tensor<B, 5>, Option<RecurrentState<B>>) {
        match &self.recurrent {
            None => (features, None),
            Some(layer) => {
                let (features, state) = layer.forward_with(runner, features, state);
                (features, Some(state))
            }
        }
    }

    /// The logits of background and of each digit at each position,
    /// `[batch, time, 1 + CLASSES, height, width]`, from `features` of the shape that
    /// [`recur`](Self::recur) returns.
    pub fn classify(&self, features: Tensor<B, 5>) -> Tensor<B, 5> {
        each_frame(features, |features| self.head.forward(features))
    }

    /// The logits of `frames`: encode, recur, classify.
    pub fn forward_with<R: CellRunner<B>>(
        &self,
        runner: &R,
        frames: Tensor<B, 5>,
        state: Option<RecurrentState<B>>,
    ) -> (Tensor<B, 5>, Option<RecurrentState<B>>) {
        let (features, state) = self.recur(runner, self.encode(frames), state);
        (self.classify(features), state)
    }

    /// The recurrent layer, if there is one.
    pub fn recurrent(&self) -> Option<&Recurrent<B>> {
        self.recurrent.as_ref()
    }
}

/// Trainable parameters of a network with `layer`.
pub fn parameters(layer: Layer) -> usize {
    let head = (FEATURES + 1) * (1 + CLASSES);
    encoder::parameters() + layer.parameters() + head
}

/// Multiply-accumulates of a network with `layer` on one frame.
pub fn macs(layer: Layer) -> u64 {
    let head = FEATURES * (1 + CLASSES) * MAP * MAP;
    encoder::macs() + layer.macs() + head as u64
}

/// What `logits`, `[batch, time, 1 + CLASSES, height, width]`, say about each frame of each video.
pub fn beliefs<B: Backend>(logits: Tensor<B, 5>) -> Vec<Vec<Belief>> {
    let [_, time, ..] = logits.dims();
    let probabilities = softmax(logits, 2).into_data().convert::<f32>();
    let probabilities = probabilities.into_vec::<f32>().expect("converted to f32");
    let frames: Vec<Belief> = probabilities
        .chunks_exact(Belief::LEN)
        .map(|chunk| Belief::new(chunk.to_vec()))
        .collect();
    frames.chunks_exact(time).map(<[Belief]>::to_vec).collect()
}

/// Applies `f` to batch and time as one batch.
fn each_frame<B: Backend>(
    xs: Tensor<B, 5>,
    f: impl FnOnce(Tensor<B, 4>) -> Tensor<B, 4>,
) -> Tensor<B, 5> {
    let [batch, time, channels, height, width] = xs.dims();
    let ys = f(xs.reshape([batch * time, channels, height, width]));
    let [_, channels, height, width] = ys.dims();
    ys.reshape([batch, time, channels, height, width])
}

#[cfg(test)]
mod tests {
    use burn_flex::Flex;

    use super::*;

    #[test]
    fn parameters_are_all_but_the_running_statistics() {
        let device = Default::default();
        for (layer, expected) in [(Layer::NoMemory, 8_843), (Layer::BottleneckLstm, 34_699)] {
            assert_eq!(parameters(layer), expected);
            // A mean and a variance for each channel of the three normalisations, which Burn counts, too.
            let statistics = 2 * (32 + 64 + 64);
            let network = Network::<Flex>::new(layer, 0, &device);
            assert_eq!(network.num_params(), expected + statistics);
        }
    }
}
