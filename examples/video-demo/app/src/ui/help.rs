//! The keys, and what to try.

use egui::{Context, Grid, Id, Modal, RichText, vec2};

use super::theme::{Palette, bold};
use crate::action::{Action, Shortcut};
use crate::app::App;

const TRY: [&str; 4] = [
    "Press D: eight frames are lost. Which network still knows?",
    "Turn the noise up until both give in, and count how long each holds out.",
    "Press M in the middle of a burst of damage: that is what the memory was worth.",
    "Press H a few times: where does it keep what it knows, and what does it forget?",
];

impl App {
    pub(super) fn show_help(&mut self, ctx: &Context, palette: &Palette) {
        let knobs = self
            .description
            .as_ref()
            .map_or(0, |description| description.source.knobs.len());
        let modal = Modal::new(Id::new("help")).show(ctx, |ui| {
            ui.set_width(470.0);
            ui.label(RichText::new("Keys").font(bold(17.0)));
            ui.add_space(4.0);
            Grid::new("keys")
                .num_columns(2)
                .spacing(vec2(24.0, 3.0))
                .show(ui, |ui| {
                    for Shortcut {
                        help: [keys, what], ..
                    } in Shortcut::all(knobs)
                    {
                        if !keys.is_empty() {
                            ui.label(RichText::new(keys).font(bold(13.0)));
                            ui.label(RichText::new(what).color(palette.muted));
                            ui.end_row();
                        }
                    }
                });
            ui.add_space(10.0);
            ui.label(RichText::new("Try").font(bold(17.0)));
            for line in TRY {
                ui.label(RichText::new(line).color(palette.muted));
            }
            ui.add_space(8.0);
            ui.button("Close").clicked()
        });
        if modal.inner || modal.backdrop_response.clicked() {
            self.act(Action::Close);
        }
    }
}
