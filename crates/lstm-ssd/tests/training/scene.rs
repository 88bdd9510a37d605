//! Videos and a detector, out of nothing.

use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use lstm_ssd::network::{MobileNetV2Ssd, MobileNetV2SsdConfig, Normalization};

/// Pseudo-random numbers, uniform with deviation 1 (Marsaglia, *Xorshift RNGs*, 2003).
struct Numbers(u32);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        (self.0 as f32 / u32::MAX as f32 - 0.5) * 12_f32.sqrt()
    }
}

impl<B: Backend> ModuleMapper<B> for Numbers {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        param.map(|tensor| {
            let shape = tensor.dims();
            let inputs: usize = shape[1..].iter().product();
            let deviation = match D {
                4 => (2.0 / inputs as f32).sqrt(),
                _ => 0.1,
            };
            let count = shape.iter().product();
            let values: Vec<f32> = (0..count).map(|_| deviation * self.next()).collect();
            let data = TensorData::new(values, shape);
            Tensor::from_data(data, &tensor.device()).set_require_grad(tensor.is_require_grad())
        })
    }
}

/// A detector of 64 by 64 pixels and three classes. Its weights are always the same.
pub fn detector<B: Backend>() -> MobileNetV2Ssd<B> {
    MobileNetV2SsdConfig::new(3)
        .with_input([64, 64])
        .with_normalization(Normalization::Bias)
        .init::<B>(&Default::default())
        .map(&mut Numbers(2_463_534_242))
}

/// A video of 40 frames of 96 by 72 pixels: a bright disc goes over stripes.
pub fn video(folder: &Path) -> PathBuf {
    let mut content = b"YUV4MPEG2 W96 H72 Cmono\n".to_vec();
    for frame in 0..40_i32 {
        content.extend(b"FRAME\n");
        for y in 0..72_i32 {
            for x in 0..96_i32 {
                let disc = (x - 2 * frame).pow(2) + (y - 36).pow(2) < 200;
                let stripes = 40 + 60 * ((x / 12 + y / 18) % 2);
                content.push(if disc { 230 } else { stripes as u8 });
            }
        }
    }
    let path = folder.join("disc.y4m");
    std::fs::write(&path, content).unwrap();
    path
}
