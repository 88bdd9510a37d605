//! The suite on the CPU with plain Burn operations.

use bottleneck_lstm::Reference;
use burn_flex::Flex;
use burn_ndarray::NdArray;

parity::suite!(ndarray, NdArray, Reference);
parity::suite!(flex, Flex, Reference);
