//! What a frame costs.

use egui::{Align2, Color32, CornerRadius, Grid, Rect, RichText, Sense, Ui, pos2, vec2};

use super::controls::heading;
use super::theme::{Palette, medium};
use crate::app::App;
use crate::description::Compute;

impl App {
    pub(super) fn show_figures(&self, ui: &mut Ui, palette: &Palette) {
        let Some(description) = &self.description else {
            return;
        };
        let device = match description.compute {
            Compute::Cpu => "in ms, on the CPU",
            Compute::Gpu => "in ms, on the GPU",
        };
        heading(ui, "A frame", device, palette);
        self.show_times(ui, palette);
        ui.add_space(4.0);
        Grid::new("costs")
            .num_columns(3)
            .spacing(vec2(10.0, 4.0))
            .min_col_width(20.0)
            .show(ui, |ui| {
                let muted =
                    |text: &str| RichText::new(text).font(medium(12.0)).color(palette.muted);
                ui.label(muted(""));
                ui.label(muted("parameters"));
                ui.label(muted("MMAC"));
                ui.end_row();
                for (index, network) in description.networks.iter().enumerate() {
                    let name = RichText::new(&network.name).color(palette.network(index));
                    ui.label(name);
                    ui.label(thousands(network.parameters));
                    ui.label(format!("{:.2}", network.macs as f64 / 1e6));
                    ui.end_row();
                }
            });
        let dropped = match self.dropped {
            0 => "no frame dropped for want of time".to_owned(),
            1 => "1 frame dropped for want of time".to_owned(),
            dropped => format!("{dropped} frames dropped for want of time"),
        };
        ui.label(
            RichText::new(dropped)
                .font(medium(12.0))
                .color(palette.muted),
        );
    }

    /// A bar for each network and one for drawing, on one scale.
    fn show_times(&self, ui: &mut Ui, palette: &Palette) {
        let longest = self.times.iter().flatten().map(|times| times.total());
        let longest = longest.chain(self.draw_time).fold(0.0, f64::max);
        if longest == 0.0 {
            let text = RichText::new("not timed").font(medium(12.0));
            ui.label(text.color(palette.muted));
            return;
        }
        let names = ["encode", "recurrent", "head"];
        for (index, times) in self.times.iter().enumerate() {
            let Some(times) = times else { continue };
            let color = palette.network(index);
            let parts = [times.encode, times.recurrent, times.head];
            let tints = [0.45, 1.0, 0.7].map(|share| palette.surface.lerp_to_gamma(color, share));
            // A network that is timed as a whole has one part.
            let there = parts.iter().filter(|seconds| **seconds > 0.0).count();
            let names = match there {
                ..=1 => ["all", "", ""],
                _ => names,
            };
            let text: Vec<String> = names
                .iter()
                .zip(parts)
                .filter(|(_, seconds)| *seconds > 0.0)
                .map(|(name, seconds)| format!("{name} {:.2}", seconds * 1e3))
                .collect();
            show_bar(ui, palette, &text.join(" · "), &parts, &tints, longest);
        }
        if let Some(draw) = self.draw_time {
            let text = format!("draw {:.2}", draw * 1e3);
            show_bar(ui, palette, &text, &[draw], &[palette.muted], longest);
        }
    }
}

/// Parts of a time one after the other, with words below.
fn show_bar(
    ui: &mut Ui,
    palette: &Palette,
    text: &str,
    parts: &[f64],
    colors: &[Color32],
    longest: f64,
) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 25.0), Sense::hover());
    let painter = ui.painter();
    let mut left = rect.left();
    let radius = CornerRadius::same(2);
    for (seconds, color) in parts.iter().zip(colors) {
        let width = (seconds / longest) as f32 * rect.width();
        let part = Rect::from_min_size(pos2(left, rect.top() + 1.0), vec2(width.max(1.0), 7.0));
        painter.rect_filled(part, radius, *color);
        left += width;
    }
    let at = pos2(rect.left(), rect.top() + 10.0);
    painter.text(at, Align2::LEFT_TOP, text, medium(11.5), palette.muted);
    response
        .widget_info(|| egui::WidgetInfo::labeled(egui::WidgetType::ProgressIndicator, true, text));
}

/// A number with commas.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn thousands_have_commas() {
        let texts = [0, 999, 1000, 25_856, 1_234_567].map(thousands);
        assert_eq!(texts, ["0", "999", "1,000", "25,856", "1,234,567"]);
    }
}
