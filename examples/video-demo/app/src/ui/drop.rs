//! A video that is dropped on the window.

use egui::{Align2, Context, CornerRadius, Id, LayerId, Order, Stroke, StrokeKind};

use super::theme::{Palette, bold};
use crate::app::App;

impl App {
    /// Opens what was dropped. Of several files it is the first: there is one video at a time.
    pub(super) fn hear_drops(&mut self, ctx: &Context) {
        let Some(file) = ctx.input(|input| input.raw.dropped_files.first().cloned()) else {
            return;
        };
        match file.path {
            Some(path) => self.open(&path),
            None => self.note("what was dropped is no file"),
        }
    }

    /// Says, while a file is held over the window, what dropping it does.
    pub(super) fn show_drop(&self, ctx: &Context, palette: &Palette) {
        if ctx.input(|input| input.raw.hovered_files.is_empty()) {
            return;
        }
        let painter = ctx.layer_painter(LayerId::new(Order::Foreground, Id::new("drop")));
        let rect = ctx.content_rect();
        painter.rect_filled(
            rect,
            CornerRadius::ZERO,
            palette.background.gamma_multiply(0.85),
        );
        let edge = Stroke::new(3.0, palette.network(1));
        painter.rect_stroke(
            rect.shrink(18.0),
            CornerRadius::same(12),
            edge,
            StrokeKind::Inside,
        );
        let text = "Drop it to have a detector look at this video";
        painter.text(
            rect.center(),
            Align2::CENTER_CENTER,
            text,
            bold(22.0),
            palette.text,
        );
    }
}
