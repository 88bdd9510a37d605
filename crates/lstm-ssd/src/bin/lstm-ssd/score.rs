//! How well objects are seen under each damage, in the mean over seeds.

use lstm_ssd::damage::{Damage, DamageList};
use lstm_ssd::detection::AveragePrecision;

/// What is written where there is no number.
const NONE: &str = "–";

/// The table's columns. The first three are the same in all rows.
pub const COLUMNS: [&str; 10] = [
    "video",
    "class",
    "memory",
    "damage",
    "seeds",
    "frames",
    "objects",
    "detections",
    "AP50",
    "AP50:95",
];

/// A damage with a seed, or the video as it is.
pub type Trial = Option<(Damage, u64)>;

/// AP50 and AP50:95.
type Areas = [Option<f64>; 2];

/// Trials that are reported as one.
pub struct Row {
    trials: Vec<Trial>,
    /// Whether it counts in the mean over damages.
    in_mean: bool,
    /// What came of the first trials.
    scores: Vec<AveragePrecision>,
}

impl Row {
    /// One trial by itself.
    pub fn new(trial: Trial) -> Self {
        Self {
            trials: vec![trial],
            in_mean: false,
            scores: Vec::new(),
        }
    }

    /// The video as it is, then the damages of a list, each with all of its seeds.
    pub fn of_list(list: &DamageList) -> Vec<Self> {
        let damages = list.damages().iter().map(|listed| Self {
            trials: list
                .seeds()
                .iter()
                .map(|seed| Some((listed.damage, *seed)))
                .collect(),
            in_mean: listed.in_mean,
            scores: Vec::new(),
        });
        [Self::new(None)].into_iter().chain(damages).collect()
    }

    /// Its trials.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// Whether nothing came of any trial yet.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// Adds what came of the next trial.
    pub fn add(&mut self, score: AveragePrecision) {
        self.scores.push(score);
    }

    /// Means over the trials so far, behind the first three cells.
    pub fn cells(&self, [video, class, memory]: [String; 3]) -> [String; 10] {
        let measured = || self.trials.iter().zip(&self.scores);
        let damage = self.trials.first().copied().flatten();
        let seeds: Vec<String> = measured()
            .filter_map(|(trial, _)| trial.map(|(_, seed)| seed.to_string()))
            .collect();
        let first = self.scores.first();
        let count = |count: fn(&AveragePrecision) -> usize| {
            first.map_or(NONE.into(), |score| count(score).to_string())
        };
        let detections = self.scores.iter().map(|score| score.detections() as f64);
        let [half, mean] = self.areas().map(written);
        [
            video,
            class,
            memory,
            damage.map_or("none".into(), |(damage, _)| damage.to_string()),
            match seeds.is_empty() {
                true => NONE.into(),
                false => seeds.join(", "),
            },
            count(AveragePrecision::frames),
            count(AveragePrecision::objects),
            average(detections).map_or(NONE.into(), |mean| format!("{mean:.0}")),
            half,
            mean,
        ]
    }

    fn areas(&self) -> Areas {
        [
            average(self.scores.iter().filter_map(|score| score.at(0.5))),
            average(self.scores.iter().filter_map(AveragePrecision::mean)),
        ]
    }
}

/// The row of means over the damages that count in it, once all have been measured.
pub fn mean(rows: &[Row], [video, class, memory]: [String; 3]) -> [String; 10] {
    let counted: Vec<Areas> = rows
        .iter()
        .filter(|row| row.in_mean)
        .map(Row::areas)
        .collect();
    let [half, all] =
        [0, 1].map(|index| written(average(counted.iter().filter_map(|areas| areas[index]))));
    let what = format!("mean of {}", counted.len());
    let [seeds, frames, objects, detections] = [NONE; 4].map(String::from);
    [
        video, class, memory, what, seeds, frames, objects, detections, half, all,
    ]
}

fn average(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0);
    for number in numbers {
        sum += number;
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}

fn written(area: Option<f64>) -> String {
    area.map_or(NONE.into(), |area| format!("{area:.4}"))
}

#[cfg(test)]
mod tests {
    use lstm_ssd::detection::{BoundingBox, Truth};

    use super::*;

    const LIST: &str = "seeds = [4, 5]\n\
        [[damage]]\nname = \"noise\"\nseverity = 60\nin_mean = true\n\
        [[damage]]\nname = \"drop\"\nseverity = 1\nin_mean = false\n\
        [[damage]]\nname = \"dark\"\nseverity = 0.1\nin_mean = true\n";

    fn common() -> [String; 3] {
        ["a.mp4", "Person", "none"].map(String::from)
    }

    /// Of one frame with an object that is seen, or not.
    fn score(seen: bool) -> AveragePrecision {
        let bounds = BoundingBox::new(0.0, 0.0, 1.0, 1.0);
        let truth = Truth {
            bounds,
            ignored: false,
        };
        let mut score = AveragePrecision::new();
        let all = [(bounds, 0.5)];
        score.add_frame(&[truth], &all[..usize::from(seen)]);
        score
    }

    #[test]
    fn rows_are_means_over_seeds_and_the_last_one_over_damages() {
        let mut rows = Row::of_list(&DamageList::parse(LIST).unwrap());
        let seen = [
            vec![true],
            vec![true, false],
            vec![true, true],
            vec![false, false],
        ];
        for (row, seen) in rows.iter_mut().zip(&seen) {
            assert_eq!(row.trials().len(), seen.len());
            for seen in seen {
                row.add(score(*seen));
            }
        }
        let cells = rows.iter().map(|row| row.cells(common())[3..].join(" "));
        let expected = [
            "none – 1 1 1 1.0000 1.0000",
            "noise:60 4, 5 1 1 0 0.5000 0.5000",
            "drop:1 4, 5 1 1 1 1.0000 1.0000",
            "dark:0.1 4, 5 1 1 0 0.0000 0.0000",
        ];
        assert_eq!(cells.collect::<Vec<_>>(), expected);
        let mean = mean(&rows, common()).join(" ");
        let expected = "a.mp4 Person none mean of 2 – – – – 0.2500 0.2500";
        assert_eq!(mean, expected);
    }

    #[test]
    fn a_row_that_was_not_finished_tells_its_seeds() {
        let mut row = Row::of_list(&DamageList::parse(LIST).unwrap()).remove(1);
        row.add(score(true));
        let cells = row.cells(common()).join(" ");
        assert_eq!(cells, "a.mp4 Person none noise:60 4 1 1 1 1.0000 1.0000");
    }
}
