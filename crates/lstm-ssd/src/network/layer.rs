//! A network as a list of convolutions: what they are called, what they look like, what they cost.

use core::iter::Sum;
use core::ops::Add;

/// One convolution of a network, with padding 'same' as TensorFlow has it: a map of `n` rows becomes
/// one of `ceil(n / stride)`, and of an odd number of padded rows the larger half is below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The name, as `backbone.block3.expand`.
    pub name: String,
    /// Channels in and out.
    pub channels: [usize; 2],
    /// The side of its kernels.
    pub kernel: usize,
    /// The step from one position to the next.
    pub stride: usize,
    /// Whether each channel is convolved by itself.
    pub depthwise: bool,
    /// Whether a ReLU6 follows.
    pub activated: bool,
    /// `[height, width]` of the map that it reads.
    pub map: [usize; 2],
}

impl Layer {
    /// A pointwise convolution.
    pub(crate) fn pointwise(name: String, channels: [usize; 2], map: [usize; 2]) -> Self {
        Self {
            name,
            channels,
            kernel: 1,
            stride: 1,
            depthwise: false,
            activated: true,
            map,
        }
    }

    /// A convolution of 3 by 3.
    pub(crate) fn dense(
        name: String,
        channels: [usize; 2],
        stride: usize,
        map: [usize; 2],
    ) -> Self {
        Self {
            kernel: 3,
            stride,
            ..Self::pointwise(name, channels, map)
        }
    }

    /// A depthwise convolution of 3 by 3.
    pub(crate) fn depthwise(name: String, channels: usize, stride: usize, map: [usize; 2]) -> Self {
        Self {
            depthwise: true,
            ..Self::dense(name, [channels; 2], stride, map)
        }
    }

    /// The same without an activation.
    pub(crate) fn linear(self) -> Self {
        Self {
            activated: false,
            ..self
        }
    }

    /// Groups of channels that are convolved by themselves.
    pub fn groups(&self) -> usize {
        if self.depthwise { self.channels[0] } else { 1 }
    }

    /// `[height, width]` of the map that it makes.
    pub fn output(&self) -> [usize; 2] {
        self.map.map(|side| side.div_ceil(self.stride))
    }

    /// The shape of its weights, `[out, in / groups, kernel, kernel]`.
    pub fn weight_shape(&self) -> [usize; 4] {
        let [input, output] = self.channels;
        [output, input / self.groups(), self.kernel, self.kernel]
    }

    /// Its weights and multiply-accumulates, biases and normalisation not counted.
    pub fn cost(&self) -> Cost {
        let weights: usize = self.weight_shape().iter().product();
        let positions: usize = self.output().iter().product();
        Cost {
            params: weights as u64,
            macs: weights as u64 * positions as u64,
        }
    }
}

/// What a network, or a part of it, costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Trainable parameters.
    pub params: u64,
    /// Multiply-accumulates of one frame. Biases, activations, normalisation and products are not
    /// counted.
    pub macs: u64,
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            params: self.params + other.params,
            macs: self.macs + other.macs,
        }
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), Self::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_by_hand() {
        // TensorFlow's 'same' at stride 2: 75 rows become 38.
        let layer = Layer::depthwise("dw".into(), 144, 2, [75, 75]);
        assert_eq!(layer.output(), [38, 38]);
        assert_eq!(layer.weight_shape(), [144, 1, 3, 3]);
        assert_eq!(layer.cost().params, 144 * 9);
        assert_eq!(layer.cost().macs, 144 * 9 * 38 * 38);

        let layer = Layer::dense("conv".into(), [3, 32], 2, [300, 200]);
        assert_eq!(layer.weight_shape(), [32, 3, 3, 3]);
        assert_eq!(layer.cost().macs, 32 * 27 * 150 * 100);

        let layers = [
            Layer::pointwise("a".into(), [8, 4], [5, 5]),
            Layer::pointwise("b".into(), [4, 2], [5, 5]),
        ];
        let cost: Cost = layers.iter().map(Layer::cost).sum();
        assert_eq!((cost.params, cost.macs), (40, 1000));
    }
}
