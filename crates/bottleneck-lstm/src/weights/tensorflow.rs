//! The names and layouts of the TensorFlow Object Detection API's `lstm_object_detection`.

use std::path::Path;

use burn::module::Param;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::checkpoint::Checkpoint;
use super::error::WeightsError;
use super::representable::{absent_or_zero, not_representable};
use super::save::Tensors;
use super::scope::Scope;
use crate::{BottleneckLstm, BottleneckLstmConfig, Depthwise, LearnedState};

/// The variables of a separable convolution.
const DEPTHWISE: &str = "depthwise_weights";
const POINTWISE: &str = "pointwise_weights";
const BIASES: &str = "biases";
/// The learned cell and hidden state.
const STATES: [&str; 2] = ["lstm_state0", "lstm_state1"];

/// TensorFlow's order of dimensions is `[height, width, in, out]`, and for depthwise kernels
/// `[height, width, channel, 1]`.
const POINTWISE_FROM_TENSORFLOW: [usize; 4] = [3, 2, 0, 1];
const DEPTHWISE_FROM_TENSORFLOW: [usize; 4] = [2, 3, 0, 1];
const STATE_FROM_TENSORFLOW: [usize; 3] = [2, 0, 1];
const POINTWISE_TO_TENSORFLOW: [isize; 4] = [2, 3, 1, 0];
const DEPTHWISE_TO_TENSORFLOW: [isize; 4] = [2, 3, 0, 1];
const STATE_TO_TENSORFLOW: [isize; 3] = [1, 2, 0];

/// Builds a cell of TensorFlow's weights in a `.safetensors` file. The script
/// `xtask/reference/tensorflow_checkpoint.py` makes one of a TensorFlow checkpoint.
///
/// With `Ci` input and `Ch` hidden channels, `m = Ch / groups` and kernels of side `k`, the keys
/// under `prefix` are
///
/// | key | shape | |
/// |---|---|---|
/// | `bottleneck/depthwise_weights` | `[k, k, Ci + m, 1]` | over input, then hidden channels |
/// | `bottleneck/pointwise_weights`, `bottleneck/biases` | `[1, 1, Ci + m, m]`, `[m]` | |
/// | `gates/depthwise_weights` | `[k, k, m, 1]` | over the bottleneck |
/// | `gates/pointwise_weights`, `gates/biases` | `[1, 1, m, 4m]`, `[4m]` | input gate, candidate, forget gate, output gate |
/// | `lstm_state0`, `lstm_state1` | `[H, W, Ch]` | cell and hidden state, only with a learned state |
///
/// With groups the cells' scopes are `bottleneck_0` and `concat_conv_0`, and so on for each group.
/// A cell of one group may have either names. TensorFlow keeps a learned state outside the scope
/// of the cell, under a name that the network chooses; the script puts it here.
///
/// The prefix is literal, with its separator. Keys outside it are ignored, and under it no others
/// may be. A cell without a gate bias takes `biases` of the gates that are absent or zero. What
/// else a configuration says, such as the activation, TensorFlow does not keep in a checkpoint.
///
/// # Errors
///
/// If the configuration is not legal or has what TensorFlow's cell has not, as
/// [`Checkpoint::open`] errs, or if a tensor is missing, unknown, of another shape or not of
/// floating-point numbers. The cell is built last, of tensors that were all checked.
pub fn from_tensorflow<B: Backend>(
    config: &BottleneckLstmConfig,
    path: impl AsRef<Path>,
    prefix: &str,
    device: &B::Device,
) -> Result<BottleneckLstm<B>, WeightsError> {
    config.validate()?;
    representable(config)?;
    from_tensorflow_scope(config, &Checkpoint::open(path)?.scope(prefix), device)
}

/// Builds a cell of the weights in a part of an open file, as [`from_tensorflow`].
///
/// # Errors
///
/// As [`from_tensorflow`].
pub fn from_tensorflow_scope<B: Backend>(
    config: &BottleneckLstmConfig,
    scope: &Scope<'_>,
    device: &B::Device,
) -> Result<BottleneckLstm<B>, WeightsError> {
    config.validate()?;
    let state = representable(config)?;
    let grouped = config.groups > 1 || scope.get(&Names::grouped(0).bottleneck(BIASES)).is_some();
    let names: Vec<_> = (0..config.groups)
        .map(|group| Names::new(group, grouped))
        .collect();
    let (mut required, mut optional) = (Vec::new(), Vec::new());
    for names in &names {
        for variable in [DEPTHWISE, POINTWISE, BIASES] {
            required.push(names.bottleneck(variable));
        }
        required.extend([names.gates(DEPTHWISE), names.gates(POINTWISE)]);
        let biases = if config.gate_bias {
            &mut required
        } else {
            &mut optional
        };
        biases.push(names.gates(BIASES));
    }
    if state.is_some() {
        required.extend(STATES.map(str::to_owned));
    }
    scope.expect(&required, &optional)?;

    let groups = names
        .iter()
        .map(|names| Group::read(config, scope, names, device))
        .collect::<Result<Vec<_>, _>>()?;
    let states = match state {
        None => None,
        Some([height, width]) => {
            let shape = [height, width, config.hidden_channels];
            let read = |key| {
                let view = scope.view(key, &shape)?.permute(&STATE_FROM_TENSORFLOW);
                Ok::<_, WeightsError>(Tensor::<B, 3>::from_data(view.to_data()?, device))
            };
            Some((read(STATES[0])?, read(STATES[1])?))
        }
    };

    let mut cell = config.try_init(device)?;
    cell.depthwise = join(&groups, |group| &group.depthwise);
    cell.bottleneck = join(&groups, |group| &group.bottleneck);
    cell.bottleneck_bias = join(&groups, |group| &group.bottleneck_bias);
    cell.bottleneck_depthwise = join(&groups, |group| &group.bottleneck_depthwise);
    cell.gates = join(&groups, |group| &group.gates);
    if config.gate_bias {
        let biases = groups
            .iter()
            .filter_map(|group| group.gates_bias.clone())
            .collect();
        cell.gates_bias = Some(Param::from_tensor(Tensor::cat(biases, 0)));
    }
    if let Some((initial_cell, initial_hidden)) = states {
        cell.initial_cell = Some(Param::from_tensor(initial_cell));
        cell.initial_hidden = Some(Param::from_tensor(initial_hidden));
    }
    Ok(cell)
}

/// Writes a cell to a `.safetensors` file with the keys and layouts of [`from_tensorflow`] and no
/// prefix, in the element type of its parameters. A gate bias that the cell has not is written as
/// zeros, since TensorFlow's cell always has one.
///
/// The file is written beside its final name and then renamed.
///
/// # Errors
///
/// If the cell has what TensorFlow's has not, or if the file cannot be written.
pub fn to_tensorflow<B: Backend>(
    cell: &BottleneckLstm<B>,
    path: impl AsRef<Path>,
) -> Result<(), WeightsError> {
    let config = cell.config();
    representable(config)?;
    let groups = config.groups;
    let bias = cell
        .gates_bias
        .as_ref()
        .map(|bias| bias.val())
        .unwrap_or_else(|| {
            let rows = cell.gates.val();
            Tensor::zeros([4 * config.hidden_channels], (&rows.device(), rows.dtype()))
        });
    let depthwise = cell.depthwise.val().chunk(groups, 0);
    let bottleneck = cell.bottleneck.val().chunk(groups, 0);
    let bottleneck_bias = cell.bottleneck_bias.val().chunk(groups, 0);
    let bottleneck_depthwise = cell.bottleneck_depthwise.val().chunk(groups, 0);
    let gates = cell.gates.val().chunk(groups, 0);
    let gates_bias = bias.chunk(groups, 0);

    let mut tensors = Tensors::default();
    for group in 0..groups {
        let names = Names::new(group, groups > 1);
        let kernels = |all: &[Tensor<B, 4>]| all[group].clone().permute(DEPTHWISE_TO_TENSORFLOW);
        let weights = |tensor: Tensor<B, 4>| tensor.permute(POINTWISE_TO_TENSORFLOW);
        tensors.add(names.bottleneck(DEPTHWISE), kernels(&depthwise))?;
        tensors.add(
            names.bottleneck(POINTWISE),
            weights(bottleneck[group].clone()),
        )?;
        tensors.add(names.bottleneck(BIASES), bottleneck_bias[group].clone())?;
        tensors.add(names.gates(DEPTHWISE), kernels(&bottleneck_depthwise))?;
        let rows = swap_forget_and_candidate(gates[group].clone());
        tensors.add(names.gates(POINTWISE), weights(rows))?;
        let rows = swap_forget_and_candidate(gates_bias[group].clone());
        tensors.add(names.gates(BIASES), rows)?;
    }
    for (key, state) in STATES
        .into_iter()
        .zip([&cell.initial_cell, &cell.initial_hidden])
    {
        if let Some(state) = state {
            tensors.add(key, state.val().permute(STATE_TO_TENSORFLOW))?;
        }
    }
    tensors.write(path.as_ref())
}

/// The scopes of one group's variables.
struct Names {
    bottleneck: String,
    gates: String,
}

impl Names {
    fn new(group: usize, grouped: bool) -> Self {
        if grouped {
            return Self::grouped(group);
        }
        Self {
            bottleneck: "bottleneck".to_owned(),
            gates: "gates".to_owned(),
        }
    }

    fn grouped(group: usize) -> Self {
        Self {
            bottleneck: format!("bottleneck_{group}"),
            gates: format!("concat_conv_{group}"),
        }
    }

    fn bottleneck(&self, variable: &str) -> String {
        format!("{}/{variable}", self.bottleneck)
    }

    fn gates(&self, variable: &str) -> String {
        format!("{}/{variable}", self.gates)
    }
}

/// The parameters of one group, in the layouts and the order of the cell's fields.
struct Group<B: Backend> {
    depthwise: Tensor<B, 4>,
    bottleneck: Tensor<B, 4>,
    bottleneck_bias: Tensor<B, 1>,
    bottleneck_depthwise: Tensor<B, 4>,
    gates: Tensor<B, 4>,
    gates_bias: Option<Tensor<B, 1>>,
}

impl<B: Backend> Group<B> {
    fn read(
        config: &BottleneckLstmConfig,
        scope: &Scope<'_>,
        names: &Names,
        device: &B::Device,
    ) -> Result<Self, WeightsError> {
        let (ci, m, k) = (
            config.input_channels,
            config.group_channels(),
            config.kernel_size,
        );
        let read = |key: String, shape: [usize; 4], order: [usize; 4]| {
            let view = scope.view(&key, &shape)?.permute(&order);
            Ok::<_, WeightsError>(Tensor::<B, 4>::from_data(view.to_data()?, device))
        };
        let kernels = |key, channels| read(key, [k, k, channels, 1], DEPTHWISE_FROM_TENSORFLOW);
        let weights = |key, inputs, out| read(key, [1, 1, inputs, out], POINTWISE_FROM_TENSORFLOW);
        Ok(Self {
            depthwise: kernels(names.bottleneck(DEPTHWISE), ci + m)?,
            bottleneck: weights(names.bottleneck(POINTWISE), ci + m, m)?,
            bottleneck_bias: scope.tensor(&names.bottleneck(BIASES), [m], device)?,
            bottleneck_depthwise: kernels(names.gates(DEPTHWISE), m)?,
            gates: swap_forget_and_candidate(weights(names.gates(POINTWISE), m, 4 * m)?),
            gates_bias: Self::read_gates_bias(config, scope, names, device)?,
        })
    }

    fn read_gates_bias(
        config: &BottleneckLstmConfig,
        scope: &Scope<'_>,
        names: &Names,
        device: &B::Device,
    ) -> Result<Option<Tensor<B, 1>>, WeightsError> {
        let key = names.gates(BIASES);
        if !config.gate_bias {
            absent_or_zero(scope, &key, "the configuration has no gate bias")?;
            return Ok(None);
        }
        let bias = scope.tensor(&key, [4 * config.group_channels()], device)?;
        Ok(Some(swap_forget_and_candidate(bias)))
    }
}

/// Joins the rows of all groups.
fn join<B: Backend, const D: usize>(
    groups: &[Group<B>],
    part: impl Fn(&Group<B>) -> &Tensor<B, D>,
) -> Param<Tensor<B, D>> {
    Param::from_tensor(Tensor::cat(
        groups.iter().map(|group| part(group).clone()).collect(),
        0,
    ))
}

/// Between the order of the gates' rows here, input, forget, candidate, output, and TensorFlow's,
/// input, candidate, forget, output.
fn swap_forget_and_candidate<B: Backend, const D: usize>(rows: Tensor<B, D>) -> Tensor<B, D> {
    let mut gates = rows.chunk(4, 0);
    gates.swap(1, 2);
    Tensor::cat(gates, 0)
}

/// That TensorFlow's cell has the same parameters. Returns the size of its learned state.
fn representable(config: &BottleneckLstmConfig) -> Result<Option<[usize; 2]>, WeightsError> {
    if config.depthwise != Depthwise::InputAndHidden {
        return Err(not_representable(
            "the depthwise convolution runs over the input alone, and TensorFlow's over the \
             hidden state too",
        ));
    }
    if config.peephole.is_some() {
        return Err(not_representable(
            "the configuration has a peephole, and TensorFlow's cell has none",
        ));
    }
    match config.learned_state {
        LearnedState::None => Ok(None),
        LearnedState::PerPosition(size) => Ok(Some(size)),
        LearnedState::PerChannel => Err(not_representable(
            "the learned state has a value a channel, and TensorFlow's one a position too",
        )),
    }
}
