//! The results, as a table for people and JSON for programs.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use serde::Serialize;

use crate::machine::{Machine, OPTIONS};
use crate::rounds::{Spread, Timing};
use crate::work::{BATCH, Cell, Kind, SEQUENCE, TRAINING, Work};

#[derive(Serialize)]
pub struct Report {
    machine: Machine,
    command: String,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    work: Work,
    timings: Vec<Timing>,
}

impl Report {
    pub fn new(machine: Machine, args: impl Iterator<Item = String>) -> Self {
        let mut command = format!("cargo xtask bench{OPTIONS}");
        let args = args.collect::<Vec<_>>();
        if !args.is_empty() {
            let _ = write!(command, " -- {}", args.join(" "));
        }
        Self {
            machine,
            command,
            rows: Vec::new(),
        }
    }

    pub fn add(&mut self, work: Work, timings: Vec<Timing>) {
        self.rows.push(Row { work, timings });
    }

    /// Writes `bench.md` and `bench.json` into `folder`.
    pub fn save(&self, folder: &Path) -> io::Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        write(
            folder,
            [("bench.md", self.markdown()), ("bench.json", json)],
        )
    }

    pub fn markdown(&self) -> String {
        let mut text = format!(
            "Machine: {}. Command: `{}`. One thread each.\n",
            self.machine, self.command
        );
        for cell in [Cell::BottleneckLstm, Cell::ConvLstm] {
            for kind in [Kind::Step, Kind::Sequence, Kind::Training] {
                self.section(&mut text, cell, kind);
            }
        }
        text
    }

    fn section(&self, text: &mut String, cell: Cell, kind: Kind) {
        let rows = self
            .rows
            .iter()
            .filter(|row| row.work.cell == cell && row.work.kind == kind);
        let rows = rows.collect::<Vec<_>>();
        let Some(first) = rows.first() else { return };
        let peers = first
            .timings
            .iter()
            .filter(|timing| timing.is_peer)
            .map(|timing| timing.name);
        let peers = peers.collect::<Vec<_>>();

        let cell = match cell {
            Cell::BottleneckLstm => "Bottleneck-LSTM",
            Cell::ConvLstm => "ConvLSTM, full 3×3",
        };
        let kind = match kind {
            Kind::Step => "one step, batch 1".to_owned(),
            Kind::Sequence => format!("a sequence of {SEQUENCE} steps, batch 1, per frame"),
            Kind::Training => format!("a training step, {TRAINING} steps, batch {BATCH}"),
        };
        let _ = write!(
            text,
            "\n### {cell}: {kind}\n\n| shape | | ms | quartiles | runs |"
        );
        for peer in &peers {
            let _ = write!(text, " × {peer} | quartiles |");
        }
        text.push_str("\n|---|---|--:|---|--:|");
        text.push_str(&"--:|---|".repeat(peers.len()));
        text.push('\n');
        for row in rows {
            for timing in &row.timings {
                row.line(text, timing, &peers);
            }
        }
    }
}

impl Row {
    fn line(&self, text: &mut String, timing: &Timing, peers: &[&str]) {
        let (shape, name) = (self.work.shape, timing.name);
        let Some(spread) = timing.spread() else {
            let reason = timing.failed.as_deref().unwrap_or("no run");
            let _ = writeln!(
                text,
                "| {shape} | {name} | {reason} | | |{}",
                " | |".repeat(peers.len())
            );
            return;
        };
        let frames = self.work.kind.frames() as f64;
        let _ = write!(
            text,
            "| {shape} | {name} | {} | {} – {} | {} |",
            digits(spread.median / frames),
            digits(spread.quarter / frames),
            digits(spread.three_quarters / frames),
            timing.milliseconds.len()
        );
        for peer in peers {
            let peer = self.timings.iter().find(|other| other.name == *peer);
            match peer
                .filter(|peer| peer.name != name)
                .and_then(|peer| timing.ratio(peer))
            {
                Some(Spread {
                    quarter,
                    median,
                    three_quarters,
                }) => {
                    let _ = write!(
                        text,
                        " {} | {} – {} |",
                        digits(median),
                        digits(quarter),
                        digits(three_quarters)
                    );
                }
                None => text.push_str(" | |"),
            }
        }
        text.push('\n');
    }
}

/// Writes files into `folder`, each whole or not at all.
pub fn write(folder: &Path, files: [(&str, String); 2]) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, content) in files {
        let mut file = temporary(folder)?;
        file.write_all(content.as_bytes())?;
        file.persist(folder.join(name))?;
    }
    Ok(())
}

/// A file that others may read once it is in its place, unlike temporary ones by default.
fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Three significant digits.
pub fn digits(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}
