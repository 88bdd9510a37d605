//! How a memory learned, as a chart.

use lstm_ssd::training::Step;

const SIZE: [f64; 2] = [860.0, 420.0];
/// Left, top, width and height of the plot.
const AREA: [f64; 4] = [70.0, 50.0, 760.0, 290.0];

/// Iterations that a point of a curve is the mean of, at most: single ones are of few clips.
const MEAN_OF: usize = 25;

/// Colours that are told apart by the colour-blind too (Okabe and Ito).
const SHOWN: &str = "#7a8490";
const FEATURES: &str = "#009e73";

/// A drawing, in SVG, of the loss of the maps that were shown, and of what the memory made of them.
pub fn losses(steps: &[Step]) -> String {
    let [left, top, width, height] = AREA;
    let size = MEAN_OF.min(steps.len() / 8).max(1);
    let curve = |value: fn(&Step) -> f64| -> Vec<[f64; 2]> {
        let point = |steps: &[Step]| {
            let mean = |value: &dyn Fn(&Step) -> f64| {
                steps.iter().map(value).sum::<f64>() / steps.len() as f64
            };
            [mean(&|step| step.iteration as f64), mean(&value)]
        };
        steps.chunks(size).map(point).collect()
    };
    let curves = [
        ("as shown", SHOWN, curve(|step| step.shown)),
        ("with the memory", FEATURES, curve(|step| step.features)),
    ];
    let largest = |axis: usize| {
        let points = curves.iter().flat_map(|(_, _, points)| points);
        points.map(|point| point[axis]).fold(1e-6, f64::max)
    };
    let axes = [largest(0), largest(1)].map(nice);
    let place = |[x, y]: [f64; 2]| {
        [
            left + width * x / axes[0][0],
            top + height * (1.0 - y / axes[1][0]),
        ]
    };

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{left}\" y=\"{}\" font-size=\"17\" font-weight=\"bold\" fill=\"#1f2730\">loss of features</text>\n",
        SIZE[0],
        SIZE[1],
        top - 20.0,
    );
    for y in ticks(axes[1]) {
        let [_, row] = place([0.0, y]);
        svg += &format!(
            "<path d=\"M{left} {row:.1}h{width}\" stroke=\"#e4e8ec\"/>\n\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#66707c\">{}</text>\n",
            left - 10.0,
            row + 4.5,
            number(y, axes[1][1]),
        );
    }
    for x in ticks(axes[0]) {
        let [column, row] = place([x, 0.0]);
        svg += &format!(
            "<path d=\"M{column:.1} {row:.1}v5\" stroke=\"#66707c\"/>\n\
             <text x=\"{column:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#66707c\">{}</text>\n",
            row + 22.0,
            number(x, axes[0][1]),
        );
    }
    svg += &format!(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#66707c\">iterations</text>\n",
        left + width,
        top + height + 42.0,
    );
    for (index, (name, colour, points)) in curves.iter().enumerate() {
        let points = points.iter().map(|point| {
            let [x, y] = place(*point);
            format!("{x:.1},{y:.1}")
        });
        let points: Vec<String> = points.collect();
        let (x, y) = (left + 180.0 * index as f64, SIZE[1] - 28.0);
        svg += &format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"/>\n\
             <path d=\"M{x} {y}h26\" stroke=\"{colour}\" stroke-width=\"2.5\"/>\n\
             <text x=\"{}\" y=\"{}\" fill=\"#1f2730\">{name}</text>\n",
            points.join(" "),
            x + 34.0,
            y + 4.5,
        );
    }
    svg + "</svg>\n"
}

/// The end of an axis that holds `largest`, and a distance of ticks that reads well.
fn nice(largest: f64) -> [f64; 2] {
    let power = 10_f64.powf((largest / 4.0).log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power);
    let step = steps.into_iter().find(|step| largest / step <= 6.0);
    let step = step.unwrap_or(10.0 * power);
    [(largest / step).ceil() * step, step]
}

fn ticks([end, step]: [f64; 2]) -> impl Iterator<Item = f64> {
    (0..=(end / step).round() as usize).map(move |index| index as f64 * step)
}

/// A number with as many decimals as ticks that far apart need.
fn number(value: f64, step: f64) -> String {
    let decimals = (0..6).find(|decimals| {
        let scaled = step * 10_f64.powi(*decimals);
        (scaled - scaled.round()).abs() < 1e-6
    });
    format!("{value:.*}", decimals.unwrap_or(6) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_within_their_axes() {
        let step = |iteration| Step {
            iteration,
            shown: 0.4,
            features: 0.4 / iteration as f64,
            detection: None,
            rate: 0.1,
            amount: 0.0,
        };
        let steps: Vec<Step> = (1..=40).map(step).collect();
        let svg = losses(&steps);
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains(">0.4<") && svg.contains(">40<"), "{svg}");
        for points in svg.split("points=\"").skip(1) {
            for point in points.split('"').next().unwrap().split(' ') {
                let (x, y) = point.split_once(',').unwrap();
                assert!(
                    (70.0..=830.0).contains(&x.parse::<f64>().unwrap()),
                    "{point}"
                );
                assert!(
                    (50.0..=340.0).contains(&y.parse::<f64>().unwrap()),
                    "{point}"
                );
            }
        }
        // Nothing learned yet.
        assert!(losses(&[]).ends_with("</svg>\n"));
    }

    #[test]
    fn axes_end_at_a_round_number_just_above_the_largest_value() {
        assert_eq!(nice(1500.0), [1500.0, 250.0]);
        assert_eq!(number(0.05, 0.05), "0.05");
        assert_eq!(number(250.0, 250.0), "250");
    }
}
