//! What the networks saw, beside a picture of it: what a test can hold it to.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use video_demo_app::{Description, Shown};

/// A frame and what each network found in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Its number in the video, from 0.
    pub number: u64,
    /// What happened to it, if anything.
    pub damage: Option<String>,
    /// What each network found.
    pub networks: Vec<Finds>,
}

/// What one network found in a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finds {
    /// The network.
    pub name: String,
    /// What it found.
    pub found: Vec<Find>,
}

/// A label at a place. Scores are left out: they differ from device to device in their last digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Find {
    /// What it is.
    pub label: String,
    /// `[x, y, width, height]`, in shares of the frame's width and height.
    pub place: [f64; 4],
}

/// Why a file is no sidecar.
#[derive(Debug, Error)]
#[error("not a list of frames with what networks found: {0}")]
pub struct SidecarError(#[from] serde_json::Error);

impl Frame {
    /// What is shown, as data.
    pub fn new(description: &Description, shown: &Shown) -> Self {
        let networks = description.networks.iter().zip(&shown.views);
        let networks = networks.map(|(network, view)| {
            let found = view.found.iter().map(|found| {
                let place = found.place;
                Find {
                    label: found.label.clone(),
                    place: [place.x, place.y, place.width, place.height]
                        .map(|share| (f64::from(share) * 1e4).round() / 1e4),
                }
            });
            Finds {
                name: network.name.clone(),
                found: found.collect(),
            }
        });
        Self {
            number: shown.number,
            damage: shown.damage.clone(),
            networks: networks.collect(),
        }
    }
}

/// Frames as JSON, one a line.
///
/// # Errors
///
/// If they cannot be encoded.
pub fn to_json(frames: &[Frame]) -> Result<String, SidecarError> {
    let lines = frames.iter().map(serde_json::to_string);
    let lines = lines.collect::<Result<Vec<_>, _>>()?;
    Ok(format!("[\n{}\n]\n", lines.join(",\n")))
}

/// The frames of what [`to_json`] made.
///
/// # Errors
///
/// If it is something else.
pub fn from_json(json: &str) -> Result<Vec<Frame>, SidecarError> {
    Ok(serde_json::from_str(json)?)
}

/// The first difference between what was expected and what was found, in words.
pub fn difference(expected: &[Frame], found: &[Frame]) -> Option<String> {
    if expected.len() != found.len() {
        return Some(format!("{} frames, not {}", found.len(), expected.len()));
    }
    let mut pairs = expected.iter().zip(found);
    let (expected, found) = pairs.find(|(expected, found)| expected != found)?;
    Some(format!(
        "frame {}: expected {expected:?}, found {found:?}",
        expected.number
    ))
}
