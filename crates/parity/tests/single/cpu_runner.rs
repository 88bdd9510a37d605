//! The suite with the CPU runner.

use bottleneck_lstm::CellRunner;
use bottleneck_lstm_ndarray::{CpuRunner, Instructions};
use burn::tensor::backend::Backend;
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use burn_ndarray::NdArray;
use parity::fixture::Fixture;

parity::suite!(ndarray, NdArray, CpuRunner::new());
parity::suite!(flex, Flex, CpuRunner::new());
// On a machine with more, and with as much.
parity::suite!(
    avx2,
    Flex,
    CpuRunner::new().with_instructions(Instructions::Avx2)
);
parity::suite!(
    portable,
    Flex,
    CpuRunner::new().with_instructions(Instructions::Portable)
);

/// Otherwise the suite would compare the reference with itself.
#[test]
fn every_fixture_is_fused() {
    fn check<B: Backend>()
    where
        CpuRunner: CellRunner<B>,
    {
        for fixture in Fixture::all("bottleneck_lstm") {
            let cell = fixture.case().load::<B>().cell;
            assert!(CpuRunner::new().is_fused(&cell), "{}", fixture.name);
        }
    }
    check::<NdArray>();
    check::<Flex>();
    check::<Autodiff<NdArray>>();
    check::<Autodiff<Flex>>();
}
