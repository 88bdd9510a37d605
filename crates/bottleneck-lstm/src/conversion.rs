//! From one variant of the cell to another that computes the same.

use burn::module::Param;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use thiserror::Error;

use crate::{BottleneckLstm, BottleneckLstmConfig, ConfigError, Depthwise, Peephole};

/// A cell that has no equal in the form asked for.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ConversionError {
    /// Peepholes cannot be turned into those asked for without a loss.
    #[error("a cell with peephole {found:?} has no equal with peephole {expected:?}")]
    Peephole {
        /// The peephole asked for.
        expected: Option<Peephole>,
        /// The peephole found.
        found: Option<Peephole>,
    },
    /// The converted cell would not be legal.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl<B: Backend> BottleneckLstm<B> {
    /// The same cell with peepholes of the given kind: none becomes zeros, per channel becomes
    /// per position with one value everywhere. Peepholes that change are new parameters, which
    /// train.
    ///
    /// # Errors
    ///
    /// [`ConversionError::Peephole`] from per position to anything else, and
    /// [`ConversionError::Config`] if the size does not go with the learned state's.
    pub fn try_with_peephole(self, peephole: Peephole) -> Result<Self, ConversionError> {
        let found = self.config().peephole;
        let config = self.config().clone().with_peephole(peephole);
        config.validate()?;
        let [height, width] = match (found, peephole) {
            (Some(found), wanted) if found == wanted => return Ok(self),
            (Some(Peephole::PerPosition(_)), wanted) => {
                return Err(ConversionError::Peephole {
                    expected: Some(wanted),
                    found,
                });
            }
            (_, Peephole::PerChannel) => [1, 1],
            (_, Peephole::PerPosition(size)) => size,
        };
        let shape = [config.hidden_channels, height, width];
        let device = self.bottleneck.val().device();
        let dtype = self.bottleneck.val().dtype();
        let spread = |weights: &Option<Param<Tensor<B, 3>>>| {
            let weights = match weights {
                // Added to zeros, since an expanded view is no parameter to update in place.
                Some(weights) => Tensor::zeros(shape, (&device, dtype)) + weights.val().detach(),
                None => Tensor::zeros(shape, (&device, dtype)),
            };
            Some(Param::from_tensor(weights))
        };
        Ok(Self {
            peephole_input: spread(&self.peephole_input),
            peephole_forget: spread(&self.peephole_forget),
            peephole_output: spread(&self.peephole_output),
            config,
            ..self
        })
    }

    /// The same cell in the TensorFlow code's form: [`Depthwise::InputAndHidden`] and a gate bias.
    /// Activations, forget bias, clip and groups stay what they are.
    ///
    /// A cell with [`Depthwise::Input`] gets a kernel that changes nothing (one in the middle) for
    /// each hidden channel, and its depthwise bias moves behind the pointwise convolution:
    /// `bias_y' = PW_y[:, :Ci] bias_x + bias_y`. That is exact at the borders too, since the bias
    /// is added after the depthwise convolution, to padded and inner positions alike. What changes
    /// are new parameters, which train.
    ///
    /// # Errors
    ///
    /// [`ConversionError::Peephole`] if the cell has peepholes, which that form lacks.
    pub fn try_into_tensorflow(self) -> Result<Self, ConversionError> {
        let config = self.config().clone();
        if config.peephole.is_some() {
            return Err(ConversionError::Peephole {
                expected: None,
                found: config.peephole,
            });
        }
        let device = self.bottleneck.val().device();
        let dtype = self.bottleneck.val().dtype();
        let (input, hidden, k) = (
            config.input_channels,
            config.hidden_channels,
            config.kernel_size,
        );
        let converted = BottleneckLstmConfig {
            depthwise: Depthwise::InputAndHidden,
            gate_bias: true,
            ..config
        };
        let zeros = || Param::from_tensor(Tensor::zeros([4 * hidden], (&device, dtype)));
        let gates_bias = self.gates_bias.clone().or_else(|| Some(zeros()));
        let Some(bias) = &self.depthwise_bias else {
            return Ok(Self {
                gates_bias,
                config: converted,
                ..self
            });
        };

        let middle = [0..hidden, 0..1, k / 2..k / 2 + 1, k / 2..k / 2 + 1];
        let delta = Tensor::zeros([hidden, 1, k, k], (&device, dtype))
            .slice_assign(middle, Tensor::ones([hidden, 1, 1, 1], (&device, dtype)));
        let depthwise = Tensor::cat(vec![self.depthwise.val().detach(), delta], 0);
        let over_input = self
            .bottleneck
            .val()
            .detach()
            .narrow(1, 0, input)
            .reshape([hidden, input]);
        let moved = over_input
            .matmul(bias.val().detach().unsqueeze_dim(1))
            .squeeze_dim::<1>(1);
        let bottleneck_bias = self.bottleneck_bias.val().detach() + moved;
        Ok(Self {
            depthwise: Param::from_tensor(depthwise),
            depthwise_bias: None,
            bottleneck_bias: Param::from_tensor(bottleneck_bias),
            gates_bias,
            config: converted,
            ..self
        })
    }
}
