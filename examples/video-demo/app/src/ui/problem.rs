//! What went wrong, with ways on.

use egui::{Frame, Margin, RichText, Ui};

use super::theme::{Palette, bold};
use crate::action::Action;
use crate::app::App;

impl App {
    /// A strip above the networks; and a note on what was just done.
    pub(super) fn show_problem(&mut self, ui: &mut Ui, palette: &Palette) {
        if let Some(problem) = self.problem.clone() {
            let fill = palette.surface.lerp_to_gamma(palette.wrong, 0.18);
            let frame = Frame::new()
                .fill(fill)
                .corner_radius(6.0)
                .inner_margin(Margin::symmetric(12, 8))
                .outer_margin(Margin {
                    bottom: 8,
                    ..Margin::ZERO
                });
            frame.show(ui, |ui| {
                ui.horizontal_wrapped(|ui| {
                    let mark = RichText::new("!").font(bold(16.0)).color(palette.wrong);
                    ui.label(mark);
                    ui.label(&problem.what);
                    for offer in &problem.offers {
                        if ui.button(&offer.label).clicked() {
                            self.take_offer(offer.request.clone());
                        }
                    }
                    if !problem.stuck && ui.button("Dismiss").on_hover_text("Esc").clicked() {
                        self.act(Action::Close);
                    }
                });
            });
        }
        let Some(note) = &self.note else { return };
        let area = egui::Area::new(ui.id().with("note"))
            .anchor(egui::Align2::CENTER_TOP, egui::vec2(0.0, 62.0))
            .interactable(false);
        let text = note.text.clone();
        area.show(ui.ctx(), |ui| {
            Frame::popup(ui.style())
                .fill(palette.raised)
                .corner_radius(14.0)
                .inner_margin(Margin::symmetric(14, 6))
                .show(ui, |ui| ui.label(text));
        });
    }
}
