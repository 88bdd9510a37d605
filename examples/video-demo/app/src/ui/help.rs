//! The keys, and what to try.

use egui::{Context, Grid, Id, Modal, RichText, ScrollArea, vec2};

use super::theme::{Palette, bold};
use crate::action::{Action, Shortcut};
use crate::app::App;

const TRY: [&str; 5] = [
    "Press D: eight frames are lost. Which network still knows?",
    "Turn the noise up until both give in, and count how long each holds out.",
    "Press M in the middle of a burst of damage: that is what the memory was worth.",
    "Press H a few times: where does it keep what it knows, and what does it forget?",
    "Drop a video of your own on the window: a detector looks at it without a memory and with one.",
];

/// Keys side by side: below one another they are too many for a laptop's screen.
const COLUMNS: usize = 2;

/// Height that the button, the frame and a margin around it take, in points.
const MARGIN: f32 = 100.0;

impl App {
    pub(super) fn show_help(&mut self, ctx: &Context, palette: &Palette) {
        let knobs = self
            .description
            .as_ref()
            .map_or(0, |description| description.source.knobs.len());
        let shortcuts: Vec<_> = Shortcut::all(knobs)
            .map(|shortcut| shortcut.help)
            .filter(|[keys, _]| !keys.is_empty())
            .collect();
        let rows = shortcuts.len().div_ceil(COLUMNS);
        let room = ctx.content_rect().height() - MARGIN;
        let modal = Modal::new(Id::new("help")).show(ctx, |ui| {
            ui.set_width(760.0);
            ScrollArea::vertical().max_height(room).show(ui, |ui| {
                ui.label(RichText::new("Keys").font(bold(17.0)));
                ui.add_space(4.0);
                Grid::new("keys")
                    .num_columns(2 * COLUMNS)
                    .spacing(vec2(24.0, 3.0))
                    .show(ui, |ui| {
                        for row in 0..rows {
                            for [keys, what] in shortcuts.iter().skip(row).step_by(rows) {
                                ui.label(RichText::new(*keys).font(bold(13.0)));
                                ui.label(RichText::new(*what).color(palette.muted));
                            }
                            ui.end_row();
                        }
                    });
                ui.add_space(10.0);
                ui.label(RichText::new("Try").font(bold(17.0)));
                for line in TRY {
                    ui.label(RichText::new(line).color(palette.muted));
                }
            });
            ui.add_space(8.0);
            ui.button("Close").clicked()
        });
        if modal.inner || modal.backdrop_response.clicked() {
            self.act(Action::Close);
        }
    }
}
