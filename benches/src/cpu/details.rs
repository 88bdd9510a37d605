//! Every time behind the table, and the roofline: arithmetic, bytes, share of the peak.

use std::fmt::Write as _;

use super::contestants::{LOOP, rivals};
use super::race::{Race, Task};
use crate::rounds::{Spread, Timing};
use crate::table::digits;

/// Writes a section for each task.
pub fn write(text: &mut String, races: &[Race]) {
    for task in [
        Task::Step,
        Task::Sequence,
        Task::Training,
        Task::Pointwise,
        Task::Threads,
    ] {
        let races = races.iter().filter(|race| race.task == task);
        let races = races.collect::<Vec<_>>();
        if !races.is_empty() {
            let _ = writeln!(text, "\n### Details: {task}\n");
            roofline(text, &races);
            text.push('\n');
            times(text, &races);
        }
    }
}

/// What the work computes and moves. A MAC is a multiply-accumulate, the peak that of the loop between
/// registers.
fn roofline(text: &mut String, races: &[&Race]) {
    text.push_str("| shape | MMAC | MB | MAC/byte | peak, GMAC/s |\n|---|--:|--:|--:|--:|\n");
    for race in races {
        let (macs, bytes) = (race.macs as f64, race.bytes as f64);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            race.shape,
            digits(macs / 1e6),
            digits(bytes / 1e6),
            digits(macs / bytes),
            race.peak().map(digits).unwrap_or_default()
        );
    }
}

fn times(text: &mut String, races: &[&Race]) {
    text.push_str(
        "| shape | | ms | quartiles | runs | GMAC/s | of peak | ours is faster, × | quartiles |\n\
         |---|---|--:|---|--:|--:|--:|--:|---|\n",
    );
    for race in races {
        for timing in &race.timings {
            if timing.name != LOOP || race.task == Task::Threads {
                line(text, race, timing);
            }
        }
    }
}

fn line(text: &mut String, race: &Race, timing: &Timing) {
    let name = timing.name;
    let Some(spread) = timing.spread() else {
        let reason = timing.failed.as_deref().unwrap_or("no run");
        let _ = writeln!(text, "| {} | {name} | {reason} | | | | | | |", race.shape);
        return;
    };
    let frames = (race.task.work(race.shape).kind.frames() * race.task.repeats()) as f64;
    let per_frame = |time: f64| digits(time / frames);
    let _ = write!(
        text,
        "| {} | {name} | {} | {} – {} | {} | {} | {} |",
        race.shape,
        per_frame(spread.median),
        per_frame(spread.quarter),
        per_frame(spread.three_quarters),
        timing.milliseconds.len(),
        race.rate(name).map(digits).unwrap_or_default(),
        race.share_of_peak(name).map(digits).unwrap_or_default(),
    );
    let rival = rivals(race.task).iter().find(|(_, other)| *other == name);
    match rival.and_then(|(own, _)| race.speed_up(own, name)) {
        Some(Spread {
            quarter,
            median,
            three_quarters,
        }) => {
            let _ = writeln!(
                text,
                " {} | {} – {} |",
                digits(median),
                digits(quarter),
                digits(three_quarters)
            );
        }
        None => text.push_str(" | |\n"),
    }
}
