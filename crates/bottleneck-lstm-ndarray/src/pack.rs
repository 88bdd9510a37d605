//! Weights in the layout that the kernels want, packed once.

use crate::kernels::Plan;
use crate::kernels::depthwise;
use crate::kernels::gates::Peepholes;
use crate::kernels::gemm::Matrix;
use crate::kernels::layout;

/// A cell's weights as Burn has them; see the fields of `BottleneckLstm` for the shapes.
#[derive(Debug, Clone)]
pub(crate) struct Weights<T, O = Option<T>> {
    pub depthwise: T,
    pub depthwise_bias: O,
    pub bottleneck: T,
    pub bottleneck_bias: T,
    pub bottleneck_depthwise: T,
    pub gates: T,
    pub gates_bias: O,
    pub peepholes: Option<[T; 3]>,
}

/// A cell's weights, packed.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    /// Kernels over the input of each group, `[k * k, input]`.
    pub input_kernels: Vec<Vec<f32>>,
    /// `[input]`
    pub input_bias: Option<Vec<f32>>,
    /// Kernels over the hidden state, `[k * k, hidden]`.
    pub hidden_kernels: Option<Vec<f32>>,
    /// `[hidden, input + m]`
    pub bottleneck: Vec<f32>,
    /// `[hidden]`
    pub bottleneck_bias: Vec<f32>,
    /// Kernels over the bottleneck, `[k * k, hidden]`.
    pub bottleneck_kernels: Vec<f32>,
    /// `[4 * hidden, m]`
    pub gates: Vec<f32>,
    /// `[4 * hidden]`, the forget bias added.
    pub gates_bias: Vec<f32>,
    /// `[1 or area, hidden]`
    pub peepholes: Option<Peepholes<Vec<f32>>>,
}

impl Packed {
    /// Packs `weights` for `plan`.
    ///
    /// # Panics
    ///
    /// If a weight has another size than the plan says, as a record of another cell may.
    pub(crate) fn new(plan: &Plan, weights: &Weights<&[f32]>, forget_bias: f64) -> Self {
        let Plan {
            input,
            hidden,
            kernel,
            groups,
            ..
        } = *plan;
        let (m, taps) = (plan.group(), kernel * kernel);
        let size = |name: &str, expected: usize, found: &[f32]| {
            assert_eq!(
                expected,
                found.len(),
                "{name} has another number of values than its cell"
            );
        };
        let over_hidden = if plan.depthwise_hidden { m } else { 0 };
        size(
            "depthwise",
            groups * (input + over_hidden) * taps,
            weights.depthwise,
        );
        size("bottleneck", hidden * (input + m), weights.bottleneck);
        size("bottleneck_bias", hidden, weights.bottleneck_bias);
        size(
            "bottleneck_depthwise",
            hidden * taps,
            weights.bottleneck_depthwise,
        );
        size("gates", 4 * hidden * m, weights.gates);

        let mut input_kernels = Vec::with_capacity(groups);
        let mut hidden_weights = Vec::new();
        for group in weights.depthwise.chunks_exact((input + over_hidden) * taps) {
            let (over_input, over_hidden) = group.split_at(input * taps);
            input_kernels.push(depthwise::pack(over_input, kernel));
            hidden_weights.extend_from_slice(over_hidden);
        }
        let mut gates_bias = match weights.gates_bias {
            Some(bias) => bias.to_vec(),
            None => vec![0.0; 4 * hidden],
        };
        size("gates_bias", 4 * hidden, &gates_bias);
        for group in gates_bias.chunks_exact_mut(4 * m) {
            group[m..2 * m]
                .iter_mut()
                .for_each(|bias| *bias += forget_bias as f32);
        }
        Self {
            input_kernels,
            input_bias: weights.depthwise_bias.map(<[f32]>::to_vec),
            hidden_kernels: plan
                .depthwise_hidden
                .then(|| depthwise::pack(&hidden_weights, kernel)),
            bottleneck: weights.bottleneck.to_vec(),
            bottleneck_bias: weights.bottleneck_bias.to_vec(),
            bottleneck_kernels: depthwise::pack(weights.bottleneck_depthwise, kernel),
            gates: weights.gates.to_vec(),
            gates_bias,
            peepholes: weights.peepholes.map(|weights| {
                Peepholes(weights.map(|weights| {
                    let mut packed = vec![0.0; weights.len()];
                    layout::to_channels_last(weights, &mut packed, hidden, weights.len() / hidden);
                    packed
                }))
            }),
        }
    }

    /// The columns over the input of a group's rows of the bottleneck, `[m, input]`.
    pub(crate) fn bottleneck_input(&self, plan: &Plan, group: usize) -> Matrix<'_> {
        let stride = plan.input + plan.group();
        Matrix::new(
            self.group_rows(plan, group),
            plan.group(),
            plan.input,
            stride,
        )
    }

    /// The columns over the hidden state of a group's rows of the bottleneck, `[m, m]`.
    pub(crate) fn bottleneck_hidden(&self, plan: &Plan, group: usize) -> Matrix<'_> {
        let stride = plan.input + plan.group();
        let rows = &self.group_rows(plan, group)[plan.input..];
        Matrix::new(rows, plan.group(), plan.group(), stride)
    }

    fn group_rows(&self, plan: &Plan, group: usize) -> &[f32] {
        let size = plan.group() * (plan.input + plan.group());
        &self.bottleneck[group * size..][..size]
    }

    /// A group's rows of the gates, `[4 * m, m]`.
    pub(crate) fn group_gates(&self, plan: &Plan, group: usize) -> Matrix<'_> {
        let m = plan.group();
        Matrix::new(&self.gates[group * 4 * m * m..], 4 * m, m, m)
    }
}
