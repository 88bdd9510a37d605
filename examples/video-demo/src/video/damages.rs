//! The damages of `lstm-ssd` as knobs, each of which can be turned while the video plays.

use lstm_ssd::Picture;
use lstm_ssd::damage::{Damage, DamageError, Damager, Kind};
use thiserror::Error;
use video_demo_app::{Knob, Step, Unit};

/// How a kind of damage is turned.
struct Dial {
    kind: Kind,
    name: &'static str,
    hint: &'static str,
    unit: Unit,
    max: f32,
    step: f32,
    default: f32,
}

/// In the order in which a picture is damaged, but for freezing, which comes first.
const DIALS: [Dial; 7] = [
    Dial {
        kind: Kind::MotionBlur,
        name: "Motion blur",
        hint: "By how many pixels the camera shakes.",
        unit: Unit::Count,
        max: 100.0,
        step: 5.0,
        default: 0.0,
    },
    Dial {
        kind: Kind::Noise,
        name: "Noise",
        hint: "The standard deviation of the noise on values from 0 to 255.",
        unit: Unit::Count,
        max: 200.0,
        step: 10.0,
        default: 0.0,
    },
    Dial {
        kind: Kind::Occlusion,
        name: "Occlusion",
        hint: "How much of the picture is behind black cells.",
        unit: Unit::Share,
        max: 1.0,
        step: 0.1,
        default: 0.0,
    },
    Dial {
        kind: Kind::Drop,
        name: "Drop",
        hint: "How many frames are black.",
        unit: Unit::Share,
        max: 1.0,
        step: 0.1,
        default: 0.4,
    },
    Dial {
        kind: Kind::Freeze,
        name: "Freeze",
        hint: "How many frames are the one before once more.",
        unit: Unit::Share,
        max: 1.0,
        step: 0.1,
        default: 0.0,
    },
    Dial {
        kind: Kind::Dark,
        name: "Dark",
        hint: "How much of the light is missing.",
        unit: Unit::Share,
        max: 1.0,
        step: 0.1,
        default: 0.0,
    },
    Dial {
        kind: Kind::Bitrate,
        name: "Bitrate",
        hint: "The step of the quantiser: more is coarser.",
        unit: Unit::Count,
        max: 400.0,
        step: 10.0,
        default: 0.0,
    },
];

/// A severity that no knob reaches.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{damage}: the demo goes up to {kind}:{max}", kind = damage.kind())]
pub struct DamageRange {
    /// What was asked for.
    pub damage: Damage,
    /// The most of its kind.
    pub max: f32,
}

/// The key of the knob that damages a video so, and its value.
///
/// # Errors
///
/// If the knob does not go so far.
pub fn setting(damage: Damage) -> Result<(String, f32), DamageRange> {
    let value = match damage.kind() {
        // The other way round, so that 0 does nothing.
        Kind::Dark => (1.0 - damage.severity()) as f32,
        _ => damage.severity() as f32,
    };
    let max = DIALS
        .iter()
        .find(|dial| dial.kind == damage.kind())
        .map_or(0.0, |dial| dial.max);
    match value <= max {
        true => Ok((damage.kind().name().to_owned(), value)),
        false => Err(DamageRange { damage, max }),
    }
}

/// The knobs, in their order.
pub(super) fn knobs() -> Vec<Knob> {
    let knob = |dial: &Dial| Knob {
        key: dial.kind.name().to_owned(),
        name: dial.name.to_owned(),
        hint: dial.hint.to_owned(),
        unit: dial.unit,
        max: dial.max,
        step: dial.step,
        default: dial.default,
    };
    DIALS.iter().map(knob).collect()
}

/// The damages that knobs stand for.
fn wanted(step: &Step) -> impl Iterator<Item = Damage> {
    let dials = DIALS.iter().zip(&step.knobs);
    dials.filter_map(|(dial, value)| damage(dial.kind, *value).ok().flatten())
}

fn damage(kind: Kind, value: f32) -> Result<Option<Damage>, DamageError> {
    if value <= 0.0 {
        return Ok(None);
    }
    // A knob's 0.4 is 0.4, and not what it is in 32 bits.
    let value = (f64::from(value) * 1e4).round() / 1e4;
    let severity = match kind {
        Kind::Dark => 1.0 - value,
        Kind::MotionBlur | Kind::Bitrate => value.round().max(1.0),
        _ => value,
    };
    let severity = (severity * 1e4).round() / 1e4;
    Damage::new(kind, severity).map(Some)
}

/// Damages a video as the knobs say. One knob alone damages it to the bit as `lstm-ssd` does.
#[derive(Debug, Default)]
pub(super) struct Damages {
    /// What freezes, which alone depends on the pictures before.
    freezing: Option<Freezing>,
}

#[derive(Debug)]
struct Freezing {
    damage: Damage,
    seed: u64,
    damager: Damager,
}

impl Damages {
    /// The picture with this number, from 0, damaged, and the kinds of damage that changed it.
    pub fn apply(
        &mut self,
        number: u64,
        picture: Picture,
        step: &Step,
    ) -> (Picture, Vec<&'static str>) {
        let mut done = Vec::new();
        let frozen = self.freeze(number, &picture, step);
        if frozen != picture {
            done.push(Kind::Freeze.name());
        }
        let mut damaged = frozen;
        for damage in wanted(step).filter(|damage| damage.kind() != Kind::Freeze) {
            let before = damaged.clone();
            damaged = Damager::at(damage, step.seed, number).damage(damaged);
            if damaged != before {
                if damage.kind() == Kind::Drop {
                    // Nothing is left of what was done before.
                    done.clear();
                }
                done.push(damage.kind().name());
            }
        }
        (damaged, done)
    }

    /// Lets a picture pass that nobody looks at: it may be the one that stays.
    pub fn skip(&mut self, number: u64, picture: &Picture, step: &Step) {
        self.freeze(number, picture, step);
    }

    /// Begins again, before the first picture.
    pub fn reset(&mut self) {
        self.freezing = None;
    }

    fn freeze(&mut self, number: u64, picture: &Picture, step: &Step) -> Picture {
        let Some(damage) = wanted(step).find(|damage| damage.kind() == Kind::Freeze) else {
            self.freezing = None;
            return picture.clone();
        };
        let before = self.freezing.take();
        let same = |before: &Freezing| before.damage == damage && before.seed == step.seed;
        let mut freezing = before.filter(same).unwrap_or_else(|| Freezing {
            damage,
            seed: step.seed,
            damager: Damager::at(damage, step.seed, number),
        });
        let frozen = freezing.damager.damage(picture.clone());
        self.freezing = Some(freezing);
        frozen
    }
}
