//! The detector without a memory and with one, side by side.

use std::time::Instant;

use burn_flex::Flex;
use lstm_ssd::detection::Detection;
use lstm_ssd::network::Cost;
use lstm_ssd::smoothing::Smoother;
use lstm_ssd::{Detector, Picture, Remembered};
use video_demo_app::{
    Channels, Found, Heat, Look, NetworkCard, Place, Quantity, Times, Verdict, View,
};

use super::heat::heat;
use crate::networks::{Memory as Saved, NetworkError, Networks};

/// The least score that is shown.
const SHOWN: f32 = 0.3;

/// The detector without a memory and with one.
pub(super) struct SideBySide {
    detector: Detector<Flex>,
    /// What it is called where it has no memory.
    alone: &'static str,
    beside: Option<Remembering>,
    /// The class that heat maps are of.
    class: usize,
    /// Frames that the memory goes back.
    age: u64,
    is_timed: bool,
}

/// What sees with a memory.
pub(super) enum Remembering {
    /// A memory that makes something else of what the detector sees.
    Smoothed {
        /// How it is written.
        name: String,
        /// The memory.
        smoother: Smoother,
    },
    /// A detector with a memory in it.
    Learned(Box<Detector<Flex>>),
}

impl Remembering {
    fn reset(&mut self) {
        match self {
            Self::Smoothed { smoother, .. } => smoother.reset(),
            Self::Learned(detector) => detector.reset(),
        }
    }
}

impl SideBySide {
    /// The detector, called `alone`, and what sees with a memory beside it, at the start of a video.
    pub fn new(
        detector: Detector<Flex>,
        alone: &'static str,
        beside: Option<Remembering>,
        class: usize,
        is_timed: bool,
    ) -> Self {
        Self {
            detector,
            alone,
            beside,
            class,
            age: 0,
            is_timed,
        }
    }

    /// The maps of both sides. A memory that works on what was found has the detector's.
    fn heats(&self, look: Look) -> Vec<Option<Heat>> {
        let beside = self.beside.as_ref().map(|beside| match beside {
            Remembering::Smoothed { .. } => &self.detector,
            Remembering::Learned(detector) => detector.as_ref(),
        });
        let heat = |detector: &Detector<Flex>| {
            let priors = detector.config().priors();
            (look.quantity == Some(Quantity::Score))
                .then(|| heat(&priors, detector.logits(), self.class))
        };
        let detectors = std::iter::once(&self.detector).chain(beside);
        detectors.map(heat).collect()
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
        let config = self.detector.config();
        let card = |name: &str, cost: Cost| NetworkCard {
            name: name.to_owned(),
            parameters: cost.params,
            macs: cost.macs,
            channels: None,
        };
        let beside = self.beside.iter().map(|beside| match beside {
            Remembering::Smoothed { name, .. } => card(name, config.cost()),
            Remembering::Learned(detector) => {
                let memory = detector.memory().map(|memory| memory.config());
                let parts = memory.iter().flat_map(|memory| {
                    let [_, height, width] = config.trunk();
                    let frame = memory.frame.as_ref();
                    let frame = frame.map(|frame| frame.cost(config.input));
                    frame.into_iter().chain([memory.cost([height, width])])
                });
                card("Bottleneck-LSTM", parts.chain([config.cost()]).sum())
            }
        });
        let alone = card(self.alone, config.cost());
        std::iter::once(alone).chain(beside).collect()
    }

    fn quantities(&self) -> Vec<Quantity> {
        vec![Quantity::Score]
    }

    fn look(
        &mut self,
        picture: &video_demo_app::Picture,
        look: Look,
    ) -> Result<Vec<View>, NetworkError> {
        let picture = rgb(picture)?;
        let start = Instant::now();
        let alone = self.detector.detect(&picture);
        let detecting = start.elapsed().as_secs_f64();
        let time = |encode, recurrent| Times {
            encode,
            recurrent,
            head: 0.0,
        };
        let start = Instant::now();
        let beside = self.beside.as_mut().map(|beside| match beside {
            Remembering::Smoothed { smoother, .. } => {
                let found = smoother.next(alone.clone());
                (found, time(detecting, start.elapsed().as_secs_f64()))
            }
            Remembering::Learned(detector) => {
                let found = detector.detect(&picture);
                (found, time(start.elapsed().as_secs_f64(), 0.0))
            }
        });
        self.age += 1;
        let sides = std::iter::once((alone, time(detecting, 0.0), None)).chain(
            beside
                .into_iter()
                .map(|(found, times)| (found, times, Some(self.age))),
        );
        let views = sides
            .zip(self.heats(look))
            .map(|((found, times, age), heat)| View {
                found: self.found(&found),
                tally: None,
                heat,
                times: self.is_timed.then_some(times),
                age,
            });
        Ok(views.collect())
    }

    fn look_again(&mut self, look: Look) -> Result<Vec<Option<Heat>>, NetworkError> {
        Ok(self.heats(look))
    }

    fn reset(&mut self) {
        if let Some(beside) = &mut self.beside {
            beside.reset();
        }
        self.age = 0;
    }

    fn memory(&self) -> Result<Saved, NetworkError> {
        let state = match &self.beside {
            None => State::None,
            Some(Remembering::Smoothed { smoother, .. }) => State::Smoothed(smoother.clone()),
            Some(Remembering::Learned(detector)) => State::Learned(Box::new(detector.remembered())),
        };
        Ok(Saved::new((state, self.age)))
    }

    fn set_memory(&mut self, memory: &Saved) -> Result<(), NetworkError> {
        let (state, age): &(State, u64) = memory.get().ok_or(NetworkError::Memory)?;
        match (&mut self.beside, state) {
            (None, State::None) => {}
            (Some(Remembering::Smoothed { smoother, .. }), State::Smoothed(saved)) => {
                smoother.clone_from(saved);
            }
            (Some(Remembering::Learned(detector)), State::Learned(saved)) => {
                let set = detector.go_on_from(saved);
                set.map_err(|_| NetworkError::Memory)?;
            }
            _ => return Err(NetworkError::Memory),
        }
        self.age = *age;
        Ok(())
    }
}

/// What is remembered at a moment.
enum State {
    None,
    Smoothed(Smoother),
    Learned(Box<Remembered<Flex>>),
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
