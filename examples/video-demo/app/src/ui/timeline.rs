//! How the networks did lately.
//!
//! Drawn by hand: a plotting crate brings zooming, panning and legends, none of which a strip of the last frames
//! has, and no bands for damaged frames.

use egui::{
    Align2, CornerRadius, Painter, Pos2, Rect, Sense, Shape, Stroke, Ui, WidgetInfo, WidgetType,
    pos2, vec2,
};

use super::theme::{Palette, medium};
use crate::app::App;
use crate::score::{History, Point};

/// Height of the timeline, in points.
pub(super) const HEIGHT: f32 = 132.0;

/// Frames that it has room for at least.
const FEW: usize = 75;

/// Width of the numbers at its left, and height of the words above.
const AXIS: f32 = 30.0;
const LEGEND: f32 = 20.0;

/// A line for each network.
struct Curve {
    /// What it is, where there are several.
    word: &'static str,
    /// Solid if it is what the timeline is about, else dotted.
    solid: bool,
    /// Its value for a network, from 0 to 1.
    at: fn(&Point, usize) -> Option<f32>,
}

/// Where the truth is known.
const F1: [Curve; 2] = [
    Curve {
        word: "clean",
        solid: false,
        at: |point, network| point.f1.get(network)?[0],
    },
    Curve {
        word: "damaged",
        solid: true,
        at: |point, network| point.f1.get(network)?[1],
    },
];

/// Where it is not.
const SUREST: [Curve; 1] = [Curve {
    word: "",
    solid: true,
    at: |point, network| point.surest.get(network).copied(),
}];

impl App {
    fn curves(&self) -> &'static [Curve] {
        match self.source_has(|source| source.truth) {
            true => &F1,
            false => &SUREST,
        }
    }

    /// How each network does, in words.
    fn scores(&self) -> Vec<String> {
        let name = |index: usize| self.network_name(index);
        if self.source_has(|source| source.truth) {
            let scores = self.history.f1().into_iter().enumerate();
            let texts = scores.map(|(index, f1)| {
                let [clean, damaged] =
                    f1.map(|f1| f1.map_or("none".into(), |f1| format!("{f1:.2}")));
                format!("{}: F1 {clean} clean, {damaged} damaged", name(index))
            });
            return texts.collect();
        }
        let last = self.history.points().last();
        let surest = last
            .iter()
            .flat_map(|point| point.surest.iter().enumerate());
        surest
            .map(|(index, score)| format!("{}: surest {score:.2}", name(index)))
            .collect()
    }

    pub(super) fn show_timeline(&self, ui: &mut Ui, palette: &Palette) {
        let (area, response) = ui.allocate_exact_size(ui.available_size(), Sense::hover());
        let painter = ui.painter_at(area);
        self.show_legend(&painter, palette, area);
        let plot = Rect::from_min_max(area.min + vec2(AXIS, LEGEND), area.max - vec2(0.0, 2.0));
        painter.rect_filled(plot, CornerRadius::same(4), palette.surface);
        for tenth in [0, 5, 10] {
            let y = height_of(plot, tenth as f32 / 10.0);
            painter.hline(plot.x_range(), y, Stroke::new(1.0, palette.line));
            let at = pos2(plot.left() - 6.0, y);
            let text = format!("{:.1}", tenth as f32 / 10.0);
            painter.text(at, Align2::RIGHT_CENTER, text, medium(11.0), palette.muted);
        }
        self.show_history(&painter.with_clip_rect(plot), palette, plot);

        let text = format!("Timeline. {}", self.scores().join("; "));
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &text));
    }

    fn show_legend(&self, painter: &Painter, palette: &Palette, area: Rect) {
        let y = area.top() + LEGEND / 2.0 - 1.0;
        let window = History::WINDOW;
        let title = match self.source_has(|source| source.truth) {
            true => format!("F1 over the last {window} frames of a kind"),
            false => "score of the surest find".to_owned(),
        };
        let title = painter.text(
            pos2(area.left() + AXIS, y),
            Align2::LEFT_CENTER,
            title,
            medium(12.0),
            palette.muted,
        );
        let mut right = area.right();
        let count = self.description.as_ref().map_or(0, |d| d.networks.len());
        for index in (0..count).rev() {
            let color = palette.network(index);
            for curve in self.curves() {
                let word = curve.word.to_owned();
                let text = painter.layout_no_wrap(word, medium(12.0), palette.muted);
                let left = right - text.size().x;
                painter.galley(pos2(left, y - text.size().y / 2.0), text, palette.muted);
                let line = [pos2(left - 28.0, y), pos2(left - 6.0, y)];
                draw_line(painter, line.to_vec(), color, curve.solid);
                right = left - 40.0;
            }
            let name = self.network_name(index).to_owned();
            let text = painter.layout_no_wrap(name, medium(12.0), color);
            let left = right + 4.0 - text.size().x;
            if left > title.right() + 12.0 {
                painter.galley(pos2(left, y - text.size().y / 2.0), text, color);
            }
            right = left - 22.0;
        }
    }

    fn show_history(&self, painter: &Painter, palette: &Palette, plot: Rect) {
        // It fills up from the left, gets denser until it is full, and scrolls from then on.
        let count = self.history.points().len();
        let step = plot.width() / count.max(FEW) as f32;
        let x = |index: usize| plot.left() + index as f32 * step;
        for (index, point) in self.history.points().enumerate() {
            let column = Rect::from_x_y_ranges(x(index)..=x(index) + step, plot.y_range());
            if point.damaged {
                let tint = palette.surface.lerp_to_gamma(palette.damage, 0.22);
                painter.rect_filled(column, CornerRadius::ZERO, tint);
            }
        }
        let networks = self.history.f1().len();
        let curves = self.curves().iter();
        let lines = (0..networks).flat_map(|index| curves.clone().map(move |curve| (index, curve)));
        for (index, curve) in lines {
            let points: Vec<Pos2> = self
                .history
                .points()
                .enumerate()
                .filter_map(|(at, point)| {
                    let value = (curve.at)(point, index)?;
                    Some(pos2(x(at) + step / 2.0, height_of(plot, value)))
                })
                .collect();
            draw_line(painter, points, palette.network(index), curve.solid);
        }
        for (index, point) in self.history.points().enumerate() {
            if let Some(mark) = point.mark {
                painter.vline(x(index), plot.y_range(), Stroke::new(1.5, palette.text));
                let at = pos2(x(index) + 4.0, plot.bottom() - 4.0);
                painter.text(
                    at,
                    Align2::LEFT_BOTTOM,
                    mark.name(),
                    medium(11.0),
                    palette.text,
                );
            }
        }
    }
}

fn height_of(plot: Rect, value: f32) -> f32 {
    let inside = plot.shrink2(vec2(0.0, 5.0));
    inside.bottom() - value * inside.height()
}

/// A solid line, or a thin dotted one.
fn draw_line(painter: &Painter, points: Vec<Pos2>, color: egui::Color32, solid: bool) {
    if solid {
        painter.add(Shape::line(points, Stroke::new(2.4, color)));
    } else {
        let stroke = Stroke::new(1.4, color);
        painter.extend(Shape::dashed_line(&points, stroke, 3.0, 3.5));
    }
}
