//! ConvLSTM and ConvGRU: costs, legal configurations, sequences.

#[path = "common/tensors.rs"]
mod tensors;

use bottleneck_lstm::{
    BottleneckLstmConfig, BottleneckLstmState, ConfigError, ConvGru, ConvGruConfig, ConvGruState,
    ConvLstm, ConvLstmConfig, ConvLstmState, Peephole, ShapeError,
};
use burn::config::Config;
use burn::module::{Module, Param};
use burn::record::{BinBytesRecorder, FullPrecisionSettings, Recorder};
use burn::tensor::{Bool, Tensor, TensorData, Tolerance};

use tensors::{B, difference, random};

#[test]
fn the_cost_model_is_exact() {
    let (ci, ch) = (1024, 256);
    for (config, params, macs) in [
        (
            ConvLstmConfig::new(ci, ch).with_separable(true),
            1_323_264,
            132_224_000,
        ),
        (ConvLstmConfig::new(ci, ch), 11_797_504, 1_179_648_000),
    ] {
        assert_eq!((config.num_params(), config.macs([10, 10])), (params, macs));
    }
    let config = ConvGruConfig::new(ci, ch);
    assert_eq!(
        (config.num_params(), config.macs([10, 10])),
        (8_848_128, 884_736_000)
    );

    // What the project is for: a twentieth at 1024 -> 256, a tenth at 64 -> 64.
    for (ci, ch, times) in [(1024, 256, 19), (64, 64, 10)] {
        let (full, ours) = (
            ConvLstmConfig::new(ci, ch),
            BottleneckLstmConfig::new(ci, ch),
        );
        assert!(full.num_params() >= times * ours.num_params());
        assert!(full.macs([8, 8]) >= times as u64 * ours.macs([8, 8]));
    }
}

#[test]
fn every_parameter_counts() {
    let device = Default::default();
    for config in [
        ConvLstmConfig::new(3, 5),
        ConvLstmConfig::new(3, 5)
            .with_separable(true)
            .with_kernel_size(5),
        ConvLstmConfig::new(3, 5).with_peephole(Peephole::PerChannel),
        ConvLstmConfig::new(3, 5).with_peephole(Peephole::PerPosition([2, 7])),
    ] {
        assert_eq!(
            config.num_params(),
            config.init::<B>(&device).num_params(),
            "{config:?}"
        );
    }
    let config = ConvGruConfig::new(3, 5).with_kernel_size(1);
    assert_eq!(config.num_params(), config.init::<B>(&device).num_params());
}

#[test]
fn illegal_configurations_are_named() {
    let lstm = ConvLstmConfig::new(3, 4);
    let zero = |field| Err(ConfigError::Zero { field });
    assert_eq!(ConvLstmConfig::new(0, 4).validate(), zero("input_channels"));
    assert_eq!(ConvGruConfig::new(3, 0).validate(), zero("hidden_channels"));
    let even = Err(ConfigError::EvenKernel { found: 2 });
    assert_eq!(lstm.clone().with_kernel_size(2).validate(), even);
    assert_eq!(
        ConvGruConfig::new(3, 4).with_kernel_size(2).validate(),
        even
    );
    assert_eq!(
        lstm.clone()
            .with_peephole(Peephole::PerPosition([3, 0]))
            .validate(),
        zero("peephole")
    );
    let number = lstm.with_forget_bias(f64::NAN).validate();
    assert!(matches!(
        number,
        Err(ConfigError::Number {
            field: "forget_bias",
            ..
        })
    ));
    let large = [
        ConvLstmConfig::new(usize::MAX, usize::MAX).validate(),
        ConvLstmConfig::new(3, 4)
            .with_kernel_size(usize::MAX)
            .validate(),
        ConvGruConfig::new(usize::MAX, 1).validate(),
    ];
    assert!(
        large
            .iter()
            .all(|result| matches!(result, Err(ConfigError::TooLarge { .. })))
    );
    assert_eq!(
        ConvLstmConfig::new(usize::MAX, usize::MAX).macs([usize::MAX; 2]),
        u64::MAX
    );
    assert!(ConvLstmConfig::load_binary(br#"{"input_channels": 1}"#).is_err());
}

/// One channel, one position: `h' = sigmoid(o) tanh(c')` by hand.
#[test]
fn a_conv_lstm_by_hand() {
    let device = Default::default();
    let mut cell: ConvLstm<B> = ConvLstmConfig::new(1, 1).with_kernel_size(1).init(&device);
    let weights = TensorData::new(
        vec![0.1_f32, 0.5, 0.2, -0.3, 0.3, 0.7, 0.4, -0.2],
        [4, 2, 1, 1],
    );
    cell.gates = Param::from_data(weights, &device);
    cell.gates_bias = Param::from_data([0.01_f32, 0.02, 0.03, 0.04], &device);
    let value = |value: f32| Tensor::<B, 4>::from_data([[[[value]]]], &device);
    let state = cell.step(
        value(2.0),
        Some(ConvLstmState::new(value(0.6), value(-0.5))),
    );

    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let gate = |of_x: f64, of_h: f64, bias: f64| of_x * 2.0 + of_h * -0.5 + bias;
    let (i, f) = (
        sigmoid(gate(0.1, 0.5, 0.01)),
        sigmoid(gate(0.2, -0.3, 0.02)),
    );
    let (j, o) = (gate(0.3, 0.7, 0.03).tanh(), sigmoid(gate(0.4, -0.2, 0.04)));
    let c = f * 0.6 + i * j;
    let tolerance = Tolerance::<f32>::absolute(1e-6);
    state
        .cell
        .into_data()
        .assert_approx_eq(&value(c as f32).into_data(), tolerance);
    state
        .hidden
        .into_data()
        .assert_approx_eq(&value((o * c.tanh()) as f32).into_data(), tolerance);
}

/// One channel, one position: `h' = (1 - z) n + z h` by hand.
#[test]
fn a_conv_gru_by_hand() {
    let device = Default::default();
    let mut cell: ConvGru<B> = ConvGruConfig::new(1, 1).with_kernel_size(1).init(&device);
    cell.gates = Param::from_data(
        TensorData::new(vec![0.1_f32, 0.5, 0.2, -0.3], [2, 2, 1, 1]),
        &device,
    );
    cell.candidate = Param::from_data(TensorData::new(vec![0.3_f32, 0.7], [1, 2, 1, 1]), &device);
    let value = |value: f32| Tensor::<B, 4>::from_data([[[[value]]]], &device);
    let state = cell.step(value(2.0), Some(ConvGruState::new(value(-0.5))));

    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (z, r) = (sigmoid(0.2 - 0.25), sigmoid(0.4 + 0.15));
    let n = (0.6 + 0.7 * r * -0.5_f64).tanh();
    let expected = value(((1.0 - z) * n + z * -0.5) as f32).into_data();
    state
        .hidden
        .into_data()
        .assert_approx_eq(&expected, Tolerance::<f32>::absolute(1e-6));
}

/// A state that two cells share, for the tests below.
trait Carried: Clone {
    fn parts(&self) -> Vec<Tensor<B, 4>>;
}

impl Carried for BottleneckLstmState<B> {
    fn parts(&self) -> Vec<Tensor<B, 4>> {
        vec![self.cell.clone(), self.hidden.clone()]
    }
}

impl Carried for ConvGruState<B> {
    fn parts(&self) -> Vec<Tensor<B, 4>> {
        vec![self.hidden.clone()]
    }
}

/// That a sequence equals its chunks and its steps.
fn chunks_equal_the_whole<S: Carried>(
    start: S,
    forward: impl Fn(Tensor<B, 5>, Option<S>) -> (Tensor<B, 5>, S),
    step: impl Fn(Tensor<B, 4>, Option<S>) -> S,
) {
    let xs = random([2, 6, 3, 5, 4]);
    let (whole, last) = forward(xs.clone(), Some(start.clone()));
    let (first, between) = forward(xs.clone().narrow(1, 0, 2), Some(start.clone()));
    let (second, end) = forward(xs.clone().narrow(1, 2, 4), Some(between));
    assert!(difference(Tensor::cat(vec![first, second], 1), whole.clone()) <= 5e-6);
    let mut state = Some(start);
    for x in xs.iter_dim(1) {
        state = Some(step(x.squeeze_dim(1), state));
    }
    for other in [end, state.unwrap()] {
        for (left, right) in other.parts().into_iter().zip(last.parts()) {
            assert!(difference(left, right) <= 5e-6);
        }
    }
}

#[test]
fn sequences_equal_their_chunks() {
    let device = Default::default();
    let map = || random([2, 4, 5, 4]);
    let lstm = ConvLstmConfig::new(3, 4).with_peephole(Peephole::PerChannel);
    for config in [lstm.clone(), lstm.with_separable(true)] {
        let cell = config.init::<B>(&device);
        let start = ConvLstmState::new(map(), map());
        let forward = |xs, state| cell.forward(xs, state);
        chunks_equal_the_whole(start, forward, |x, state| cell.step(x, state));
    }
    let cell = ConvGruConfig::new(3, 4).init::<B>(&device);
    let forward = |xs, state| cell.forward(xs, state);
    chunks_equal_the_whole(ConvGruState::new(map()), forward, |x, state| {
        cell.step(x, state)
    });
}

#[test]
fn a_reset_row_starts_anew() {
    let device = Default::default();
    let xs = random([2, 4, 3, 5, 4]);
    let mask = [[false, false, true, false], [false; 4]];
    let reset = Tensor::<B, 2, Bool>::from_data(mask, &device);
    let row = |hs: Tensor<B, 5>, index| hs.narrow(0, index, 1);

    let cell = ConvGruConfig::new(3, 4).init::<B>(&device);
    let start = Some(ConvGruState::new(random([2, 4, 5, 4])));
    let (hs, _) = cell.forward_reset(xs.clone(), start.clone(), reset.clone());
    let (fresh, _) = cell.forward(xs.clone().narrow(1, 2, 2), None);
    assert!(difference(row(hs.clone(), 0).narrow(1, 2, 2), row(fresh, 0)) <= 5e-6);
    let (kept, _) = cell.forward(xs.clone(), start);
    assert!(difference(row(hs, 1), row(kept, 1)) <= 5e-6);

    let cell = ConvLstmConfig::new(3, 4).init::<B>(&device);
    let start = Some(ConvLstmState::new(
        random([2, 4, 5, 4]),
        random([2, 4, 5, 4]),
    ));
    let (hs, _) = cell.forward_reset(xs.clone(), start, reset);
    let (fresh, _) = cell.forward(xs.clone().narrow(1, 2, 2), None);
    assert!(difference(row(hs, 0).narrow(1, 2, 2), row(fresh, 0)) <= 5e-6);
    let short = Tensor::<B, 2, Bool>::from_data([[false; 3]; 2], &device);
    let error = cell.try_forward_reset(xs, None, short).unwrap_err();
    assert_eq!(
        error.to_string(),
        "reset: expected 4 time, found 3 (shape [2, 3])"
    );
}

#[test]
fn what_does_not_fit_is_named() {
    let device = Default::default();
    let lstm = ConvLstmConfig::new(3, 4)
        .with_peephole(Peephole::PerPosition([5, 4]))
        .init::<B>(&device);
    let gru = ConvGruConfig::new(3, 4).init::<B>(&device);
    let error = gru.try_step(random([1, 2, 5, 4]), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "input: expected 3 channels, found 2 (shape [1, 2, 5, 4])"
    );
    let state = Some(gru.init_state(2, [5, 4]));
    let error = gru.try_step(random([1, 3, 5, 4]), state).unwrap_err();
    assert_eq!(
        error.to_string(),
        "state.hidden: expected 1 batch, found 2 (shape [2, 4, 5, 4])"
    );
    let error = lstm.try_step(random([1, 3, 5, 5]), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "input: expected 4 width, found 5 (shape [1, 3, 5, 5])"
    );
    let error = lstm
        .try_forward(Tensor::zeros([1, 0, 3, 5, 4], &device), None)
        .unwrap_err();
    assert!(matches!(
        error,
        ShapeError::Empty {
            tensor: "input",
            ..
        }
    ));
    for x in [[0, 3, 5, 4], [1, 3, 0, 4], [1, 3, 5, 0]] {
        let x = || Tensor::zeros(x, &device);
        let free = ConvLstmConfig::new(3, 4).init::<B>(&device);
        let lstm = free.try_step(x(), None).map(drop);
        let gru = gru.try_step(x(), None).map(drop);
        for result in [lstm, gru] {
            assert!(matches!(
                result,
                Err(ShapeError::Empty {
                    tensor: "input",
                    ..
                })
            ));
        }
    }
    let error = gru.try_init_state(usize::MAX, [5, 4]).unwrap_err();
    assert!(matches!(error, ShapeError::TooLarge { .. }));
}

/// What a training run that is interrupted and resumed relies on.
#[test]
fn a_saved_state_is_the_same_to_the_bit() {
    let device = Default::default();
    let recorder = BinBytesRecorder::<FullPrecisionSettings>::new();
    // Every exponent, and what a conversion by way of another type would lose.
    let mut values: Vec<f32> = (0..255)
        .map(|exponent| f32::from_bits(exponent << 23 | 0x0055_5555))
        .collect();
    values.extend([
        -0.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::MIN_POSITIVE / 2.0,
    ]);
    let shape = [2, 2, 5, values.len() / 20];
    let map = |factor: f32| {
        let values = values.iter().map(|value| value * factor).collect();
        Tensor::<B, 4>::from_data(TensorData::new::<f32, _>(values, shape), &device)
    };

    let state = ConvLstmState::new(map(1.0), map(-1.0));
    let bytes = recorder.record(state.clone(), ()).unwrap();
    let loaded: ConvLstmState<B> = recorder.load(bytes, &device).unwrap();
    assert_eq!(bits(&loaded), bits(&state));

    let state = ConvGruState::new(map(1.0));
    let bytes = recorder.record(state.clone(), ()).unwrap();
    let loaded: ConvGruState<B> = recorder.load(bytes, &device).unwrap();
    assert_eq!(bits(&loaded), bits(&state));
}

/// The shape and the bytes of every tensor of a state.
fn bits(state: &impl Carried) -> Vec<(Vec<usize>, Vec<u8>)> {
    let parts = state.parts().into_iter().map(|tensor| {
        let data = tensor.into_data();
        (data.shape.to_vec(), data.as_bytes().to_vec())
    });
    parts.collect()
}
