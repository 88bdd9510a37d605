//! `lstm-ssd info`.

use anyhow::Result;
use burn::tensor::backend::Backend;
use lstm_ssd::Detector;
use lstm_ssd::network::Layer;

use crate::cli::Info;
use crate::detector::Job;
use crate::table::markdown;
use crate::walk::Ended;

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
