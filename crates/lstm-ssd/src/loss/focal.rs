//! The focal loss.

use burn::config::Config;
use burn::tensor::Tensor;
use burn::tensor::activation::{sigmoid, softplus};
use burn::tensor::backend::Backend;

/// Configuration of a [`FocalLoss`].
#[derive(Config, Debug, PartialEq)]
pub struct FocalLossConfig {
    /// The weight of what is there; that of what is not is the rest to 1.
    #[config(default = 0.25)]
    pub alpha: f64,
    /// How little what is right already counts. At 0 this is cross-entropy.
    #[config(default = 2.0)]
    pub gamma: f64,
}

impl FocalLossConfig {
    /// The loss of this configuration.
    pub fn init(&self) -> FocalLoss {
        FocalLoss {
            alpha: self.alpha,
            gamma: self.gamma,
        }
    }
}

/// The focal loss of logits, each class by itself (Lin et al., *Focal Loss for Dense Object
/// Detection*, 2017, equation 5): `-alpha_t (1 - p_t)^gamma ln(p_t)`.
///
/// ```
/// use burn::tensor::Tensor;
/// use burn_flex::Flex;
/// use lstm_ssd::loss::FocalLossConfig;
///
/// let device = Default::default();
/// let logits = Tensor::<Flex, 2>::from_floats([[0.0, 0.0]], &device);
/// let targets = Tensor::from_floats([[1.0, 0.0]], &device);
/// let loss: Vec<f32> = FocalLossConfig::new().init().forward(logits, targets).into_data().to_vec()?;
/// assert!((loss[0] - 0.25 * 0.25 * 2_f32.ln()).abs() < 1e-6);
/// # Ok::<_, burn::tensor::DataError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FocalLoss {
    alpha: f64,
    gamma: f64,
}

impl FocalLoss {
    /// The loss of each of `logits`, `[rows, classes]`, against `targets` of the same shape, 1 or
    /// 0, not reduced.
    pub fn forward<B: Backend>(&self, logits: Tensor<B, 2>, targets: Tensor<B, 2>) -> Tensor<B, 2> {
        // 1 where there is an object, -1 where there is none, so that p_t = sigmoid(sign * logit).
        let sign = targets.clone().mul_scalar(2.0).sub_scalar(1.0);
        let wrong = (sign * logits).neg();
        // ln(1 + exp(x)) is -ln(p_t), and stays finite.
        let entropy = softplus(wrong.clone(), 1.0);
        let weight = targets
            .mul_scalar(2.0 * self.alpha - 1.0)
            .add_scalar(1.0 - self.alpha);
        let modulation = if self.gamma == 2.0 {
            sigmoid(wrong).square()
        } else {
            sigmoid(wrong).powf_scalar(self.gamma)
        };
        weight * modulation * entropy
    }
}
