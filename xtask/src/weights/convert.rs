//! From TFLite's order and layouts to the names and layouts that `lstm-ssd` loads.

use std::borrow::Cow;
use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use safetensors::{Dtype, View};

use super::tflite::{Convolution, HalfTensor, Network};

/// Writes the convolutions of the detector as a safetensors file: weights `[out, in, height, width]`,
/// of a depthwise one `[channels, 1, height, width]`, in half precision as they are.
pub fn to_safetensors(network: &Network) -> Result<Vec<u8>> {
    let names = names();
    let found = network.convolutions.len();
    ensure!(
        found == names.len(),
        "expected {} convolutions, found {found}",
        names.len()
    );
    let mut tensors = Vec::new();
    for (name, convolution) in names.iter().zip(&network.convolutions) {
        ensure!(
            convolution.depthwise == name.ends_with(".depthwise"),
            "{name}: expected a convolution of the other kind"
        );
        let weight = weight(convolution).with_context(|| name.clone())?;
        let bias = &convolution.bias;
        ensure!(
            bias.shape == weight.shape[..1],
            "{name}: expected a bias of shape {:?}, found {:?}",
            &weight.shape[..1],
            bias.shape
        );
        tensors.push((format!("{name}.weight"), Stored(Cow::Owned(weight))));
        tensors.push((format!("{name}.bias"), Stored(Cow::Borrowed(bias))));
    }
    Ok(safetensors::serialize(tensors, Some(about()))?)
}

/// Where the weights are from. One key, since several would be written in an order of chance, and
/// no hash could be told.
pub fn about() -> HashMap<String, String> {
    let about = format!("npm {}, Apache-2.0", super::package::NAME);
    HashMap::from([("source".to_owned(), about)])
}

/// The names of the convolutions, in the order in which the file runs them.
fn names() -> Vec<String> {
    let mut names = vec!["backbone.conv0".to_owned()];
    let heads = |index: usize| ["box", "cls"].map(|kind| format!("heads.{index}.{kind}"));
    for block in 0..=16 {
        let name = |part| format!("backbone.block{block}.{part}");
        if block > 0 {
            names.push(name("expand"));
        }
        if block == 13 {
            names.extend(heads(0));
        }
        names.extend([name("depthwise"), name("project")]);
    }
    names.push("backbone.conv1".to_owned());
    names.extend(heads(1));
    for extra in 0..4 {
        names.extend(["reduce", "conv"].map(|part| format!("extras.{extra}.{part}")));
        names.extend(heads(extra + 2));
    }
    names
}

/// Weights with channels first.
fn weight(convolution: &Convolution) -> Result<HalfTensor> {
    let HalfTensor { shape, bytes } = &convolution.weight;
    let [a, height, width, d] = shape[..] else {
        anyhow::bail!("expected weights of four dimensions, found {shape:?}");
    };
    // In the depthwise case the one before the kernel is 1, and what comes behind it are channels.
    let (outputs, inputs) = if convolution.depthwise {
        (d, a)
    } else {
        (a, d)
    };
    ensure!(
        !convolution.depthwise || inputs == 1,
        "expected depthwise weights [1, height, width, channels], found {shape:?}"
    );
    let mut moved = Vec::with_capacity(bytes.len());
    for output in 0..outputs {
        for input in 0..inputs {
            for position in 0..height * width {
                let element = if convolution.depthwise {
                    position * outputs + output
                } else {
                    (output * height * width + position) * inputs + input
                };
                moved.extend(&bytes[2 * element..2 * element + 2]);
            }
        }
    }
    Ok(HalfTensor {
        shape: vec![outputs, inputs, height, width],
        bytes: moved,
    })
}

struct Stored<'a>(Cow<'a, HalfTensor>);

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F16
    }

    fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.0.bytes)
    }

    fn data_len(&self) -> usize {
        self.0.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(shape: &[usize], values: impl IntoIterator<Item = u8>) -> HalfTensor {
        HalfTensor {
            shape: shape.to_vec(),
            bytes: values.into_iter().flat_map(|value| [value, 100]).collect(),
        }
    }

    fn values(tensor: &HalfTensor) -> Vec<u8> {
        tensor.bytes.iter().step_by(2).copied().collect()
    }

    #[test]
    fn channels_come_first() {
        // Output 0: positions 0 and 1 of inputs 0, 1, 2; then output 1.
        let convolution = Convolution {
            depthwise: false,
            weight: half(&[2, 1, 2, 3], 0..12),
            bias: half(&[2], 0..2),
        };
        let weight = weight(&convolution).unwrap();
        assert_eq!(weight.shape, [2, 3, 1, 2]);
        assert_eq!(values(&weight), [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
    }

    #[test]
    fn channels_of_a_depthwise_convolution_come_first_too() {
        let convolution = Convolution {
            depthwise: true,
            weight: half(&[1, 2, 2, 3], 0..12),
            bias: half(&[3], 0..3),
        };
        let weight = weight(&convolution).unwrap();
        assert_eq!(weight.shape, [3, 1, 2, 2]);
        assert_eq!(values(&weight), [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
    }

    #[test]
    fn another_network_is_refused() {
        let network = Network {
            convolutions: Vec::new(),
        };
        let error = to_safetensors(&network).unwrap_err();
        assert_eq!(error.to_string(), "expected 72 convolutions, found 0");
    }
}
