//! What an experiment leaves for people: a table, a chart and an animation.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bottleneck_lstm::CellRunner;
use burn::tensor::backend::Backend;

use crate::checkpoint;
use crate::clip::Clips;
use crate::digits::{Digits, Split};
use crate::evaluation::{believe, held_out, time_of_a_frame};
use crate::experiment::load_network;
use crate::picture::{Curve, Film, Panel, gif, training_chart};
use crate::plan::{Outcome, Plan};
use crate::session;
use crate::table::table;

/// Frames of the animation.
const FRAMES: usize = 40;

/// How long each of them is shown, in hundredths of a second.
const FRAME_TIME: u16 = 25;

/// The video of the animation: the first of a seed that no figure in the table comes from.
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
    let clip = Clips {
        digits,
        split: Split::Test,
        seed: SEED,
        frames: FRAMES,
    }
    .get(0);
    let timed = held_out(digits, Split::Test, TIMED);
    let mut times = Vec::new();
    let mut panels = Vec::new();
    let mut curves = Vec::new();
    for layer in &plan.layers {
        let chosen = plan.chosen(outcomes, *layer);
        curves.extend(chosen.iter().map(|outcome| Curve {
            name: layer.name(),
            points: &outcome.curve,
        }));
        let outcome = chosen
            .first()
            .with_context(|| format!("{} not trained", layer.name()))?;
        let network = load_network::<B>(folder, &outcome.training, device)?;
        times.push((*layer, time_of_a_frame(&network, runner, &timed, device)));
        let beliefs = believe(&network, runner, std::slice::from_ref(&clip), device);
        panels.push(Panel {
            name: layer.name().into(),
            beliefs: beliefs.into_iter().flatten().collect(),
            threshold: outcome.threshold,
        });
    }

    let chart = folder.join("curves.png");
    checkpoint::write(&chart, &training_chart(&curves)?.to_png()?)?;
    let animation = folder.join("digits.gif");
    let film = Film {
        clip: &clip,
        panels: &panels,
    };
    checkpoint::write(&animation, &gif(&film.draw()?, FRAME_TIME)?)?;
    let table = table(plan, outcomes, &times);
    let path = session::finish(folder, &table)?;
    Ok(Report {
        table,
        files: vec![path, chart, animation],
    })
}
