//! The published detector as the CPU runner's graphs: whole, or cut in two where a memory stands.

use std::vec::IntoIter;

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
        let mut walk = Walk::new(self, Graph::new(3, self.input)?, 0);
        let trunk = walk.trunk(walk.graph.input())?;
        walk.tail(trunk)
    }

    /// The part of [`graph`](Self::graph) before a memory. Its output is the map that
    /// [`try_trunk`](Self::try_trunk) yields, `[channels, height, width]`.
    pub(crate) fn trunk_graph(&self) -> Result<Graph, GraphError> {
        let mut walk = Walk::new(self, Graph::new(3, self.input)?, 0);
        let trunk = walk.trunk(walk.graph.input())?;
        walk.graph.output(&[trunk], Layout::ChannelsFirst)?;
        Ok(walk.graph)
    }

    /// The part behind it, from that map to the outputs of the whole.
    pub(crate) fn tail_graph(&self) -> Result<Graph, GraphError> {
        let [channels, height, width] = self.config().trunk();
        let graph = Graph::new(channels, [height, width])?;
        let trunk = graph.input();
        let front = self.front.iter().map(|block| block.convolutions.len());
        let before = self.stem.len() + front.sum::<usize>();
        Walk::new(self, graph, before).tail(trunk)
    }

    /// As far as layers go.
    pub(super) fn config(&self) -> MobileNetV2SsdConfig {
        MobileNetV2SsdConfig::new(self.heads.num_classes()).with_input(self.input)
    }
}

/// Goes over a network's layers, and puts each into a graph.
struct Walk<'a, B: Backend> {
    network: &'a MobileNetV2Ssd<B>,
    graph: Graph,
    /// Those to come.
    layers: IntoIter<(Layer, &'a Block<B>)>,
}

impl<'a, B: Backend> Walk<'a, B> {
    fn new(network: &'a MobileNetV2Ssd<B>, graph: Graph, first: usize) -> Self {
        let layers = network.config().layers().into_iter().zip(network.blocks());
        let layers: Vec<_> = layers.skip(first).collect();
        Self {
            network,
            graph,
            layers: layers.into_iter(),
        }
    }

    /// From a frame to the last map that all heads depend on.
    fn trunk(&mut self, frame: Map) -> Result<Map, GraphError> {
        let mut x = self.all(&self.network.stem, frame)?;
        for inverted in &self.network.front {
            x = self.inverted(inverted, x)?;
        }
        Ok(x)
    }

    /// From there to the outputs, with which the graph is complete.
    fn tail(mut self, trunk: Map) -> Result<Graph, GraphError> {
        let network = self.network;
        let (expand, rest) = network.middle.split_at(1);
        let wide = self.all(expand, trunk)?;
        let mut x = self.all(rest, wide)?;
        for inverted in &network.back {
            x = self.inverted(inverted, x)?;
        }
        x = self.all(&network.last, x)?;
        let mut maps = vec![wide, x];
        for stage in network.extras.chunks(2) {
            x = self.all(stage, x)?;
            maps.push(x);
        }
        let (mut boxes, mut classes) = (Vec::new(), Vec::new());
        for map in maps {
            boxes.push(self.next(map)?);
            classes.push(self.next(map)?);
        }
        self.graph.output(&boxes, Layout::ChannelsLast)?;
        self.graph.output(&classes, Layout::ChannelsLast)?;
        Ok(self.graph)
    }

    /// As many convolutions as there are blocks, one after the other.
    fn all(&mut self, blocks: &[Block<B>], x: Map) -> Result<Map, GraphError> {
        blocks.iter().try_fold(x, |x, _| self.next(x))
    }

    /// An inverted residual.
    fn inverted(&mut self, block: &Inverted<B>, x: Map) -> Result<Map, GraphError> {
        let y = self.all(&block.convolutions, x)?;
        match block.residual {
            true => self.graph.add(y, x),
            false => Ok(y),
        }
    }

    fn next(&mut self, x: Map) -> Result<Map, GraphError> {
        let (layer, block) = self.layers.next().expect("a layer for every block");
        self.graph.convolve(x, block.convolution(&layer))
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
