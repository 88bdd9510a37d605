//! Burn's own records keep every parameter to the last bit.

use bottleneck_lstm::{BottleneckLstm, BottleneckLstmConfig, LearnedState, Peephole};
use burn::module::Module;
use burn::record::{BinFileRecorder, FullPrecisionSettings};
use burn::tensor::backend::Backend;
use burn_flex::Flex;
use burn_ndarray::NdArray;

use crate::steps::parameters;

fn round_trips<B: Backend>() {
    let device = Default::default();
    let folder = tempfile::tempdir().unwrap();
    let recorder = BinFileRecorder::<FullPrecisionSettings>::new();
    for (number, config) in [
        BottleneckLstmConfig::new(3, 4),
        BottleneckLstmConfig::tensorflow(3, 4)
            .with_groups(2)
            .with_peephole(Peephole::PerChannel)
            .with_learned_state(LearnedState::PerPosition([2, 3])),
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder.path().join(number.to_string());
        let cell: BottleneckLstm<B> = config.init(&device);
        let expected = parameters(&cell);
        cell.save_file(&path, &recorder).unwrap();
        let fresh = config.init::<B>(&device);
        assert_ne!(expected, parameters(&fresh), "another draw");
        let loaded = fresh.load_file(&path, &recorder, &device).unwrap();
        assert_eq!(expected, parameters(&loaded));
    }
}

#[test]
fn round_trips_on_ndarray() {
    round_trips::<NdArray>();
}

#[test]
fn round_trips_on_flex() {
    round_trips::<Flex>();
}
