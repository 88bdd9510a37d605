//! Videos of a fixed length, damaged and with the truth beside them, and batches of them.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use crate::damage::{Bursts, Damage};
use crate::digits::{Digits, Split};
use crate::frame::{Frame, SIDE};
use crate::video::{DIGITS, MAP, Object, Video};

/// A video of fixed length.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// What a network gets to see.
    pub frames: Vec<Frame>,
    /// What is to be seen in each frame.
    pub truth: Vec<[Object; DIGITS]>,
    /// How each frame is damaged.
    pub damage: Vec<Option<Damage>>,
}

/// A source of clips: number `index` is the same in every process.
#[derive(Debug, Clone, Copy)]
pub struct Clips<'a> {
    /// The digits that move.
    pub digits: &'a Digits,
    /// Those of them that may.
    pub split: Split,
    /// What the clips are derived from.
    pub seed: u64,
    /// The length of a clip.
    pub frames: usize,
}

impl Clips<'_> {
    /// Clip number `index`.
    pub fn get(&self, index: u64) -> Clip {
        let mut bursts = Bursts::new(self.seed, index);
        let mut clip = Clip {
            frames: Vec::new(),
            truth: Vec::new(),
            damage: Vec::new(),
        };
        let video = Video::new(self.digits, self.split, self.seed, index);
        for (mut frame, objects) in video.take(self.frames) {
            clip.damage.push(bursts.apply(&mut frame));
            clip.frames.push(frame);
            clip.truth.push(objects);
        }
        clip
    }

    /// The clips numbered by `indices`.
    pub fn batch(&self, indices: std::ops::Range<u64>) -> Vec<Clip> {
        indices.map(|index| self.get(index)).collect()
    }
}

/// The pixels of `frames` of every clip, `[batch, time, 1, height, width]`.
pub fn pixels<B: Backend>(
    clips: &[Clip],
    frames: std::ops::Range<usize>,
    device: &B::Device,
) -> Tensor<B, 5> {
    let mut values = Vec::with_capacity(clips.len() * frames.len() * SIDE * SIDE);
    for frame in clips.iter().flat_map(|clip| &clip.frames[frames.clone()]) {
        values.extend_from_slice(frame.pixels());
    }
    let shape = [clips.len(), frames.len(), 1, SIDE, SIDE];
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// What a network should say about `frames` of every clip, `[batch, time, row, column]`: 0 where
/// no digit has its centre, else the digit plus one.
pub fn targets<B: Backend>(
    clips: &[Clip],
    frames: std::ops::Range<usize>,
    device: &B::Device,
) -> Tensor<B, 4, Int> {
    let mut values = Vec::with_capacity(clips.len() * frames.len() * MAP * MAP);
    for objects in clips.iter().flat_map(|clip| &clip.truth[frames.clone()]) {
        let mut map = [0_i32; MAP * MAP];
        for object in objects {
            let [row, column] = object.cell();
            map[row * MAP + column] = i32::from(object.class) + 1;
        }
        values.extend(map);
    }
    let shape = [clips.len(), frames.len(), MAP, MAP];
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[cfg(test)]
mod tests {
    use burn_flex::Flex;

    use super::*;

    #[test]
    fn a_clip_is_the_same_alone_and_in_a_batch() {
        let digits = Digits::embedded().unwrap();
        let clips = Clips {
            digits: &digits,
            split: Split::Train,
            seed: 5,
            frames: 12,
        };
        let batch = clips.batch(3..6);
        assert!(batch[1] == clips.get(4));
        assert!(batch[0] != batch[1]);
        // A longer clip begins as a shorter one.
        let longer = Clips {
            frames: 20,
            ..clips
        }
        .get(4);
        assert!(longer.frames[..12] == batch[1].frames);
    }

    #[test]
    fn tensors_hold_the_frames_and_the_cells_of_the_centres() {
        let digits = Digits::embedded().unwrap();
        let clips = Clips {
            digits: &digits,
            split: Split::Train,
            seed: 5,
            frames: 6,
        }
        .batch(0..2);
        let device = Default::default();

        let pixels = pixels::<Flex>(&clips, 2..5, &device);
        assert_eq!(pixels.dims(), [2, 3, 1, SIDE, SIDE]);
        let second = pixels
            .slice([1..2, 1..2])
            .into_data()
            .to_vec::<f32>()
            .unwrap();
        assert_eq!(second, clips[1].frames[3].pixels());

        let targets = targets::<Flex>(&clips, 2..5, &device);
        assert_eq!(targets.dims(), [2, 3, MAP, MAP]);
        let map: Vec<i64> = targets
            .slice([1..2, 1..2])
            .into_data()
            .convert::<i64>()
            .to_vec()
            .unwrap();
        let last = clips[1].truth[3][1];
        let [row, column] = last.cell();
        assert_eq!(map[row * MAP + column], i64::from(last.class) + 1);
        let digits = map.iter().filter(|class| **class > 0).count();
        assert!((1..=DIGITS).contains(&digits));
    }
}
