//! From feature maps to box codes and logits.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{Block, Layer, Normalization};

/// What a detector says of each prior, in the order of
/// [`PriorsConfig::priors`](crate::detection::PriorsConfig::priors).
#[derive(Debug, Clone)]
pub struct Predictions<B: Backend> {
    /// Box codes, `[batch, priors, 4]`, in the order of [`BoxCoder`](crate::detection::BoxCoder).
    pub boxes: Tensor<B, 3>,
    /// Logits, `[batch, priors, classes]`; class 0 is the background.
    pub logits: Tensor<B, 3>,
}

/// A pointwise convolution to box codes and one to logits for each feature map (Liu et al., *SSD*,
/// 2016, section 2.1, with kernels of 1 by 1 as on phones).
#[derive(Module, Debug)]
pub struct Heads<B: Backend> {
    boxes: Vec<Block<B>>,
    classes: Vec<Block<B>>,
    num_classes: usize,
}

impl<B: Backend> Heads<B> {
    /// Fresh heads of these layers: for each map that of boxes, then that of classes.
    pub(crate) fn new(layers: &[Layer], num_classes: usize, device: &B::Device) -> Self {
        let block = |layer| Block::new(layer, Normalization::Bias, device);
        Self {
            boxes: layers.iter().step_by(2).map(block).collect(),
            classes: layers.iter().skip(1).step_by(2).map(block).collect(),
            num_classes,
        }
    }

    /// Predictions of the feature maps, each `[batch, channels, height, width]`.
    ///
    /// # Panics
    ///
    /// If there are not as many maps as heads, or one has other channels than its heads.
    pub fn forward(&self, maps: &[Tensor<B, 4>]) -> Predictions<B> {
        assert_eq!(maps.len(), self.boxes.len(), "a map for every head");
        let all = |heads: &[Block<B>], values: usize| {
            let maps = maps.iter().zip(heads);
            let rows = maps.map(|(map, head)| rows(head.forward(map.clone()), values));
            Tensor::cat(rows.collect(), 1)
        };
        Predictions {
            boxes: all(&self.boxes, 4),
            logits: all(&self.classes, self.num_classes),
        }
    }

    /// Predictions of the finest map alone, `[batch, channels, height, width]`: of its own priors, the first ones.
    ///
    /// # Panics
    ///
    /// If it has other channels than its heads.
    pub fn finest(&self, map: Tensor<B, 4>) -> Predictions<B> {
        let (boxes, classes) = (&self.boxes[0], &self.classes[0]);
        Predictions {
            boxes: rows(boxes.forward_pointwise(map.clone()), 4),
            logits: rows(classes.forward_pointwise(map), self.num_classes),
        }
    }

    /// Classes, the background among them.
    pub fn num_classes(&self) -> usize {
        self.num_classes
    }

    /// Its convolutions in the order of their layers.
    #[cfg(feature = "cpu")]
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Block<B>> {
        self.boxes
            .iter()
            .zip(&self.classes)
            .flat_map(|(boxes, classes)| [boxes, classes])
    }

    /// As [`blocks`](Self::blocks).
    pub(crate) fn blocks_mut(&mut self) -> impl Iterator<Item = &mut Block<B>> {
        self.boxes
            .iter_mut()
            .zip(&mut self.classes)
            .flat_map(|(boxes, classes)| [boxes, classes])
    }
}

/// The layers of the heads on maps of these channels and sizes, with so many priors a cell.
pub(crate) fn layers(
    maps: &[(usize, [usize; 2])],
    per_cell: &[usize],
    classes: usize,
) -> Vec<Layer> {
    let maps = maps.iter().zip(per_cell).enumerate();
    maps.flat_map(|(index, ((channels, map), priors))| {
        let head = |kind, values| {
            let name = format!("heads.{index}.{kind}");
            Layer::pointwise(name, [*channels, priors * values], *map).linear()
        };
        [head("box", 4), head("cls", classes)]
    })
    .collect()
}

/// From `[batch, priors * values, height, width]` to `[batch, height * width * priors, values]`.
fn rows<B: Backend>(x: Tensor<B, 4>, values: usize) -> Tensor<B, 3> {
    let [batch, channels, height, width] = x.dims();
    let priors = channels / values;
    x.permute([0, 2, 3, 1])
        .reshape([batch, height * width * priors, values])
}
