//! `lstm-ssd info`.

use anyhow::Result;
use lstm_ssd::network::Layer;

use crate::cli::Info;
use crate::detector;
use crate::table::markdown;

/// Says what a file of weights holds.
pub fn run(args: &Info) -> Result<()> {
    let detector = detector::load(&args.weights, &args.compute)?;
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
    Ok(())
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
