//! A runner that keeps what it packed never mistakes one cell's weights for another's.

use bottleneck_lstm::{BottleneckLstm, CellRunner};
use bottleneck_lstm_ndarray::CpuRunner;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor, TensorData};
use burn_flex::Flex;
use burn_ndarray::NdArray;

use crate::variants::{SPATIAL, variants};

/// Halves every parameter, in place where nobody else holds it.
struct Halve;

impl<B: Backend> ModuleMapper<B> for Halve {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        param.map(|tensor| tensor.mul_scalar(0.5))
    }
}

fn outputs<B: Backend>(
    runner: &CpuRunner,
    cell: &BottleneckLstm<B>,
    xs: &Tensor<B, 5>,
) -> TensorData
where
    CpuRunner: CellRunner<B>,
{
    cell.forward_with(runner, xs.clone(), None).0.into_data()
}

fn check<B: Backend>()
where
    CpuRunner: CellRunner<B>,
{
    let device = Default::default();
    let runner = CpuRunner::new();
    let [height, width] = SPATIAL;
    let xs = Tensor::random([1, 2, 5, height, width], Distribution::Default, &device);
    for (name, config) in variants(5) {
        let mut cell = config.init::<B>(&device);
        let mut before = None;
        for _ in 0..4 {
            let expected = outputs(&CpuRunner::new(), &cell, &xs);
            for _ in 0..2 {
                assert_eq!(outputs(&runner, &cell, &xs), expected, "{name}");
            }
            assert_ne!(before.replace(expected.clone()), Some(expected), "{name}");
            cell = cell.map(&mut Halve);
        }
    }
}

#[test]
fn changed_weights_are_packed_anew() {
    check::<NdArray>();
    check::<Flex>();
}
