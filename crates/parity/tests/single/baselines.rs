//! ConvLSTM and ConvGRU on the CPU.

use burn_flex::Flex;
use burn_ndarray::NdArray;

parity::baselines!(ndarray, NdArray);
parity::baselines!(flex, Flex);
