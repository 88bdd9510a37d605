//! How the networks learned, as a chart.

use super::canvas::{Align, Canvas, Color, PictureError, TextStyle, text_width};
use crate::recurrent::Layer;
use crate::training::Point;

const BACKGROUND: Color = [0xff, 0xff, 0xff];
const GRID: Color = [0xe4, 0xe8, 0xec];
const TEXT: Color = [0x1f, 0x27, 0x30];
const MUTED: Color = [0x66, 0x70, 0x7c];
const SIZE: [u32; 2] = [1120, 470];
const TITLE: TextStyle = TextStyle {
    size: 17.0,
    bold: true,
    color: TEXT,
};
const LABEL: TextStyle = TextStyle {
    size: 13.0,
    bold: false,
    color: MUTED,
};

/// The training of one network.
#[derive(Debug, Clone, Copy)]
pub struct Curve<'a> {
    /// Its recurrent layer, which has a colour of its own.
    pub layer: Layer,
    /// Its points.
    pub points: &'a [Point],
}

/// A chart of the training loss and of the F1 on clean and on damaged validation frames.
///
/// # Errors
///
/// If it cannot be drawn.
pub fn training_chart(curves: &[Curve<'_>]) -> Result<Canvas, PictureError> {
    let mut canvas = Canvas::new(SIZE[0], SIZE[1], BACKGROUND)?;
    let points = || curves.iter().flat_map(|curve| curve.points);
    let steps = points().map(|point| point.step).max().unwrap_or(1).max(1) as f32;
    let losses = points()
        .map(|point| point.loss as f32)
        .fold(0.0, f32::max)
        .max(1e-3);

    let loss = Axes {
        area: [70.0, 66.0, 400.0, 290.0],
        x: nice(steps),
        y: nice(losses),
    };
    loss.draw(&mut canvas, "training loss");
    let score = Axes {
        area: [570.0, 66.0, 520.0, 290.0],
        x: nice(steps),
        y: [1.0, 0.2],
    };
    score.draw(&mut canvas, "F1 on validation digits");
    for curve in curves {
        let color = color(curve.layer);
        let series = |value: fn(&Point) -> f64| -> Vec<[f32; 2]> {
            curve
                .points
                .iter()
                .map(|point| [point.step as f32, value(point) as f32])
                .collect()
        };
        loss.plot(&mut canvas, &series(|point| point.loss), color, false);
        score.plot(&mut canvas, &series(|point| point.clean), color, true);
        score.plot(&mut canvas, &series(|point| point.damaged), color, false);
    }
    let layers = Layer::ALL
        .into_iter()
        .filter(|layer| curves.iter().any(|c| c.layer == *layer));
    let entries = layers.map(|layer| (color(layer), false, layer.name()));
    let kinds = [
        (MUTED, false, "damaged frames"),
        (MUTED, true, "clean frames"),
    ];
    legend(&mut canvas, 70.0, entries);
    legend(&mut canvas, 810.0, kinds.into_iter());
    Ok(canvas)
}

/// Colours that are told apart by the colour-blind too (Okabe and Ito).
fn color(layer: Layer) -> Color {
    match layer {
        Layer::NoMemory => [0x7a, 0x84, 0x90],
        Layer::ConvLstm => [0xe6, 0x9f, 0x00],
        Layer::ConvGru => [0x00, 0x72, 0xb2],
        Layer::BottleneckLstm => [0x00, 0x9e, 0x73],
    }
}

fn legend<'a>(
    canvas: &mut Canvas,
    mut x: f32,
    entries: impl Iterator<Item = (Color, bool, &'a str)>,
) {
    let y = SIZE[1] as f32 - 28.0;
    let style = TextStyle {
        color: TEXT,
        ..LABEL
    };
    for (color, dashed, name) in entries {
        canvas.line(&[[x, y - 4.5], [x + 26.0, y - 4.5]], color, 2.5, dashed);
        canvas.text([x + 34.0, y], Align::Left, style, name);
        x += 34.0 + text_width(style, name) + 26.0;
    }
}

/// A plot's rectangle `[x, y, width, height]` and, for each axis, its end and the distance of its
/// ticks. Both axes start at 0.
struct Axes {
    area: [f32; 4],
    x: [f32; 2],
    y: [f32; 2],
}

impl Axes {
    fn draw(&self, canvas: &mut Canvas, title: &str) {
        let [left, top, width, height] = self.area;
        canvas.text([left, top - 24.0], Align::Left, TITLE, title);
        for value in ticks(self.y) {
            let [_, y] = self.place([0.0, value]);
            canvas.line(&[[left, y], [left + width, y]], GRID, 1.0, false);
            canvas.text(
                [left - 10.0, y + 4.5],
                Align::Right,
                LABEL,
                &format!("{value:.1}"),
            );
        }
        for value in ticks(self.x) {
            let [x, y] = self.place([value, 0.0]);
            canvas.line(&[[x, y], [x, y + 5.0]], MUTED, 1.0, false);
            canvas.text([x, y + 22.0], Align::Center, LABEL, &format!("{value:.0}"));
        }
        let base = top + height;
        canvas.line(&[[left, base], [left + width, base]], MUTED, 1.0, false);
        canvas.text([left + width, base + 42.0], Align::Right, LABEL, "steps");
    }

    fn plot(&self, canvas: &mut Canvas, points: &[[f32; 2]], color: Color, dashed: bool) {
        let points: Vec<[f32; 2]> = points.iter().map(|point| self.place(*point)).collect();
        canvas.line(&points, color, if dashed { 1.8 } else { 2.6 }, dashed);
    }

    fn place(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let [left, top, width, height] = self.area;
        [
            left + width * x / self.x[0],
            top + height * (1.0 - y / self.y[0]),
        ]
    }
}

/// The end of an axis that holds `largest`, and a distance of ticks that reads well.
fn nice(largest: f32) -> [f32; 2] {
    let power = 10_f32.powf((largest / 4.0).log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power);
    let step = steps
        .into_iter()
        .find(|step| largest / step <= 6.0)
        .unwrap_or(10.0 * power);
    [(largest / step).ceil() * step, step]
}

fn ticks([end, step]: [f32; 2]) -> impl Iterator<Item = f32> {
    (0..=(end / step).round() as usize).map(move |index| index as f32 * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_a_round_number_just_above_the_largest_value() {
        assert_eq!(nice(1500.0), [1500.0, 250.0]);
        assert_eq!(nice(1210.0), [1250.0, 250.0]);
        let [end, step] = nice(0.47);
        assert!((end - 0.5).abs() < 1e-6 && (step - 0.1).abs() < 1e-6);
        assert_eq!(
            ticks([1.0, 0.25]).collect::<Vec<_>>(),
            [0.0, 0.25, 0.5, 0.75, 1.0]
        );
    }

    #[test]
    fn every_curve_is_drawn_in_its_colour() {
        let point = |step, value| Point {
            step,
            loss: value,
            clean: value,
            damaged: value,
            all: value,
        };
        let [down, up] = [
            [point(10, 0.5), point(20, 0.1)],
            [point(10, 0.2), point(20, 0.9)],
        ];
        let curves = [
            Curve {
                layer: Layer::ConvGru,
                points: &down,
            },
            Curve {
                layer: Layer::BottleneckLstm,
                points: &up,
            },
        ];
        let canvas = training_chart(&curves).unwrap();
        let inked = |layer| {
            canvas
                .pixels()
                .filter(|pixel| *pixel == color(layer))
                .count()
        };
        assert!(inked(Layer::ConvGru) > 200);
        assert!(inked(Layer::BottleneckLstm) > 200);
        assert_eq!(inked(Layer::ConvLstm), 0);
        training_chart(&[]).unwrap();
    }
}
