//! The cost model, what is legal, and configurations from files.

use bottleneck_lstm::{
    Activation, BottleneckLstmConfig, ConfigError, Depthwise, Initialization, LearnedState,
    Peephole,
};
use burn::config::Config;
use burn::module::Module;
use burn_flex::Flex;

/// A cell's parameters as its module counts them.
fn counted(config: &BottleneckLstmConfig) -> usize {
    config.init::<Flex>(&Default::default()).num_params()
}

#[test]
fn the_cost_model_is_exact() {
    let (ci, ch) = (1024, 256);
    let rows = [
        (BottleneckLstmConfig::new(ci, ch), 602_624, 60_134_400),
        (BottleneckLstmConfig::paper(ci, ch), 603_904, 60_364_800),
        (
            BottleneckLstmConfig::tensorflow(ci, ch),
            604_928,
            60_364_800,
        ),
        (
            BottleneckLstmConfig::tensorflow(ci, ch).with_groups(4),
            386_816,
            38_553_600,
        ),
    ];
    for (config, params, macs) in rows {
        assert_eq!(config.num_params(), params, "{config}");
        assert_eq!(config.macs([10, 10]), macs, "{config}");
        assert_eq!(counted(&config), params, "{config}");
    }
}

#[test]
fn every_parameter_counts() {
    let tensorflow = BottleneckLstmConfig::tensorflow(3, 6);
    let configs = [
        BottleneckLstmConfig::new(3, 4).with_kernel_size(5),
        BottleneckLstmConfig::new(1, 2).with_peephole(Peephole::PerChannel),
        BottleneckLstmConfig::new(3, 4).with_peephole(Peephole::PerPosition([5, 3])),
        BottleneckLstmConfig::new(3, 4).with_gate_bias(true),
        tensorflow
            .clone()
            .with_groups(3)
            .with_learned_state(LearnedState::PerChannel),
        tensorflow
            .clone()
            .with_groups(6)
            .with_learned_state(LearnedState::PerPosition([2, 7])),
        tensorflow.with_output_bottleneck(true).with_kernel_size(1),
    ];
    for config in configs {
        assert_eq!(config.num_params(), counted(&config), "{config}");
    }
}

#[test]
fn illegal_combinations_are_named() {
    let legal = BottleneckLstmConfig::new(4, 6);
    let grouped = BottleneckLstmConfig::tensorflow(4, 6);
    let per_position = legal.clone().with_peephole(Peephole::PerPosition([4, 4]));
    let cases = [
        (
            BottleneckLstmConfig::new(0, 6),
            "input_channels must be at least 1, found 0",
        ),
        (
            BottleneckLstmConfig::new(4, 0),
            "hidden_channels must be at least 1, found 0",
        ),
        (
            BottleneckLstmConfig::new(4, 7),
            "hidden_channels must be even, found 7",
        ),
        (
            legal.clone().with_kernel_size(4),
            "kernel_size must be odd, found 4",
        ),
        (
            legal.clone().with_kernel_size(0),
            "kernel_size must be odd, found 0",
        ),
        (
            grouped.clone().with_groups(0),
            "groups must be at least 1, found 0",
        ),
        (
            grouped.clone().with_groups(4),
            "groups must divide hidden_channels, found 4 groups for 6 hidden channels",
        ),
        (
            legal.clone().with_groups(2),
            "groups > 1 and depthwise Input exclude each other",
        ),
        (
            legal.clone().with_forget_bias(f64::NAN),
            "forget_bias must be finite, found NaN",
        ),
        (
            legal.clone().with_clip_state(0.0),
            "clip_state must be finite and above 0, found 0",
        ),
        (
            legal.clone().with_clip_state(f64::INFINITY),
            "clip_state must be finite and above 0",
        ),
        (
            legal.clone().with_clip_state(6.0).with_scale_state(true),
            "clip_state and scale_state exclude each other",
        ),
        (
            legal.clone().with_peephole(Peephole::PerPosition([0, 4])),
            "peephole must be at least 1, found 0",
        ),
        (
            legal
                .clone()
                .with_learned_state(LearnedState::PerPosition([4, 0])),
            "learned_state must be at least 1, found 0",
        ),
        (
            per_position.with_learned_state(LearnedState::PerPosition([4, 5])),
            "peephole and learned_state must name one spatial size, found [4, 4] and [4, 5]",
        ),
        (
            BottleneckLstmConfig::new(1 << 20, 1 << 10),
            "more than the limit of 268435456",
        ),
        (
            BottleneckLstmConfig::new(usize::MAX, usize::MAX - 1),
            "more than the limit",
        ),
        (
            legal.clone().with_kernel_size(usize::MAX),
            "more than the limit",
        ),
        (
            legal.with_peephole(Peephole::PerPosition([usize::MAX; 2])),
            "more than the limit",
        ),
    ];
    for (config, message) in cases {
        let error = config.validate().expect_err(message).to_string();
        assert!(error.contains(message), "{error} does not say {message}");
        let error = config
            .try_init::<Flex>(&Default::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains(message), "{error} does not say {message}");
    }
}

#[test]
fn the_boundaries_are_legal() {
    for config in [
        BottleneckLstmConfig::new(1, 2),
        BottleneckLstmConfig::new(1, 2).with_kernel_size(1),
        BottleneckLstmConfig::tensorflow(1, 6).with_groups(6),
        BottleneckLstmConfig::new(3, 4)
            .with_scale_state(true)
            .with_carry_activated(true),
        BottleneckLstmConfig::new(3, 4)
            .with_peephole(Peephole::PerPosition([4, 5]))
            .with_learned_state(LearnedState::PerPosition([4, 5])),
    ] {
        assert_eq!(config.validate(), Ok(()), "{config}");
    }
}

#[test]
#[should_panic(expected = "hidden_channels must be even, found 7")]
fn init_panics_with_the_same_message() {
    BottleneckLstmConfig::new(4, 7).init::<Flex>(&Default::default());
}

#[test]
fn a_configuration_survives_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cell.json");
    let config = BottleneckLstmConfig::tensorflow(7, 8)
        .with_groups(4)
        .with_kernel_size(5)
        .with_peephole(Peephole::PerPosition([3, 9]))
        .with_learned_state(LearnedState::PerChannel)
        .with_scale_state(true)
        .with_carry_activated(false)
        .with_output_bottleneck(true)
        .with_initialization(Initialization::PyTorch);
    config.save(&path).unwrap();
    assert_eq!(BottleneckLstmConfig::load(&path).unwrap(), config);

    // What a file leaves out is the default, and what it holds is checked like any other.
    std::fs::write(&path, r#"{"input_channels": 4, "hidden_channels": 7}"#).unwrap();
    let config = BottleneckLstmConfig::load(&path).unwrap();
    assert_eq!(config, BottleneckLstmConfig::new(4, 7));
    assert_eq!(
        config.validate(),
        Err(ConfigError::OddHiddenChannels { found: 7 })
    );
}

#[test]
fn a_bad_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cell.json");
    let bad = [
        "",
        "{",
        "[]",
        "null",
        r#"{"input_channels": 4}"#,
        r#"{"input_channels": -4, "hidden_channels": 8}"#,
        r#"{"input_channels": 4, "hidden_channels": 8.5}"#,
        r#"{"input_channels": 4, "hidden_channels": 8, "hidden": 1}"#,
        r#"{"input_channels": 4, "hidden_channels": 8, "activation": "Swish"}"#,
        r#"{"input_channels": 4, "hidden_channels": 8, "peephole": {"PerPosition": [3]}}"#,
    ];
    for text in bad {
        std::fs::write(&path, text).unwrap();
        assert!(BottleneckLstmConfig::load(&path).is_err(), "{text}");
    }
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(BottleneckLstmConfig::load(&path).is_err());
    assert!(BottleneckLstmConfig::load(folder.path().join("absent.json")).is_err());
}

#[test]
fn presets_are_the_published_variants() {
    let paper = BottleneckLstmConfig::paper(4, 6);
    assert_eq!(paper.depthwise, Depthwise::InputAndHidden);
    assert_eq!(paper.bottleneck_activation, Activation::Relu);
    assert_eq!((paper.gate_bias, paper.forget_bias), (false, 0.0));
    let tensorflow = BottleneckLstmConfig::tensorflow(4, 6);
    assert_eq!(tensorflow.activation, Activation::Relu6);
    assert_eq!(tensorflow.bottleneck_activation, Activation::Relu6);
    assert_eq!((tensorflow.gate_bias, tensorflow.forget_bias), (true, 1.0));
    assert_eq!(
        (tensorflow.clip_state, tensorflow.scale_state),
        (None, false)
    );
    assert!(!tensorflow.carries_activated());
    assert!(tensorflow.with_groups(3).carries_activated());
}

/// Burn draws weights on first use; a clone must not draw its own.
#[test]
fn a_clone_of_a_fresh_cell_is_the_same_cell() {
    let cell = BottleneckLstmConfig::new(3, 4).init::<Flex>(&Default::default());
    let clone = cell.clone();
    assert_eq!(clone.gates.val().into_data(), cell.gates.val().into_data());
    assert_eq!(
        clone.depthwise.val().into_data(),
        cell.depthwise.val().into_data()
    );
}
