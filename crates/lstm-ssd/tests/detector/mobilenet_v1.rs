//! The backbone of the paper's detector: its cost, and that the network is what was counted.

use burn::module::Module;
use burn::tensor::Tensor;
use burn_flex::Flex;
use lstm_ssd::network::{MobileNetV1Config, NetworkError, Normalization};

#[test]
fn its_cost_is_exact() {
    for (alpha, params, macs) in [(1.0, 3_185_088, 1_158_604_800), (0.5, 807_648, 304_051_200)] {
        let cost = MobileNetV1Config::new().with_alpha(alpha).cost();
        assert_eq!((cost.params, cost.macs), (params, macs), "alpha {alpha}");
    }
}

#[test]
fn the_network_has_the_parameters_that_were_counted() {
    for alpha in [0.25, 0.5, 0.75, 1.0] {
        let config = MobileNetV1Config::new()
            .with_alpha(alpha)
            .with_normalization(Normalization::Bias);
        let network = config.try_init::<Flex>(&Default::default()).unwrap();
        let biases: usize = config.layers().iter().map(|layer| layer.channels[1]).sum();
        let expected = config.cost().params as usize + biases;
        assert_eq!(network.num_params(), expected, "alpha {alpha}");
    }
}

#[test]
fn it_makes_the_map_that_it_says() {
    for input in [[64, 64], [33, 70]] {
        let config = MobileNetV1Config::new().with_alpha(0.25).with_input(input);
        let device = Default::default();
        let network = config.try_init::<Flex>(&device).unwrap();
        let [height, width] = input;
        let map = network.forward(Tensor::ones([2, 3, height, width], &device));
        let (channels, [rows, columns]) = config.output();
        assert_eq!(map.dims(), [2, channels, rows, columns]);
    }
    assert_eq!(MobileNetV1Config::new().output(), (1024, [10, 10]));
}

#[test]
fn widths_and_sizes_out_of_range_are_named() {
    let error = |config: MobileNetV1Config| config.validate().unwrap_err();
    let found = error(MobileNetV1Config::new().with_alpha(0.2));
    assert_eq!(found.to_string(), "alpha must be from 0.25 to 1, found 0.2");
    let found = error(MobileNetV1Config::new().with_alpha(f64::NAN));
    assert!(matches!(found, NetworkError::Field { field: "alpha", .. }));
    let found = error(MobileNetV1Config::new().with_input([0, 320]));
    assert!(matches!(found, NetworkError::Field { field: "input", .. }));
}
