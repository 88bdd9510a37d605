//! What an experiment leaves for people: a table, a chart and an animation.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bottleneck_lstm::CellRunner;
use burn::tensor::backend::Backend;

use crate::checkpoint;
use crate::clip::{Clip, Clips};
use crate::detection::Belief;
use crate::digits::{Digits, Split};
use crate::evaluation::{believe, held_out, time_of_a_frame};
use crate::experiment::load_network;
use crate::picture::{Curve, Film, Panel, gif, training_chart};
use crate::plan::{Outcome, Plan};
use crate::score::{Score, detect};
use crate::session;
use crate::table::table;

/// Frames of the animation.
const FRAMES: usize = 40;

/// How long each of them is shown, in hundredths of a second.
const FRAME_TIME: u16 = 25;

/// The videos that the animation is chosen from, of a seed that no figure in the table comes from.
const CANDIDATES: std::ops::Range<u64> = 0..32;
const SEED: u64 = u64::MAX - 2;

/// Clips that the time of a frame is measured on.
const TIMED: usize = 10;

/// What was written.
#[derive(Debug, Clone)]
pub struct Report {
    /// The table, as Markdown.
    pub table: String,
    /// The files with the table, the chart and the animation.
    pub files: Vec<PathBuf>,
}

/// Writes the report of an experiment that is done.
///
/// # Errors
///
/// If a network cannot be read, or a file cannot be written.
pub fn write<B: Backend, R: CellRunner<B>>(
    folder: &Path,
    plan: &Plan,
    outcomes: &[Outcome],
    digits: &Digits,
    runner: &R,
    device: &B::Device,
) -> Result<Report> {
    let candidates = Clips {
        digits,
        split: Split::Test,
        seed: SEED,
        frames: FRAMES,
    };
    let candidates = candidates.batch(CANDIDATES);
    let timed = held_out(digits, Split::Test, TIMED);
    let mut times = Vec::new();
    let mut views = Vec::new();
    let mut curves = Vec::new();
    for layer in &plan.layers {
        let chosen = plan.chosen(outcomes, *layer);
        curves.extend(chosen.iter().map(|outcome| Curve {
            layer: *layer,
            points: &outcome.curve,
        }));
        let outcome = *chosen
            .first()
            .with_context(|| format!("{} not trained", layer.name()))?;
        let network = load_network::<B>(folder, &outcome.training, device)?;
        times.push((*layer, time_of_a_frame(&network, runner, &timed, device)));
        views.push((outcome, believe(&network, runner, &candidates, device)));
    }
    let clip = typical(&candidates, &views);
    let panel = |(outcome, beliefs): &(&Outcome, Vec<Vec<Belief>>)| Panel {
        name: outcome.training.layer.name().into(),
        beliefs: beliefs[clip].clone(),
        threshold: outcome.threshold,
    };
    let panels: Vec<Panel> = views.iter().map(panel).collect();
    let film = Film {
        clip: &candidates[clip],
        panels: &panels,
    };

    let chart = folder.join("curves.png");
    checkpoint::write(&chart, &training_chart(&curves)?.to_png()?)?;
    let animation = folder.join("digits.gif");
    checkpoint::write(&animation, &gif(&film.draw()?, FRAME_TIME)?)?;
    let table = table(plan, outcomes, &times);
    let path = session::finish(folder, &table)?;
    Ok(Report {
        table,
        files: vec![path, chart, animation],
    })
}

/// The index of the clip on which all networks score most nearly as in the table: neither a lucky
/// one nor an unlucky one.
fn typical(clips: &[Clip], views: &[(&Outcome, Vec<Vec<Belief>>)]) -> usize {
    let distance = |clip: usize| -> f64 {
        let only = clip..clip + 1;
        let distances = views.iter().map(|(outcome, beliefs)| {
            let seen = detect(&beliefs[only.clone()], outcome.threshold);
            let score = Score::of(&seen, &clips[only.clone()]);
            (score.clean.f1() - outcome.test.clean.f1()).abs()
                + (score.damaged.f1() - outcome.test.damaged.f1()).abs()
        });
        distances.sum()
    };
    let distances = (0..clips.len()).map(|clip| (clip, distance(clip)));
    distances
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(0, |(clip, _)| clip)
}
