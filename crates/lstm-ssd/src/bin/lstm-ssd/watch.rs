//! Watching a video: its frames damaged, a detector's look at them, and what a memory makes of that.

use anyhow::Result;
use burn::tensor::backend::Backend;
use lstm_ssd::cuts::Cuts;
use lstm_ssd::damage::{Damage, Damager};
use lstm_ssd::detection::Detection;
use lstm_ssd::smoothing::Smoother;
use lstm_ssd::{Detector, Picture};

use crate::cli::Input;
use crate::memory::Memory;

/// A detector that watches a video from its first frame on.
pub struct Watch<'a, B: Backend> {
    detector: &'a mut Detector<B>,
    damager: Option<Damager>,
    smoother: Option<Smoother>,
    /// Where it is to forget all.
    cuts: Option<Cuts>,
    every: usize,
}

impl<'a, B: Backend> Watch<'a, B> {
    /// Before the first frame of a video, which is to be damaged from a seed, or to stay as it is.
    pub fn new(
        input: &Input,
        detector: &'a mut Detector<B>,
        damage: Option<(Damage, u64)>,
    ) -> Result<Self> {
        detector.reset();
        let smoother = match input.memory {
            Memory::Smoothing(smoothing) => Some(Smoother::new(smoothing, input.postprocess())?),
            // None, or one that is in the detector.
            _ => None,
        };
        Ok(Self {
            detector,
            damager: damage.map(|(damage, seed)| Damager::new(damage, seed)),
            smoother,
            cuts: input.cuts.then(Cuts::default),
            every: input.every as usize,
        })
    }

    /// What there is in the next frame, the `number`th from 1, and the frame as the detector saw it. None for a
    /// frame that is not asked for; the memory sees it all the same.
    pub fn look(&mut self, number: usize, picture: Picture) -> Option<(Picture, Vec<Detection>)> {
        let asked = (number - 1).is_multiple_of(self.every);
        let picture = match &mut self.damager {
            Some(damager) => damager.damage(picture),
            None => picture,
        };
        let remembers = self.smoother.is_some() || self.detector.memory().is_some();
        if !asked && !remembers {
            return None;
        }
        if let Some(cuts) = &mut self.cuts
            && cuts.is_after(&picture)
        {
            self.detector.reset();
            if let Some(smoother) = &mut self.smoother {
                smoother.reset();
            }
        }
        let mut detections = self.detector.detect(&picture);
        if let Some(smoother) = &mut self.smoother {
            detections = smoother.next(detections);
        }
        asked.then_some((picture, detections))
    }

    /// The name of a class.
    pub fn label(&self, class: usize) -> String {
        self.detector.label(class)
    }
}
