//! The detector's numbers beside their floors, and the times behind them.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use serde::Serialize;

use super::{FLEX, MEMORY, NDARRAY, OURS, TFLITE};
use crate::machine::{Machine, OPTIONS};
use crate::peers::ONNX_RUNTIME;
use crate::rounds::{Spread, Timing};
use crate::table::{self, digits};

/// Who is to be how many times slower than ours.
const FLOORS: [(&str, Option<f64>); 4] = [
    (ONNX_RUNTIME, Some(1.0)),
    (TFLITE, Some(0.85)),
    (NDARRAY, Some(20.0)),
    (FLEX, None),
];

/// How many times as long a frame may take with a memory.
const MOST: f64 = 1.1;

#[derive(Serialize)]
pub struct Report {
    pub machine: Machine,
    pub quick: bool,
    pub timings: Vec<Timing>,
    /// The most memory that a process has had, in bytes.
    pub memory: Vec<(String, u64)>,
    /// Layers, multiply-accumulates and milliseconds of each step of ours, with a memory.
    pub steps: Vec<(String, usize, f64)>,
}

impl Report {
    /// Writes `ssd.md` and `ssd.json` into `folder`.
    pub fn save(&self, folder: &Path) -> io::Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        table::write(folder, [("ssd.md", self.markdown()), ("ssd.json", json)])
    }

    fn timing(&self, name: &str) -> Option<&Timing> {
        self.timings.iter().find(|timing| timing.name == name)
    }

    fn memory(&self, name: &str) -> Option<u64> {
        let found = self.memory.iter().find(|(own, _)| own == name);
        found.map(|(_, bytes)| *bytes)
    }

    pub fn markdown(&self) -> String {
        let mut text = format!(
            "Machine: {}. Command: `cargo xtask bench ssd{OPTIONS}{}`. One thread each.\n\n",
            self.machine,
            if self.quick { " -- --quick" } else { "" }
        );
        self.floors(&mut text);
        self.price(&mut text);
        self.times(&mut text);
        self.split(&mut text);
        text
    }

    fn floors(&self, text: &mut String) {
        text.push_str("| ours is faster than | × | quartiles | floor | holds |\n");
        text.push_str("|---|--:|---|--:|---|\n");
        for (name, floor) in FLOORS {
            let times = self.timing(name).zip(self.timing(OURS));
            let ratio = times.and_then(|(other, own)| other.ratio(own));
            let floor_text = floor.map_or(String::new(), |floor| floor.to_string());
            let Some(Spread {
                quarter,
                median,
                three_quarters,
            }) = ratio
            else {
                let _ = writeln!(text, "| {name} | not measured | | {floor_text} | ? |");
                continue;
            };
            let holds = match floor {
                Some(floor) if median >= floor => "yes",
                Some(_) => "**no**",
                None => "",
            };
            let [quarter, median, three_quarters] = [quarter, median, three_quarters].map(digits);
            let _ = writeln!(
                text,
                "| {name} | {median} | {quarter} – {three_quarters} | {floor_text} | {holds} |"
            );
        }
    }

    /// What a memory costs.
    fn price(&self, text: &mut String) {
        text.push_str("\n| a frame takes | × | quartiles | at most | holds |\n");
        text.push_str("|---|--:|---|--:|---|\n");
        let times = self.timing(MEMORY).zip(self.timing(OURS));
        let Some(spread) = times.and_then(|(with, without)| with.ratio(without)) else {
            let _ = writeln!(text, "| with a memory | not measured | | {MOST} | ? |");
            return;
        };
        let holds = if spread.median <= MOST {
            "yes"
        } else {
            "**no**"
        };
        let _ = writeln!(
            text,
            "| with a memory | {:.3} | {:.3} – {:.3} | {MOST} | {holds} |",
            spread.median, spread.quarter, spread.three_quarters
        );
    }

    fn times(&self, text: &mut String) {
        text.push_str("\n| a frame | ms | quartiles | runs | peak memory, MB |\n");
        text.push_str("|---|--:|---|--:|--:|\n");
        for timing in &self.timings {
            let Some(spread) = timing.spread() else {
                let reason = timing.failed.as_deref().unwrap_or("no run");
                let _ = writeln!(text, "| {} | {reason} | | | |", timing.name);
                continue;
            };
            let memory = self.memory(timing.name);
            let memory = memory.map_or(String::new(), |bytes| digits(bytes as f64 / 1e6));
            let _ = writeln!(
                text,
                "| {} | {} | {} – {} | {} | {memory} |",
                timing.name,
                digits(spread.median),
                digits(spread.quarter),
                digits(spread.three_quarters),
                timing.milliseconds.len(),
            );
        }
    }

    fn split(&self, text: &mut String) {
        let total: f64 = self.steps.iter().map(|(.., time)| time).sum();
        text.push_str("\n| ours with a memory, step by step | MMAC | ms | of all | GMAC/s |\n");
        text.push_str("|---|--:|--:|--:|--:|\n");
        for (name, macs, time) in &self.steps {
            let macs = *macs as f64;
            let _ = writeln!(
                text,
                "| {name} | {} | {} | {:.1} % | {} |",
                digits(macs / 1e6),
                digits(*time),
                100.0 * time / total,
                digits(macs / time / 1e6),
            );
        }
    }
}
