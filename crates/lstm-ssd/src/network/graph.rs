//! The published detector as the CPU runner's graph.

use bottleneck_lstm_ndarray::network::{
    Activation, Convolution, Graph, GraphError, Kind, Layout, Map,
};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::mobilenet_v2::Inverted;
use super::{Block, Layer, MobileNetV2Ssd, MobileNetV2SsdConfig};

impl<B: Backend> MobileNetV2Ssd<B> {
    /// What is computed from what, with the weights as they are now. Its outputs are box codes and logits,
    /// `[priors, values]`.
    pub(super) fn graph(&self) -> Result<Graph, GraphError> {
        let layers = self.layers();
        let mut builder = Builder {
            graph: Graph::new(3, self.input)?,
            convolutions: layers.iter().zip(self.blocks()),
        };
        let trunk = builder.trunk(self)?;
        builder.tail(self, trunk)?;
        Ok(builder.graph)
    }

    /// As [`graph`](Self::graph), up to the map that [`try_trunk`](Self::try_trunk) yields: its one output,
    /// `[channels, height, width]`.
    pub(crate) fn trunk_graph(&self) -> Result<Graph, GraphError> {
        let layers = self.layers();
        let mut builder = Builder {
            graph: Graph::new(3, self.input)?,
            convolutions: layers.iter().zip(self.blocks()),
        };
        let trunk = builder.trunk(self)?;
        builder.graph.output(&[trunk], Layout::ChannelsFirst)?;
        Ok(builder.graph)
    }

    /// As [`graph`](Self::graph), from that map on.
    pub(crate) fn tail_graph(&self) -> Result<Graph, GraphError> {
        let layers = self.layers();
        let front = self.front.iter().map(|block| block.convolutions.len());
        let before = self.stem.len() + front.sum::<usize>();
        let first = &layers[before];
        let mut builder = Builder {
            graph: Graph::new(first.channels[0], first.map)?,
            convolutions: layers.iter().zip(self.blocks()).skip(before),
        };
        let trunk = builder.graph.input();
        builder.tail(self, trunk)?;
        Ok(builder.graph)
    }

    fn layers(&self) -> Vec<Layer> {
        let config = MobileNetV2SsdConfig::new(self.heads.num_classes()).with_input(self.input);
        config.layers()
    }
}

/// A graph that grows by a network's convolutions, one after the other.
struct Builder<I> {
    graph: Graph,
    convolutions: I,
}

impl<'a, B: Backend + 'a, I: Iterator<Item = (&'a Layer, &'a Block<B>)>> Builder<I> {
    /// Adds all up to the map after block 12.
    fn trunk(&mut self, network: &MobileNetV2Ssd<B>) -> Result<Map, GraphError> {
        let mut x = self.graph.input();
        for _ in &network.stem {
            x = self.convolve(x)?;
        }
        for inverted in &network.front {
            x = self.through(inverted, x)?;
        }
        Ok(x)
    }

    /// Adds the rest, and the outputs.
    fn tail(&mut self, network: &MobileNetV2Ssd<B>, trunk: Map) -> Result<(), GraphError> {
        let wide = self.convolve(trunk)?;
        let mut x = wide;
        for _ in &network.middle[1..] {
            x = self.convolve(x)?;
        }
        for inverted in &network.back {
            x = self.through(inverted, x)?;
        }
        for _ in &network.last {
            x = self.convolve(x)?;
        }
        let mut maps = vec![wide, x];
        for stage in network.extras.chunks(2) {
            for _ in stage {
                x = self.convolve(x)?;
            }
            maps.push(x);
        }
        let (mut boxes, mut classes) = (Vec::new(), Vec::new());
        for map in maps {
            boxes.push(self.convolve(map)?);
            classes.push(self.convolve(map)?);
        }
        self.graph.output(&boxes, Layout::ChannelsLast)?;
        self.graph.output(&classes, Layout::ChannelsLast)
    }

    /// The map that the next convolution makes of another.
    fn convolve(&mut self, map: Map) -> Result<Map, GraphError> {
        let (layer, block) = self.convolutions.next().expect("a layer for every block");
        self.graph.convolve(map, block.convolution(layer))
    }

    /// What an inverted residual makes of it.
    fn through(&mut self, block: &Inverted<B>, x: Map) -> Result<Map, GraphError> {
        let mut y = x;
        for _ in &block.convolutions {
            y = self.convolve(y)?;
        }
        if block.residual {
            self.graph.add(y, x)
        } else {
            Ok(y)
        }
    }
}

impl<B: Backend> Block<B> {
    /// As the CPU runner has it, its batch normalisation folded into weights and bias.
    fn convolution(&self, layer: &Layer) -> Convolution {
        let values = |tensor: Tensor<B, 1>| -> Vec<f32> { tensor.into_data().iter().collect() };
        let mut weight = values(self.conv.weight.val().flatten(0, 3));
        let outputs = layer.channels[1];
        let mut bias = match &self.conv.bias {
            Some(bias) => values(bias.val()),
            None => vec![0.0; outputs],
        };
        if let Some(norm) = &self.norm {
            let variance = values(norm.running_var.value());
            let mean = values(norm.running_mean.value());
            let (gamma, beta) = (values(norm.gamma.val()), values(norm.beta.val()));
            let size = weight.len() / outputs;
            for (channel, weights) in weight.chunks_exact_mut(size).enumerate() {
                let scale = f64::from(gamma[channel])
                    / (f64::from(variance[channel]) + norm.epsilon).sqrt();
                for weight in weights {
                    *weight = (f64::from(*weight) * scale) as f32;
                }
                let shifted = f64::from(bias[channel]) - f64::from(mean[channel]);
                bias[channel] = (shifted * scale + f64::from(beta[channel])) as f32;
            }
        }
        Convolution {
            name: layer.name.clone(),
            kind: match (layer.kernel, layer.depthwise) {
                (1, _) => Kind::Pointwise,
                (_, true) => Kind::Depthwise,
                (_, false) => Kind::Dense,
            },
            channels: layer.channels,
            stride: layer.stride,
            activation: match layer.activated {
                true => Activation::Relu6,
                false => Activation::Identity,
            },
            weight,
            bias,
        }
    }
}
