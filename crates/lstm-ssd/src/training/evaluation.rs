//! What a memory is worth on clips that it did not learn from.

use bottleneck_lstm::CellRunner;
use burn::tensor::backend::Backend;
use burn::tensor::{ElementConversion, Tensor, TensorData};

use super::TrainingError;
use super::clip::FRAMES;
use super::loss::feature_loss;
use super::maps::{Maps, Part};
use super::student::Student;

/// The mean loss of features, or of the pixels of frames, over all damaged copies of clips, each from a fresh memory on:
/// as they are shown, and of what a part of a memory makes of them.
///
/// # Errors
///
/// If the maps cannot be read, or are none that the memory takes.
pub fn evaluate<B: Backend, R: CellRunner<B>, S: Student<B>>(
    memory: &S,
    maps: &Maps,
    runner: &R,
    device: &B::Device,
) -> Result<[f64; 2], TrainingError> {
    let [channels, height, width] = maps.map();
    let flat = [FRAMES, channels, height, width];
    let scale = Tensor::<B, 1>::from_floats(maps.scale(), device);
    let read = |clip: usize, part: Part| -> Result<Tensor<B, 4>, TrainingError> {
        let data = TensorData::new(maps.read(clip, part)?, flat);
        Ok(Tensor::from_data(data, device))
    };
    let mut sums = [0.0; 2];
    for clip in 0..maps.clips() {
        let truth = read(clip, Part::Clean)?;
        let attention = maps.read(clip, Part::Attention)?;
        let attention = TensorData::new(attention, [FRAMES, height, width]);
        let attention = Tensor::<B, 3>::from_data(attention, device);
        for copy in 0..maps.config().copies {
            let shown = read(clip, Part::Copy(copy))?;
            let (made, _) = memory.repair(runner, shown.clone().unsqueeze_dim(0), None)?;
            for (sum, maps) in sums.iter_mut().zip([shown, made.squeeze_dim(0)]) {
                let loss = feature_loss(maps, truth.clone(), attention.clone(), scale.clone());
                *sum += loss.mean().into_scalar().elem::<f64>();
            }
        }
    }
    let count = (maps.clips() * maps.config().copies) as f64;
    Ok(sums.map(|sum| sum / count))
}
