//! The detector without a memory and with one, side by side.

use std::time::Instant;

use burn_flex::Flex;
use lstm_ssd::detection::{Detection, Postprocess};
use lstm_ssd::smoothing::Smoother;
use lstm_ssd::{Detector, Picture};
use video_demo_app::{
    Channels, Found, Heat, Look, NetworkCard, Place, Quantity, Times, Verdict, View,
};

use super::heat::heat;
use super::memory::Memory;
use crate::networks::{Memory as Saved, NetworkError, Networks};

/// The least score that is shown.
const SHOWN: f32 = 0.3;

/// The detector without a memory and with one.
pub(super) struct SideBySide {
    detector: Detector<Flex>,
    memory: Option<Smoothed>,
    /// The class that heat maps are of.
    class: usize,
    is_timed: bool,
}

/// A memory that makes something else of what the detector sees.
#[derive(Clone)]
struct Smoothed {
    name: String,
    smoother: Smoother,
    age: u64,
}

impl SideBySide {
    /// The detector, and beside it the same one with this memory, if it is one.
    ///
    /// # Errors
    ///
    /// If a number of the memory is out of its range.
    pub fn new(
        detector: Detector<Flex>,
        memory: &Memory,
        class: usize,
        is_timed: bool,
    ) -> Result<Self, NetworkError> {
        let postprocess = Postprocess {
            min_score: super::detectors::MIN_SCORE,
            ..Postprocess::default()
        };
        let memory = match memory {
            Memory::None => None,
            Memory::Smoothing(smoothing) => Some(Smoothed {
                name: smoothing.to_string(),
                smoother: Smoother::new(*smoothing, postprocess)
                    .map_err(|error| NetworkError::Weights(error.to_string()))?,
                age: 0,
            }),
        };
        Ok(Self {
            detector,
            memory,
            class,
            is_timed,
        })
    }

    fn heat(&self, look: Look) -> Option<Heat> {
        let priors = self.detector.config().priors();
        (look.quantity == Some(Quantity::Score))
            .then(|| heat(&priors, self.detector.logits(), self.class))
    }

    fn found(&self, detections: &[Detection]) -> Vec<Found> {
        let shown = detections.iter().filter(|seen| seen.score >= SHOWN);
        let found = shown.map(|seen| Found {
            label: self.detector.label(seen.class),
            score: Some(seen.score),
            place: Place {
                x: seen.bounds.xmin,
                y: seen.bounds.ymin,
                width: seen.bounds.width(),
                height: seen.bounds.height(),
            },
            verdict: Verdict::Unknown,
        });
        found.collect()
    }
}

impl Networks for SideBySide {
    fn cards(&self) -> Vec<NetworkCard> {
        let cost = self.detector.config().cost();
        let card = |name: &str| NetworkCard {
            name: name.to_owned(),
            parameters: cost.params,
            macs: cost.macs,
            channels: None,
        };
        let memory = self.memory.iter().map(|memory| card(&memory.name));
        std::iter::once(card("no memory")).chain(memory).collect()
    }

    fn quantities(&self) -> Vec<Quantity> {
        vec![Quantity::Score]
    }

    fn look(
        &mut self,
        picture: &video_demo_app::Picture,
        look: Look,
    ) -> Result<Vec<View>, NetworkError> {
        let start = Instant::now();
        let detections = self.detector.detect(&rgb(picture)?);
        let detecting = start.elapsed().as_secs_f64();
        let times = |recurrent| Times {
            encode: detecting,
            recurrent,
            head: 0.0,
        };
        let heat = self.heat(look);
        let view = |found, recurrent, age| View {
            found,
            tally: None,
            heat: heat.clone(),
            times: self.is_timed.then(|| times(recurrent)),
            age,
        };
        let mut views = vec![view(self.found(&detections), 0.0, None)];
        let remembered = self.memory.as_mut().map(|memory| {
            let start = Instant::now();
            memory.age += 1;
            let detections = memory.smoother.next(detections);
            (detections, start.elapsed().as_secs_f64(), memory.age)
        });
        if let Some((detections, recurrent, age)) = remembered {
            views.push(view(self.found(&detections), recurrent, Some(age)));
        }
        Ok(views)
    }

    fn look_again(&mut self, look: Look) -> Result<Vec<Option<Heat>>, NetworkError> {
        let heat = self.heat(look);
        let views = 1 + usize::from(self.memory.is_some());
        Ok(vec![heat; views])
    }

    fn reset(&mut self) {
        if let Some(memory) = &mut self.memory {
            memory.smoother.reset();
            memory.age = 0;
        }
    }

    fn memory(&self) -> Result<Saved, NetworkError> {
        Ok(Saved::new(self.memory.clone()))
    }

    fn set_memory(&mut self, memory: &Saved) -> Result<(), NetworkError> {
        let saved: &Option<Smoothed> = memory.get().ok_or(NetworkError::Memory)?;
        self.memory.clone_from(saved);
        Ok(())
    }
}

/// A picture of the app as the detector takes it.
fn rgb(picture: &video_demo_app::Picture) -> Result<Picture, NetworkError> {
    let [width, height] = picture.size();
    let pixels = match picture.channels() {
        Channels::Rgb => picture.bytes().to_vec(),
        Channels::Grey => picture.bytes().iter().flat_map(|grey| [*grey; 3]).collect(),
    };
    Picture::new(width, height, pixels)
        .ok_or_else(|| NetworkError::Failed("the picture has no pixels".to_owned()))
}
