//! The names and shapes of the public PyTorch code.

use std::path::Path;

use burn::module::Param;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::checkpoint::Checkpoint;
use super::error::WeightsError;
use super::representable::{absent_or_zero, not_representable};
use super::save::Tensors;
use super::scope::Scope;
use crate::{Activation, BottleneckLstm, BottleneckLstmConfig, Depthwise, LearnedState, Peephole};

/// The convolutions of the four gates, in the order of [`BottleneckLstm::gates`].
const GATES: [&str; 4] = ["Wbi.weight", "Wbf.weight", "Wbc.weight", "Wbo.weight"];
const PEEPHOLES: [&str; 3] = ["Wci", "Wcf", "Wco"];
const REQUIRED: [&str; 9] = [
    "W.weight",
    "W.bias",
    "Wy.weight",
    "Wy.bias",
    "Wi.weight",
    GATES[0],
    GATES[1],
    GATES[2],
    GATES[3],
];

/// Builds a cell of the weights in a PyTorch (`.pt`, `.pth`) or `.safetensors` file.
///
/// With `Ci` input and `Ch` hidden channels and kernels of side `k`, the keys under `prefix` are
///
/// | key | shape | |
/// |---|---|---|
/// | `W.weight`, `W.bias` | `[Ci, 1, k, k]`, `[Ci]` | depthwise over the input |
/// | `Wy.weight`, `Wy.bias` | `[Ch, Ci + Ch, 1, 1]`, `[Ch]` | bottleneck |
/// | `Wi.weight` | `[Ch, 1, k, k]` | depthwise over the bottleneck |
/// | `Wbi.weight`, `Wbf.weight`, `Wbc.weight`, `Wbo.weight` | `[Ch, Ch, 1, 1]` | input, forget, candidate and output gate |
/// | `Wci`, `Wcf`, `Wco` | `[1, Ch, 1, 1]` or `[1, Ch, H, W]` | peepholes, zero where absent |
///
/// The prefix is literal, with its separator: `pred_decoder.bottleneck_lstm1.cell.` for a whole
/// network of the public code, preceded by `state_dict.` if the file holds the network under that
/// key. Keys outside the prefix are ignored, and under it no others may be. Peepholes in the file
/// of a cell without any must be zero, as the public code keeps them.
///
/// Values of 16, 32 and 64 bits are converted to the default type of `device`.
///
/// # Errors
///
/// If the configuration is not legal or not one of the public code, as [`Checkpoint::open`] errs,
/// or if a tensor is missing, unknown, of another shape or not of floating-point numbers. The
/// cell is built last, of tensors that were all checked.
pub fn from_pytorch<B: Backend>(
    config: &BottleneckLstmConfig,
    path: impl AsRef<Path>,
    prefix: &str,
    device: &B::Device,
) -> Result<BottleneckLstm<B>, WeightsError> {
    config.validate()?;
    representable(config)?;
    from_pytorch_scope(config, &Checkpoint::open(path)?.scope(prefix), device)
}

/// Builds a cell of the weights in a part of an open file, as [`from_pytorch`].
///
/// # Errors
///
/// As [`from_pytorch`].
pub fn from_pytorch_scope<B: Backend>(
    config: &BottleneckLstmConfig,
    scope: &Scope<'_>,
    device: &B::Device,
) -> Result<BottleneckLstm<B>, WeightsError> {
    config.validate()?;
    representable(config)?;
    scope.expect(&REQUIRED, &PEEPHOLES)?;
    let (ci, ch, k) = (
        config.input_channels,
        config.hidden_channels,
        config.kernel_size,
    );
    let depthwise = scope.tensor("W.weight", [ci, 1, k, k], device)?;
    let depthwise_bias = scope.tensor("W.bias", [ci], device)?;
    let bottleneck = scope.tensor("Wy.weight", [ch, ci + ch, 1, 1], device)?;
    let bottleneck_bias = scope.tensor("Wy.bias", [ch], device)?;
    let bottleneck_depthwise = scope.tensor("Wi.weight", [ch, 1, k, k], device)?;
    let gate = |key| scope.tensor(key, [ch, ch, 1, 1], device);
    let gates = GATES
        .into_iter()
        .map(gate)
        .collect::<Result<Vec<Tensor<B, 4>>, _>>()?;
    let [input, forget, output] = PEEPHOLES.map(|key| peephole(config, scope, key, device));
    let (input, forget, output) = (input?, forget?, output?);

    let mut cell = config.try_init(device)?;
    cell.depthwise = Param::from_tensor(depthwise);
    cell.depthwise_bias = Some(Param::from_tensor(depthwise_bias));
    cell.bottleneck = Param::from_tensor(bottleneck);
    cell.bottleneck_bias = Param::from_tensor(bottleneck_bias);
    cell.bottleneck_depthwise = Param::from_tensor(bottleneck_depthwise);
    cell.gates = Param::from_tensor(Tensor::cat(gates, 0));
    cell.peephole_input = input.map(Param::from_tensor);
    cell.peephole_forget = forget.map(Param::from_tensor);
    cell.peephole_output = output.map(Param::from_tensor);
    Ok(cell)
}

/// Writes a cell to a `.safetensors` file with the keys of [`from_pytorch`] and no prefix, in the
/// element type of its parameters. PyTorch loads it with `safetensors.torch.load_file`.
///
/// The file is written beside its final name and then renamed.
///
/// # Errors
///
/// If the cell is not one of the public code, or if the file cannot be written.
pub fn to_pytorch<B: Backend>(
    cell: &BottleneckLstm<B>,
    path: impl AsRef<Path>,
) -> Result<(), WeightsError> {
    let config = cell.config();
    representable(config)?;
    let mut tensors = Tensors::default();
    tensors.add("W.weight", cell.depthwise.val())?;
    if let Some(bias) = &cell.depthwise_bias {
        tensors.add("W.bias", bias.val())?;
    }
    tensors.add("Wy.weight", cell.bottleneck.val())?;
    tensors.add("Wy.bias", cell.bottleneck_bias.val())?;
    tensors.add("Wi.weight", cell.bottleneck_depthwise.val())?;
    for (key, gate) in GATES.into_iter().zip(cell.gates.val().chunk(4, 0)) {
        tensors.add(key, gate)?;
    }
    let peepholes = [
        &cell.peephole_input,
        &cell.peephole_forget,
        &cell.peephole_output,
    ];
    for (key, peephole) in PEEPHOLES.into_iter().zip(peepholes) {
        if let Some(peephole) = peephole {
            tensors.add(key, peephole.val().unsqueeze::<4>())?;
        }
    }
    tensors.write(path.as_ref())
}

/// A peephole `[Ch, 1, 1]` or `[Ch, H, W]`, if the cell has any.
fn peephole<B: Backend>(
    config: &BottleneckLstmConfig,
    scope: &Scope<'_>,
    key: &str,
    device: &B::Device,
) -> Result<Option<Tensor<B, 3>>, WeightsError> {
    let [height, width] = match config.peephole {
        None => {
            absent_or_zero(scope, key, "the configuration has no peephole")?;
            return Ok(None);
        }
        Some(Peephole::PerChannel) => [1, 1],
        Some(Peephole::PerPosition(size)) => size,
    };
    let shape = [config.hidden_channels, height, width];
    let tensor = match scope.get(key) {
        None => Tensor::zeros(shape, device),
        Some(_) => scope
            .tensor(key, [1, shape[0], height, width], device)?
            .reshape(shape),
    };
    Ok(Some(tensor))
}

/// That the public PyTorch code computes what a cell of this configuration does.
fn representable(config: &BottleneckLstmConfig) -> Result<(), WeightsError> {
    let differences = [
        (
            config.depthwise != Depthwise::Input,
            "a depthwise convolution over the hidden state",
        ),
        (config.groups != 1, "groups"),
        (
            config.activation != Activation::Relu,
            "an activation other than ReLU",
        ),
        (
            config.bottleneck_activation != Activation::Identity,
            "an activation of the bottleneck",
        ),
        (config.gate_bias, "a gate bias"),
        (config.forget_bias != 0.0, "a forget bias"),
        (config.clip_state.is_some(), "a clipped cell state"),
        (config.scale_state, "a scaled cell state"),
        (
            config.carries_activated(),
            "an activated cell state that is carried",
        ),
        (config.output_bottleneck, "the bottleneck in its output"),
        (
            config.learned_state != LearnedState::None,
            "a learned initial state",
        ),
    ];
    match differences.into_iter().find(|(differs, _)| *differs) {
        None => Ok(()),
        Some((_, what)) => Err(not_representable(format!(
            "the configuration has {what}, and the PyTorch cell has none"
        ))),
    }
}
