//! What of a clip is kept to learn from: cuts of its frames, or the detector's maps of them.

use bottleneck_lstm_ndarray::CpuRunner;
use burn::tensor::{Tensor, TensorData};
use burn_flex::Flex;

use super::TrainingError;
use super::attention::paint;
use super::clip::{Clip, FRAMES};
use super::footage::Source;
use super::frame_loss::PATCH;
use super::random::{Purpose, Random};
use super::teacher::{Sight, Teacher};
use crate::Picture;
use crate::detection::BoundingBox;
use crate::network::{COLOURS, FrameMemory, FrameRunner, patches_of};

/// What is kept of the frames of clips.
#[derive(Debug, Clone, Copy)]
pub enum View<'a> {
    /// A square cut of the frames themselves as maps of patches, around something that is to be seen. A
    /// [`FrameMemory`] learns from it.
    Frames,
    /// The map behind block 12. A [`Memory`](crate::network::Memory) learns from it.
    Maps {
        /// What repairs the frames that are shown before the detector sees them. What they should be is undamaged, and
        /// not repaired.
        frame: Option<&'a FrameMemory<Flex>>,
    },
}

/// The side of a cut, in patches, where frames are as large.
const SIDE: usize = 36;

/// How much a place counts where there is nothing to be seen when a cut's is drawn, and how far from the place its middle
/// may lie, as a part of its side.
const UNSEEN: f64 = 0.03;
const AROUND: f64 = 0.33;

/// The grid on which the place of a cut is drawn.
const GRID: [usize; 2] = [19, 19];

impl View<'_> {
    /// What tells the view from others: a frame memory by its weights.
    pub(super) fn identity(&self) -> String {
        match self {
            Self::Frames => "frames".into(),
            Self::Maps { frame: None } => "maps".into(),
            Self::Maps { frame: Some(frame) } => format!("maps behind {}", frame.digest()),
        }
    }

    /// Channels, height and width of what is kept of a frame of `input`, whose map is `trunk`.
    pub(super) fn shape(&self, input: [usize; 2], trunk: [usize; 3]) -> [usize; 3] {
        let [height, width] = input.map(|side| (side / PATCH).min(SIDE));
        match self {
            Self::Frames => [COLOURS * PATCH * PATCH, height, width],
            Self::Maps { .. } => trunk,
        }
    }

    /// Whether undamaged frames are shown as something else than they should be.
    pub(super) fn repairs(&self) -> bool {
        matches!(self, Self::Maps { frame: Some(_) })
    }
}

/// Makes what is kept of clips.
pub(super) struct Viewer<'a> {
    view: View<'a>,
    teacher: Teacher,
    /// What repairs the frames that are shown.
    repair: Option<FrameRunner>,
    class: Option<usize>,
    input: [usize; 2],
    /// Channels, height and width of what is kept.
    shape: [usize; 3],
    /// Values of box codes and scores that are kept.
    heads: [usize; 2],
}

impl<'a> Viewer<'a> {
    pub fn new(
        view: View<'a>,
        teacher: Teacher,
        class: Option<usize>,
        input: [usize; 2],
        shape: [usize; 3],
        [priors, classes]: [usize; 2],
    ) -> Result<Self, TrainingError> {
        let repair = match view {
            View::Maps { frame: Some(frame) } => {
                let cpu = CpuRunner::new().with_threads(1);
                Some(FrameRunner::new(frame, input, &cpu)?)
            }
            _ => None,
        };
        Ok(Self {
            view,
            teacher,
            repair,
            class,
            input,
            shape,
            heads: [priors * 4, priors * classes],
        })
    }

    /// The values of clip `number`'s file, of the source's frames.
    pub fn content(
        &mut self,
        seed: u64,
        number: usize,
        clip: &Clip,
        frames: &[impl AsRef<Picture>],
        source: &Source,
    ) -> Result<Vec<f32>, TrainingError> {
        let pictures = clip.shoot(frames);
        let mut maps = Vec::with_capacity(FRAMES);
        let mut sights = Vec::with_capacity(FRAMES);
        for (index, picture) in pictures.iter().enumerate() {
            let map = self.teacher.map(picture)?.to_vec();
            sights.push(self.look(clip, index, &map, source)?);
            maps.push(map);
        }
        let boxes: Vec<_> = sights
            .iter()
            .map(|sight| self.teacher.boxes(sight))
            .collect();
        match self.view {
            View::Maps { .. } => self.maps(clip, &pictures, maps, &sights, &boxes),
            View::Frames => {
                let random = &mut Random::new(seed, Purpose::Cut, number as u64);
                Ok(self.frames(random, clip, &pictures, &boxes))
            }
        }
    }

    /// What is seen in an undamaged frame, or is really there.
    fn look(
        &mut self,
        clip: &Clip,
        index: usize,
        map: &[f32],
        source: &Source,
    ) -> Result<Sight, TrainingError> {
        let mut sight = self.teacher.look(map)?;
        if let (Some(truth), Some(class)) = (&source.truth, self.class) {
            let objects = truth.frame(clip.frames[index] + 1).iter();
            let objects = objects.filter(|object| !object.ignored);
            let objects: Vec<_> = objects
                .map(|object| clip.see(&object.bounds, index))
                .collect();
            self.teacher.correct(&mut sight, class, &objects);
        }
        Ok(sight)
    }

    fn maps(
        &mut self,
        clip: &Clip,
        pictures: &[Picture],
        maps: Vec<Vec<f32>>,
        sights: &[Sight],
        boxes: &[Vec<(BoundingBox, f32)>],
    ) -> Result<Vec<f32>, TrainingError> {
        let mut values = maps.concat();
        for copy in clip.damage(pictures) {
            self.show(&copy, pictures, &maps, &mut values)?;
        }
        if self.repair.is_some() {
            self.show(pictures, pictures, &maps, &mut values)?;
        }
        let [_, height, width] = self.shape;
        for boxes in boxes {
            values.extend(paint(boxes, [height, width]));
        }
        let [codes, scores] = self.heads;
        for sight in sights {
            values.extend(&sight.codes[..codes]);
        }
        for sight in sights {
            values.extend(&sight.scores[..scores]);
        }
        Ok(values)
    }

    /// Adds the maps of frames as they are shown, of which those of undamaged ones are known.
    fn show(
        &mut self,
        shown: &[Picture],
        pictures: &[Picture],
        maps: &[Vec<f32>],
        values: &mut Vec<f32>,
    ) -> Result<(), TrainingError> {
        let Some(repair) = &mut self.repair else {
            for ((shown, picture), map) in shown.iter().zip(pictures).zip(maps) {
                match shown == picture {
                    true => values.extend(map),
                    false => values.extend(self.teacher.map(shown)?),
                }
            }
            return Ok(());
        };
        repair.reset();
        let [height, width] = self.input;
        for shown in shown {
            let planes = shown.resize(width, height).to_planes();
            values.extend(self.teacher.map_of(repair.step(&planes))?);
        }
        Ok(())
    }

    fn frames(
        &self,
        random: &mut Random,
        clip: &Clip,
        pictures: &[Picture],
        boxes: &[Vec<(BoundingBox, f32)>],
    ) -> Vec<f32> {
        let [_, rows, columns] = self.shape;
        let [height, width] = self.input;
        let size = [rows * PATCH, columns * PATCH];
        let [top, left] = place(random, boxes, self.input, size);
        let mut values = Vec::new();
        let mut add = |picture: &Picture| {
            let planes = picture.resize(width, height).to_planes();
            let lines = planes.chunks_exact(height * width).flat_map(|plane| {
                let lines = plane.chunks_exact(width).skip(top).take(size[0]);
                lines.flat_map(|line| &line[left..][..size[1]])
            });
            let cut = TensorData::new(lines.copied().collect(), [1, COLOURS, size[0], size[1]]);
            let cut = Tensor::<Flex, 4>::from_data(cut, &Default::default());
            let patches = patches_of(cut, PATCH).into_data();
            values.extend(patches.iter::<f32>());
        };
        pictures.iter().for_each(&mut add);
        for copy in clip.damage(pictures) {
            copy.iter().for_each(&mut add);
        }
        // As fractions of the cut.
        let within = |value: f32, start: usize, whole: usize, part: usize| {
            (value * whole as f32 - start as f32) / part as f32
        };
        for boxes in boxes {
            let boxes: Vec<_> = boxes
                .iter()
                .map(|(bounds, worth)| {
                    let bounds = BoundingBox::new(
                        within(bounds.ymin, top, height, size[0]),
                        within(bounds.xmin, left, width, size[1]),
                        within(bounds.ymax, top, height, size[0]),
                        within(bounds.xmax, left, width, size[1]),
                    );
                    (bounds, *worth)
                })
                .collect();
            values.extend(paint(&boxes, [rows, columns]));
        }
        values
    }

    /// What is kept of a black frame.
    pub fn black(&mut self) -> Result<Vec<f32>, TrainingError> {
        let [height, width] = self.input;
        let black = vec![-1.0; COLOURS * height * width];
        match self.view {
            View::Frames => Ok(vec![-1.0; self.shape.iter().product()]),
            View::Maps { .. } => Ok(self.teacher.map_of(&black)?.to_vec()),
        }
    }
}

/// The upper left corner of a cut of `size`: mostly around something that is to be seen.
fn place(
    random: &mut Random,
    boxes: &[Vec<(BoundingBox, f32)>],
    input: [usize; 2],
    size: [usize; 2],
) -> [usize; 2] {
    let mut weights = vec![UNSEEN; GRID[0] * GRID[1]];
    for boxes in boxes {
        for (weight, seen) in weights.iter_mut().zip(paint(boxes, GRID)) {
            *weight += f64::from(seen) / FRAMES as f64;
        }
    }
    let cell = random.weighted(&weights).unwrap_or(0);
    let middle = [cell / GRID[1], cell % GRID[1]];
    core::array::from_fn(|axis| {
        let (whole, part) = (input[axis] as f64, size[axis] as f64);
        let middle = (middle[axis] as f64 + 0.5) / GRID[axis] as f64 * whole;
        let start = middle - part / 2.0 + part * random.between(-AROUND, AROUND);
        start.clamp(0.0, whole - part) as usize
    })
}
