//! The losses against NumPy in `f64` (`xtask/reference/detection.py`), and their gradients.

use burn::tensor::{Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use lstm_ssd::loss::{Classification, FocalLossConfig, SsdLossConfig, Targets};
use lstm_ssd::network::Predictions;
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    logits: Vec<Vec<f32>>,
    codes: Vec<[f32; 4]>,
    targets: Vec<[f32; 4]>,
    labels: Vec<usize>,
    localization: f64,
    cross_entropy_3: f64,
    negatives_3: Vec<usize>,
    cross_entropy_10: f64,
    negatives_10: Vec<usize>,
    focal: f64,
}

impl Reference {
    fn read() -> Self {
        serde_json::from_str(include_str!("../fixtures/losses.json")).unwrap()
    }

    fn targets(&self) -> Targets {
        Targets {
            classes: self.labels.clone(),
            codes: self.targets.clone(),
        }
    }

    /// The predictions twice over, as a batch of two.
    fn predictions(&self) -> [Tensor<Autodiff<Flex>, 3>; 2] {
        let device = Default::default();
        let classes = self.logits[0].len();
        let rows = self.labels.len();
        let tensor = |values: Vec<f32>, columns: usize| {
            let data = TensorData::new(values, [1, rows, columns]);
            let one = Tensor::from_data(data, &device);
            Tensor::cat(vec![one.clone(), one], 0).require_grad()
        };
        [
            tensor(self.codes.concat(), 4),
            tensor(self.logits.concat(), classes),
        ]
    }
}

fn focal() -> Classification {
    Classification::Focal(FocalLossConfig::new())
}

fn cross_entropy(negatives: f64) -> Classification {
    Classification::CrossEntropy { negatives }
}

#[test]
fn they_are_those_of_the_formulas() {
    let reference = Reference::read();
    for (classification, expected) in [
        (cross_entropy(3.0), reference.cross_entropy_3),
        (cross_entropy(10.0), reference.cross_entropy_10),
        (focal(), reference.focal),
    ] {
        for weight in [0.0, 1.0, 0.5] {
            let loss = SsdLossConfig::new()
                .with_classification(classification.clone())
                .with_localization_weight(weight)
                .init();
            let [boxes, logits] = reference.predictions();
            // Twice the loss over twice the positives.
            let targets = [reference.targets(), reference.targets()];
            let found: f32 = loss
                .forward(Predictions { boxes, logits }, &targets)
                .into_scalar();
            let expected = expected + weight * reference.localization;
            let error = (f64::from(found) - expected).abs() / expected;
            assert!(error < 1e-5, "{classification:?}: {found} {expected}");
        }
    }
}

#[test]
fn gradients_reach_what_was_chosen_and_nothing_else() {
    let reference = Reference::read();
    let positive = [2, 7];
    for (negatives, chosen) in [
        (3.0, &reference.negatives_3),
        (10.0, &reference.negatives_10),
    ] {
        let [boxes, logits] = reference.predictions();
        let loss = SsdLossConfig::new()
            .with_classification(cross_entropy(negatives))
            .init();
        let predictions = Predictions {
            boxes: boxes.clone(),
            logits: logits.clone(),
        };
        let targets = [reference.targets(), reference.targets()];
        let gradients = loss.forward(predictions, &targets).backward();
        let moved = |gradient: Tensor<Flex, 3>| -> Vec<usize> {
            let [_, rows, columns] = gradient.dims();
            let first: Vec<f32> = gradient
                .into_data()
                .iter::<f32>()
                .take(rows * columns)
                .collect();
            let rows = first.chunks(columns).enumerate();
            rows.filter(|(_, row)| row.iter().any(|value| *value != 0.0))
                .map(|(row, _)| row)
                .collect()
        };
        assert_eq!(moved(boxes.grad(&gradients).unwrap()), positive);
        let mut expected = [&positive[..], chosen].concat();
        expected.sort_unstable();
        assert_eq!(moved(logits.grad(&gradients).unwrap()), expected);
    }
}

#[test]
fn pictures_without_objects_teach_only_what_background_is() {
    let reference = Reference::read();
    let nothing = Targets {
        classes: vec![0; 12],
        codes: vec![[0.0; 4]; 12],
    };
    let targets = [nothing.clone(), nothing];
    let loss = |classification| -> f32 {
        let [boxes, logits] = reference.predictions();
        let loss = SsdLossConfig::new()
            .with_classification(classification)
            .init();
        loss.forward(Predictions { boxes, logits }, &targets)
            .into_scalar()
    };
    assert_eq!(loss(cross_entropy(3.0)), 0.0);
    assert!(loss(focal()) > 0.0);
}
