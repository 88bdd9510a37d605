//! What the app remembers from one run to the next.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::seen::Look;

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Appearance {
    /// Light on dark.
    #[default]
    Dark,
    /// Dark on light.
    Light,
}

impl Appearance {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Dark => Self::Light,
            Self::Light => Self::Dark,
        }
    }
}

/// What the viewer has set. A front door may keep it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Values of knobs, by key, as far as they were moved.
    pub knobs: BTreeMap<String, f32>,
    /// What the random numbers of damages come of, if not the first seed.
    pub seed: Option<u64>,
    /// Frames a second, if not the source's own.
    pub rate: Option<f64>,
    /// What is shown as a heat map.
    pub look: Look,
    /// Whether the truth is drawn, too.
    pub truth: bool,
    /// Light or dark.
    pub appearance: Appearance,
    /// Whether to stay on the CPU though the device that draws could compute.
    pub stay_on_cpu: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::Quantity;

    #[test]
    fn settings_survive_a_round_trip_and_older_files() {
        let settings = Settings {
            knobs: BTreeMap::from([("noise".into(), 0.25)]),
            seed: Some(7),
            rate: Some(20.0),
            look: Look {
                quantity: Some(Quantity::Forget),
                channel: Some(3),
            },
            truth: true,
            appearance: Appearance::Light,
            stay_on_cpu: true,
        };
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), settings);
        assert_eq!(
            serde_json::from_str::<Settings>("{}").unwrap(),
            Settings::default()
        );
    }
}
