//! `lstm-ssd info`.

use anyhow::{Context, Result};
use burn::tensor::backend::Backend;
use burn_flex::Flex;
use lstm_ssd::Detector;
use lstm_ssd::labels::OPEN_IMAGES;
use lstm_ssd::network::{
    Layer, Memory, MemoryCard, MemoryConfig, MemoryFileError, MobileNetV2SsdConfig,
};

use crate::cli::Info;
use crate::detector::{self, Job};
use crate::memory;
use crate::table::markdown;
use crate::walk::Ended;

impl Info {
    /// Says what the file holds.
    pub fn run(&self) -> Result<Ended> {
        match Memory::<Flex>::load(&self.file, &Default::default()) {
            Ok((memory, card)) => {
                print!("{}", of_memory(&memory.config(), &card));
                Ok(Ended::Whole)
            }
            // If it is no detector either, that is what is told.
            Err(MemoryFileError::NoMemory { .. } | MemoryFileError::Read(_)) => {
                let backend = self.compute.backend;
                detector::with(&self.file, &memory::Memory::None, backend, self)
            }
            Err(error) => Err(error).with_context(|| self.file.display().to_string()),
        }
    }
}

/// What a file says of its memory, and what that costs behind the published detector.
fn of_memory(config: &MemoryConfig, card: &MemoryCard) -> String {
    let published = MobileNetV2SsdConfig::new(OPEN_IMAGES.len());
    let [_, height, width] = published.trunk();
    let cost = config.cost([height, width]);
    let mut lines = vec![
        format!(
            "memory       {} channels of state, behind the {} channels after block 12",
            config.hidden, config.channels
        ),
        format!("parameters   {}", cost.params),
        format!(
            "a frame      {:.1} million multiply-accumulates on a map of {width} by {height}, {:.1} % of the detector's",
            cost.macs as f64 / 1e6,
            100.0 * cost.macs as f64 / published.cost().macs as f64
        ),
    ];
    if let Some(frame) = &config.frame {
        let cost = frame.cost(published.input);
        lines.push(format!(
            "in front     {} channels of state, patches of {patch} by {patch} pixels, {} parameters, {:.1} million, {:.1} %",
            frame.hidden,
            cost.params,
            cost.macs as f64 / 1e6,
            100.0 * cost.macs as f64 / published.cost().macs as f64,
            patch = frame.patch,
        ));
    }
    lines.push(format!("trained for  {}", card.detector));
    lines.extend(
        card.notes
            .iter()
            .map(|(name, note)| format!("{name:<12} {note}")),
    );
    lines.join("\n") + "\n"
}

impl Job for Info {
    /// Says what a file of weights holds.
    fn run<B: Backend>(&self, detector: Detector<B>) -> Result<Ended> {
        let config = detector.config();
        let [height, width] = config.input;
        let cost = config.cost();
        let priors = config.priors();
        let maps: Vec<String> = priors
            .maps
            .iter()
            .zip(priors.per_cell())
            .map(|([height, width], cell)| format!("{height}x{width} ({cell})"))
            .collect();
        let labels: Vec<String> = (1..config.num_classes)
            .map(|class| detector.label(class))
            .collect();
        println!("network      MobileNetV2 SSD, {width} by {height} pixels, no memory");
        println!("parameters   {}", cost.params);
        println!(
            "a frame      {:.1} million multiply-accumulates",
            cost.macs as f64 / 1e6
        );
        println!(
            "priors       {}, on maps (a cell): {}",
            priors.priors().len(),
            maps.join(", ")
        );
        println!("classes      {}: {}", labels.len(), labels.join(", "));
        println!();
        print!("{}", parts(&config.layers()));
        Ok(Ended::Whole)
    }
}

/// What each part of the network costs.
fn parts(layers: &[Layer]) -> String {
    let mut rows = vec![["part", "convolutions", "weights", "MMAC a frame"].map(String::from)];
    for part in ["backbone", "extras", "heads"] {
        let own = || {
            layers
                .iter()
                .filter(move |layer| layer.name.starts_with(part))
        };
        let cost: lstm_ssd::network::Cost = own().map(Layer::cost).sum();
        rows.push([
            part.into(),
            own().count().to_string(),
            cost.params.to_string(),
            format!("{:.1}", cost.macs as f64 / 1e6),
        ]);
    }
    markdown(&rows)
}
