//! The source that needs nobody's footage: handwritten digits that drift and bounce, without end.

use std::sync::Arc;

use moving_digits::damage::Damage;
use moving_digits::detection::Detection;
use moving_digits::digits::{Digits, IdxError, Split};
use moving_digits::frame::{Frame, SIDE};
use moving_digits::random::{Purpose, rng};
use moving_digits::score::{WARM_UP, matches};
use moving_digits::video::{CELL, MAP, Object, SPRITE, Video};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt};
use video_demo_app::{
    Channels, Found, Knob, Picture, Place, SourceCard, Step, Tally, Unit, Verdict,
};

use crate::source::{Source, SourceError, Still};

/// Frames a second at first.
const RATE: f64 = 15.0;

/// Videos of a seed that nothing was trained on, chosen by or measured with.
const SEED: u64 = u64::MAX - 3;

/// Chance that damage ends with a frame, if not nearly all frames are damaged: it lasts three frames on average, as
/// in training.
const LEAVE: f64 = 1.0 / 3.0;

/// Blocks that may lie over a picture at most.
const BLOCKS: f32 = 12.0;

/// Digits that no network has trained on, and what spoils them.
pub struct MovingDigits {
    digits: Digits,
    video: Video,
    index: u64,
    number: u64,
    damaged: bool,
}

/// The knobs, in their order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Knobs {
    share: f64,
    blocks: usize,
    noise: f32,
    blank: f64,
}

impl Knobs {
    fn new(values: &[f32]) -> Self {
        let value = |index: usize| values.get(index).copied().unwrap_or(0.0);
        let share = |index: usize| value(index).clamp(0.0, 1.0);
        Self {
            share: share(0).into(),
            blocks: value(1).clamp(0.0, BLOCKS).round() as usize,
            noise: share(2),
            blank: share(3).into(),
        }
    }

    /// The kind of a damaged frame. Every draw is made, so that one knob does not move what another one does.
    fn kind(self, rng: &mut impl Rng) -> Option<Damage> {
        let blank = rng.random_bool(self.blank);
        let first = rng.random_bool(0.5);
        let occlusion = (self.blocks > 0).then_some(Damage::Occlusion {
            blocks: self.blocks,
        });
        let noise = (self.noise > 0.0).then_some(Damage::Noise {
            strength: self.noise,
        });
        match (blank, first) {
            (true, _) => Some(Damage::Blank),
            (false, true) => occlusion.or(noise),
            (false, false) => noise.or(occlusion),
        }
    }

    /// Chances that damage begins with a frame and that it ends with one.
    fn chances(self) -> [f64; 2] {
        let clean = 1.0 - self.share;
        if clean <= 0.0 {
            return [1.0, 0.0];
        }
        let leave = LEAVE.min(clean / self.share);
        [(leave * self.share / clean).min(1.0), leave]
    }
}

impl MovingDigits {
    /// The first video.
    ///
    /// # Errors
    ///
    /// If the embedded digits are not whole, which a test rules out.
    pub fn new() -> Result<Self, IdxError> {
        let digits = Digits::embedded()?;
        let video = Video::new(&digits, Split::Test, SEED, 0);
        Ok(Self {
            digits,
            video,
            index: 0,
            number: 0,
            damaged: false,
        })
    }

    /// The generator of a frame: the same whatever was done before.
    fn rng(&self) -> ChaCha8Rng {
        rng(SEED, Purpose::Damage, (self.index << 32) | self.number)
    }
}

impl Source for MovingDigits {
    fn card(&self) -> SourceCard {
        let knob = |name: &str, hint: &str, unit, max, step, default| Knob {
            key: name.to_owned(),
            name: name.to_owned(),
            hint: hint.to_owned(),
            unit,
            max,
            step,
            default,
        };
        SourceCard {
            name: "moving digits".to_owned(),
            rate: RATE,
            knobs: vec![
                knob(
                    "Damaged frames",
                    "How many frames are damaged, in bursts.",
                    Unit::Share,
                    1.0,
                    0.1,
                    0.5,
                ),
                knob(
                    "Occlusion",
                    "How many grey blocks lie over the picture.",
                    Unit::Count,
                    BLOCKS,
                    1.0,
                    6.0,
                ),
                knob(
                    "Noise",
                    "How much of the picture is noise.",
                    Unit::Share,
                    1.0,
                    0.1,
                    0.6,
                ),
                knob(
                    "Blank frames",
                    "How many of the damaged frames are black.",
                    Unit::Share,
                    1.0,
                    0.1,
                    0.33,
                ),
            ],
            seeded: false,
            others: true,
            truth: true,
        }
    }

    fn next(&mut self, step: &Step) -> Result<Still, SourceError> {
        let knobs = Knobs::new(&step.knobs);
        let mut last = None;
        for _ in 0..step.advance.max(1) {
            let mut rng = self.rng();
            let [enter, leave] = knobs.chances();
            let draw = rng.random_range(0.0..1.0);
            self.damaged = match self.damaged {
                true => draw >= leave,
                false => draw < enter,
            };
            last = self.video.next().map(|frame| (frame, rng, self.number));
            self.number += 1;
        }
        let ((mut frame, objects), mut rng, number) =
            last.ok_or_else(|| SourceError("the video is over".to_owned()))?;
        let damage = match (step.lost, self.damaged) {
            (true, _) => Some((Damage::Blank, "lost")),
            (false, true) => knobs.kind(&mut rng).map(|damage| (damage, damage.name())),
            (false, false) => None,
        };
        if let Some((damage, _)) = damage {
            damage.apply(&mut frame, &mut rng);
        }
        let picture = picture(&frame)?;
        Ok(Still {
            number,
            looped: false,
            picture: Arc::new(picture),
            damage: damage.map(|(_, name)| name.to_owned()),
            truth: objects.iter().map(truth).collect(),
        })
    }

    fn restart(&mut self) {
        self.video = Video::new(&self.digits, Split::Test, SEED, self.index);
        self.number = 0;
        self.damaged = false;
    }

    fn next_video(&mut self) {
        self.index += 1;
        self.restart();
    }

    fn judge(&self, still: &Still, found: &mut [Found]) -> Option<Tally> {
        let detections: Vec<Detection> = found.iter().filter_map(detection).collect();
        let objects: Vec<Object> = still.truth.iter().filter_map(object).collect();
        let matches = matches(&detections, &objects);
        for (found, object) in found.iter_mut().zip(&matches) {
            found.verdict = match object {
                Some(_) => Verdict::Right,
                None => Verdict::Wrong,
            };
        }
        // No memory can know yet what it has not seen.
        (still.number >= WARM_UP as u64).then(|| Tally {
            matched: matches.iter().flatten().count() as u32,
            found: detections.len() as u32,
            objects: objects.len() as u32,
        })
    }
}

/// A digit that a network sees.
pub(crate) fn found(detection: &Detection) -> Found {
    Found {
        label: detection.class.to_string(),
        score: Some(detection.score),
        place: place(detection.center()),
        verdict: Verdict::Unknown,
    }
}

fn truth(object: &Object) -> Found {
    Found {
        label: object.class.to_string(),
        score: None,
        place: place(object.center),
        verdict: Verdict::Right,
    }
}

/// The place of a digit around its centre, `[row, column]` in pixels.
fn place([row, column]: [f32; 2]) -> Place {
    let share = |pixels: f32| pixels / SIDE as f32;
    let side = SPRITE as f32;
    Place {
        x: share(column - side / 2.0),
        y: share(row - side / 2.0),
        width: share(side),
        height: share(side),
    }
}

fn center(place: Place) -> [f32; 2] {
    [
        (place.y + place.height / 2.0) * SIDE as f32,
        (place.x + place.width / 2.0) * SIDE as f32,
    ]
}

fn detection(found: &Found) -> Option<Detection> {
    Some(Detection {
        class: found.label.parse().ok()?,
        cell: center(found.place).map(|at| (at as usize / CELL).min(MAP - 1)),
        score: found.score.unwrap_or(0.0),
    })
}

fn object(found: &Found) -> Option<Object> {
    Some(Object {
        class: found.label.parse().ok()?,
        center: center(found.place),
    })
}

/// The frame as a camera would have it, with 8 bits.
fn picture(frame: &Frame) -> Result<Picture, SourceError> {
    let bytes = frame.pixels().iter();
    let bytes = bytes.map(|pixel| (pixel.clamp(0.0, 1.0) * 255.0).round() as u8);
    Picture::new([SIDE, SIDE], Channels::Grey, bytes.collect())
        .map_err(|error| SourceError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use video_demo_app::Look;

    use super::*;

    fn step(advance: u64, knobs: [f32; 4]) -> Step {
        Step {
            advance,
            lost: false,
            knobs: knobs.to_vec(),
            seed: 1,
            look: Look::default(),
        }
    }

    const TRAINED: [f32; 4] = [0.5, 6.0, 0.6, 0.33];

    fn frames(source: &mut MovingDigits, count: usize, knobs: [f32; 4]) -> Vec<Still> {
        let next = |_| source.next(&step(1, knobs)).unwrap();
        (0..count).map(next).collect()
    }

    #[test]
    fn the_same_video_is_damaged_the_same_way_after_a_restart() {
        let mut source = MovingDigits::new().unwrap();
        let first = frames(&mut source, 40, TRAINED);
        source.restart();
        assert!(first == frames(&mut source, 40, TRAINED));
        source.next_video();
        assert!(first != frames(&mut source, 40, TRAINED));
    }

    #[test]
    fn a_frame_that_is_skipped_to_is_the_same_frame() {
        let mut source = MovingDigits::new().unwrap();
        let all = frames(&mut source, 9, TRAINED);
        source.restart();
        let skipped = source.next(&step(9, TRAINED)).unwrap();
        assert!(skipped == all[8]);
    }

    #[test]
    fn knobs_say_how_many_frames_are_damaged_and_how() {
        let mut source = MovingDigits::new().unwrap();
        let mut share = |knobs: [f32; 4], kind: Option<&str>| {
            let frames = frames(&mut source, 3000, knobs);
            let hit = frames.iter().filter(|still| match kind {
                Some(kind) => still.damage.as_deref() == Some(kind),
                None => still.damage.is_some(),
            });
            hit.count() as f64 / 3000.0
        };
        assert!((0.46..0.54).contains(&share(TRAINED, None)));
        assert!((0.14..0.20).contains(&share(TRAINED, Some("blank"))));
        assert!((0.14..0.20).contains(&share(TRAINED, Some("noise"))));
        assert_eq!(share([0.0, 6.0, 0.6, 0.33], None), 0.0);
        assert_eq!(share([1.0, 6.0, 0.6, 0.33], None), 1.0);
        assert!((0.87..0.93).contains(&share([0.9, 6.0, 0.6, 0.0], None)));
        assert_eq!(share([1.0, 0.0, 0.6, 0.0], Some("noise")), 1.0);
        assert_eq!(share([1.0, 0.0, 0.0, 0.0], None), 0.0);
    }

    #[test]
    fn a_lost_frame_is_black() {
        let mut source = MovingDigits::new().unwrap();
        let mut lost = step(1, [0.0; 4]);
        lost.lost = true;
        let still = source.next(&lost).unwrap();
        assert!(still.picture.bytes().iter().all(|byte| *byte == 0));
        assert_eq!(still.damage.as_deref(), Some("lost"));
        let next = source.next(&step(1, [0.0; 4])).unwrap();
        assert!(next.picture.bytes().iter().any(|byte| *byte > 128));
    }

    #[test]
    fn finds_are_judged_as_in_moving_digits() {
        let mut source = MovingDigits::new().unwrap();
        let early = source.next(&step(1, [0.0; 4])).unwrap();
        assert_eq!(source.judge(&early, &mut []), None);
        let still = source.next(&step(5, [0.0; 4])).unwrap();
        let seen = object(&still.truth[0]).unwrap();
        let right = Detection {
            class: seen.class,
            cell: seen.cell(),
            score: 0.7,
        };
        let wrong = Detection {
            class: (seen.class + 1) % 10,
            ..right
        };
        let mut finds = [found(&right), found(&wrong)];
        // Places survive the way to the app and back.
        assert_eq!(detection(&finds[0]), Some(right));
        let tally = source.judge(&still, &mut finds).unwrap();
        assert_eq!(finds[0].verdict, Verdict::Right);
        assert_eq!(
            (tally.matched >= 1, tally.found, tally.objects),
            (true, 2, 2)
        );
    }
}
