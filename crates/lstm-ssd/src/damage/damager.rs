//! Damages a video, a picture at a time.

use crate::Picture;

use super::random::Draws;
use super::{Damage, Kind, bitrate, blur, noise, occlusion};

/// Damages the pictures of a video, one after the other.
///
/// What is done to a picture depends on damage, seed and the picture's number alone, unless pictures freeze.
#[derive(Debug, Clone)]
pub struct Damager {
    damage: Damage,
    seed: u64,
    /// The number of the next picture, from 0.
    frame: u64,
    /// The picture shown last, where one may be shown again.
    shown: Option<Picture>,
}

impl Damager {
    /// Before the first picture of a video. Another seed damages other pictures, or in other places.
    pub fn new(damage: Damage, seed: u64) -> Self {
        Self {
            damage,
            seed,
            frame: 0,
            shown: None,
        }
    }

    /// Before the picture numbered `frame`, from 0, of a video that nobody watched up to it: no picture of before is
    /// shown again.
    pub fn at(damage: Damage, seed: u64, frame: u64) -> Self {
        Self {
            frame,
            ..Self::new(damage, seed)
        }
    }

    /// The next picture of the video, damaged. It has the size of the one before.
    pub fn damage(&mut self, mut picture: Picture) -> Picture {
        let (kind, severity) = (self.damage.kind(), self.damage.severity());
        let draws = Draws::new(self.seed, kind as u64, self.frame);
        let strikes = self.frame > 0 && draws.uniform(0) < severity as f32;
        self.frame += 1;
        match kind {
            Kind::MotionBlur => blur::shake(&mut picture, severity as u64, &draws),
            Kind::Noise => noise::noise(&mut picture, severity as f32, &draws),
            Kind::Occlusion => occlusion::occlude(&mut picture, severity as f32, &draws),
            Kind::Drop if strikes => picture.pixels_mut().fill(0),
            Kind::Drop => {}
            Kind::Freeze => return self.freeze(picture, strikes),
            Kind::Dark => noise::dark(&mut picture, severity as f32, &draws),
            Kind::Bitrate => bitrate::quantise(&mut picture, severity as f32),
        }
        picture
    }

    /// Begins again, with the first picture of another video.
    pub fn reset(&mut self) {
        self.frame = 0;
        self.shown = None;
    }

    fn freeze(&mut self, picture: Picture, strikes: bool) -> Picture {
        if !strikes {
            self.shown = None;
        }
        self.shown.get_or_insert(picture).clone()
    }
}
