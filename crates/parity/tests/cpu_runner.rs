//! The suite with the CPU runner.

use bottleneck_lstm_ndarray::CpuRunner;
use burn_flex::Flex;
use burn_ndarray::NdArray;

parity::suite!(ndarray, NdArray, CpuRunner::new());
parity::suite!(flex, Flex, CpuRunner::new());
