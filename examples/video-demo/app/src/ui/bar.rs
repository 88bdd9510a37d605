//! The bar at the top: the video, and the program.

use egui::{Align, Button, Layout, RichText, Ui};

use super::theme::{Palette, bold, medium};
use crate::action::Action;
use crate::app::App;
use crate::description::{Compute, Gpu};
use crate::settings::Appearance;

impl App {
    pub(super) fn show_bar(&mut self, ui: &mut Ui, palette: &Palette) {
        ui.horizontal(|ui| {
            ui.label(RichText::new("Bottleneck-LSTM").font(bold(17.0)));
            let narrow = ui.available_width() < 1080.0;
            if !narrow {
                let name = self
                    .description
                    .as_ref()
                    .map_or("", |description| description.source.name.as_str());
                ui.label(RichText::new(name).color(palette.muted));
            }
            ui.add_space(10.0);
            self.show_buttons(ui);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if ui.button("Help").on_hover_text("F1 or ?").clicked() {
                    self.act(Action::Help);
                }
                let other = match self.settings.appearance {
                    Appearance::Dark => "Light",
                    Appearance::Light => "Dark",
                };
                if ui.button(other).on_hover_text("Y").clicked() {
                    self.act(Action::Appearance);
                }
                self.show_compute(ui);
                self.show_rate(ui, palette);
            });
        });
    }

    fn show_buttons(&mut self, ui: &mut Ui) {
        let play = if self.playing { "Pause" } else { "Play" };
        let buttons = [
            (play, "Space", Action::Play),
            ("Step", "Right: one frame on", Action::Step),
            (
                "Restart",
                "R: video and memory at their start",
                Action::Restart,
            ),
            (
                "Next video",
                "N: another one, with a fresh memory",
                Action::NextVideo,
            ),
            (
                "Drop frames",
                "D: the next eight frames are lost on their way",
                Action::DropFrames,
            ),
        ];
        for (text, hint, action) in buttons {
            let width = if action == Action::Play { 62.0 } else { 0.0 };
            let button = Button::new(text).min_size(egui::vec2(width, 0.0));
            let there = action != Action::NextVideo || self.source_has(|source| source.others);
            let button = ui
                .add_enabled(there, button)
                .on_hover_text(hint)
                .on_disabled_hover_text("There is no other: drop one on the window");
            if button.clicked() {
                self.act(action);
            }
        }
    }

    fn show_compute(&mut self, ui: &mut Ui) {
        let Some(description) = &self.description else {
            return;
        };
        let on_gpu = description.compute == Compute::Gpu;
        let (there, hint) = match &description.gpu {
            Gpu::Ready(name) => (true, format!("G: compute on {name}, which draws, too")),
            Gpu::Missing(why) => (false, why.clone()),
        };
        let cpu = format!("G: compute on {}", description.cpu);
        let mut switch = false;
        ui.spacing_mut().item_spacing.x = 2.0;
        // From right to left.
        let gpu = ui.add_enabled(there, Button::selectable(on_gpu, "GPU"));
        switch |= gpu
            .on_hover_text(&hint)
            .on_disabled_hover_text(&hint)
            .clicked()
            && !on_gpu;
        let cpu = ui
            .add(Button::selectable(!on_gpu, "CPU"))
            .on_hover_text(cpu);
        switch |= cpu.clicked() && on_gpu;
        ui.spacing_mut().item_spacing.x = 8.0;
        ui.add_space(8.0);
        if switch {
            self.act(Action::Compute);
        }
    }

    fn show_rate(&mut self, ui: &mut Ui, palette: &Palette) {
        let text = format!("{:.0} frames/s", self.rate());
        let label = ui.label(RichText::new(text).font(medium(13.0)).color(palette.muted));
        label.on_hover_text("Up, Down");
    }
}
