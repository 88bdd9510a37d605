//! The networks on a GPU: the same weights on the same frames give what they give on the CPU.

use bottleneck_lstm::{CellRunner, Reference};
use bottleneck_lstm_wgpu::WgpuRunner;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor, TensorData};
use burn_flex::Flex;
use burn_wgpu::Wgpu;
use lstm_ssd::network::{LstmSsdConfig, MAPS, MobileNetV2SsdConfig, Normalization, Predictions};

/// Gives a module of one backend the values of another's, in the order in which both visit them.
struct Values(std::vec::IntoIter<TensorData>);

impl<B: Backend> ModuleMapper<B> for Values {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (id, tensor, mapper) = param.consume();
        let data = self.0.next().expect("as many parameters");
        Param::from_mapped_value(id, Tensor::from_data(data, &tensor.device()), mapper)
    }
}

/// Collects a module's values.
struct Collect(Vec<TensorData>);

impl<B: Backend> burn::module::ModuleVisitor<B> for Collect {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.0.push(param.val().into_data());
    }
}

/// `to` with the values of `from`.
fn as_on_the_cpu<M: Module<Flex>, N: Module<Wgpu>>(from: &M, to: N) -> N {
    let mut collect = Collect(Vec::new());
    from.visit(&mut collect);
    to.map(&mut Values(collect.0.into_iter()))
}

fn frame(input: [usize; 2]) -> Tensor<Flex, 4> {
    let [height, width] = input;
    let uniform = Distribution::Uniform(-1.0, 1.0);
    Tensor::random([1, 3, height, width], uniform, &Default::default())
}

fn on_the_gpu(frame: &Tensor<Flex, 4>) -> Tensor<Wgpu, 4> {
    Tensor::from_data(frame.to_data(), &Default::default())
}

fn assert_alike(found: Predictions<Wgpu>, expected: Predictions<Flex>) {
    for (what, found, expected) in [
        ("boxes", found.boxes, expected.boxes),
        ("logits", found.logits, expected.logits),
    ] {
        let [found, expected] = [found.into_data(), expected.into_data()];
        let [found, expected]: [Vec<f32>; 2] = [found, expected].map(|data| data.iter().collect());
        assert_eq!(found.len(), expected.len());
        let largest = expected.iter().fold(0.0_f32, |most, it| most.max(it.abs()));
        let apart = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        let apart = apart.fold(0.0, f32::max);
        // Rounding adds up over sixty layers.
        assert!(apart <= 1e-4 * largest, "{what}: {apart} of {largest}");
    }
}

#[test]
fn the_single_frame_detector_is_the_same() {
    let input = [64, 96];
    let config = MobileNetV2SsdConfig::new(5).with_input(input);
    let cpu = config.init::<Flex>(&Default::default());
    let gpu = as_on_the_cpu(&cpu, config.init::<Wgpu>(&Default::default()));
    let frame = frame(input);
    assert_alike(gpu.forward(on_the_gpu(&frame)), cpu.forward(frame));
}

#[test]
fn the_papers_detector_is_the_same_with_either_runner() {
    fn run(runner: &impl CellRunner<Wgpu>) {
        let input = [96, 64];
        let config = LstmSsdConfig::new(3)
            .with_alpha(0.25)
            .with_input(input)
            .with_memories(MAPS)
            .with_normalization(Normalization::Bias);
        let cpu = config.init::<Flex>(&Default::default());
        let gpu = as_on_the_cpu(&cpu, config.init::<Wgpu>(&Default::default()));
        let (mut state, mut expected) = (None, None);
        for _ in 0..3 {
            let frame = frame(input);
            let (found, next) = gpu.step_with(runner, on_the_gpu(&frame), state);
            state = Some(next);
            let (predictions, next) = cpu.step(frame, expected);
            expected = Some(next);
            assert_alike(found, predictions);
        }
    }
    run(&Reference);
    run(&WgpuRunner::try_new(&Default::default()).unwrap());
}
