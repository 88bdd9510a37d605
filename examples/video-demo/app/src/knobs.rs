//! The knobs that damage the video.

use crate::app::App;
use crate::description::Knob;

/// The seed as long as the viewer has chosen no other one.
const FIRST_SEED: u64 = 1;

impl App {
    pub(crate) fn knobs(&self) -> &[Knob] {
        self.description
            .as_ref()
            .map_or(&[], |description| &description.source.knobs)
    }

    /// Where a knob stands.
    pub(crate) fn knob_value(&self, knob: &Knob) -> f32 {
        let set = self.settings.knobs.get(&knob.key).copied();
        set.filter(|value| value.is_finite())
            .unwrap_or(knob.default)
            .clamp(0.0, knob.max)
    }

    pub(crate) fn knob_values(&self) -> Vec<f32> {
        let knobs = self.knobs().iter();
        knobs.map(|knob| self.knob_value(knob)).collect()
    }

    pub(crate) fn set_knob(&mut self, key: &str, value: f32) {
        self.before_clean = None;
        self.settings.knobs.insert(key.to_owned(), value);
    }

    pub(crate) fn turn(&mut self, index: usize, up: bool) {
        let Some(knob) = self.knobs().get(index).cloned() else {
            return;
        };
        let step = if up { knob.step } else { -knob.step };
        let value = (self.knob_value(&knob) + step).clamp(0.0, knob.max);
        self.set_knob(&knob.key, value);
    }

    /// Whether all damage is switched off.
    pub(crate) fn is_clean(&self) -> bool {
        self.knobs().iter().all(|knob| self.knob_value(knob) == 0.0)
    }

    pub(crate) fn clean(&mut self) {
        if let Some(before) = self.before_clean.take() {
            self.settings.knobs = before;
            return;
        }
        let knobs = self.knobs().iter();
        let zeros: Vec<_> = knobs.map(|knob| (knob.key.clone(), 0.0)).collect();
        self.before_clean = Some(self.settings.knobs.clone());
        self.settings.knobs.extend(zeros);
    }

    /// Forgets every knob that was moved.
    pub(crate) fn reset_knobs(&mut self) {
        self.before_clean = None;
        self.settings.knobs.clear();
        self.settings.seed = None;
    }

    /// What the random numbers of damages come of.
    pub(crate) fn seed(&self) -> u64 {
        self.settings.seed.unwrap_or(FIRST_SEED)
    }
}
