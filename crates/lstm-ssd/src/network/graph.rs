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
        let config = MobileNetV2SsdConfig::new(self.heads.num_classes()).with_input(self.input);
        let layers = config.layers();
        let mut blocks = layers.iter().zip(self.blocks());
        let mut graph = Graph::new(3, self.input)?;
        let mut next = |graph: &mut Graph, map| {
            let (layer, block) = blocks.next().expect("a layer for every block");
            graph.convolve(map, block.convolution(layer))
        };

        let mut x = graph.input();
        for _ in &self.stem {
            x = next(&mut graph, x)?;
        }
        for inverted in &self.front {
            x = through(inverted, &mut graph, x, &mut next)?;
        }
        let wide = next(&mut graph, x)?;
        x = wide;
        for _ in &self.middle[1..] {
            x = next(&mut graph, x)?;
        }
        for inverted in &self.back {
            x = through(inverted, &mut graph, x, &mut next)?;
        }
        for _ in &self.last {
            x = next(&mut graph, x)?;
        }
        let mut maps = vec![wide, x];
        for stage in self.extras.chunks(2) {
            for _ in stage {
                x = next(&mut graph, x)?;
            }
            maps.push(x);
        }
        let (mut boxes, mut classes) = (Vec::new(), Vec::new());
        for map in maps {
            boxes.push(next(&mut graph, map)?);
            classes.push(next(&mut graph, map)?);
        }
        graph.output(&boxes, Layout::ChannelsLast)?;
        graph.output(&classes, Layout::ChannelsLast)?;
        Ok(graph)
    }
}

/// An inverted residual.
fn through<B: Backend>(
    block: &Inverted<B>,
    graph: &mut Graph,
    x: Map,
    next: &mut impl FnMut(&mut Graph, Map) -> Result<Map, GraphError>,
) -> Result<Map, GraphError> {
    let mut y = x;
    for _ in &block.convolutions {
        y = next(graph, y)?;
    }
    if block.residual {
        graph.add(y, x)
    } else {
        Ok(y)
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
