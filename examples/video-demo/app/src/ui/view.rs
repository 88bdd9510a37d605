//! A frame as a network sees it.

use std::sync::Arc;

use egui::{
    Align2, Color32, CornerRadius, Pos2, Rect, Sense, Stroke, StrokeKind, TextureHandle,
    TextureOptions, Ui, WidgetInfo, WidgetType, pos2, vec2,
};

use super::canvas::{Canvas, image};
use super::theme::{Palette, bold, frame, medium};
use crate::app::App;
use crate::picture::Picture;
use crate::seen::{Shown, View};

/// Height of what is above a frame, in points.
const HEADER: f32 = 44.0;
const GAP: f32 = 14.0;

/// A frame of the video on the device that draws.
pub(crate) struct FrameTexture {
    picture: Arc<Picture>,
    texture: TextureHandle,
}

impl App {
    /// The networks side by side.
    pub(super) fn show_views(&mut self, ui: &mut Ui, palette: &Palette) {
        let Some(shown) = self.shown.take() else {
            let text = match &self.problem {
                Some(_) => "",
                None => "Getting ready…",
            };
            ui.centered_and_justified(|ui| ui.label(text));
            return;
        };
        self.upload(ui, &shown);
        self.upload_heats(ui, &shown);
        let area = ui.available_rect_before_wrap();
        ui.allocate_rect(area, Sense::hover());
        let columns = shown.views.len().max(1) as f32;
        let [width, height] = shown.picture.size().map(|side| side as f32);
        let room = vec2(
            (area.width() - GAP * (columns - 1.0)) / columns,
            area.height() - HEADER,
        );
        let scale = (room.x / width).min(room.y / height).max(0.1);
        let size = vec2(width, height) * scale;
        let left = area.center().x - (columns * size.x + (columns - 1.0) * GAP) / 2.0;
        let top = area.top() + ((area.height() - HEADER - size.y) / 2.0).max(0.0);
        for (index, view) in shown.views.iter().enumerate() {
            let corner = pos2(left + index as f32 * (size.x + GAP), top);
            let rect = Rect::from_min_size(corner, size + vec2(0.0, HEADER));
            self.show_view(ui, palette, rect, index, view, &shown);
        }
        self.shown = Some(shown);
    }

    fn upload(&mut self, ui: &Ui, shown: &Shown) {
        let old = self.drawn.frame.as_ref();
        if old.is_some_and(|old| Arc::ptr_eq(&old.picture, &shown.picture)) {
            return;
        }
        let largest = ui.ctx().input(|input| input.max_texture_side);
        let image = image(&shown.picture, largest);
        let options = match shown.picture.size()[0] < 320 {
            true => TextureOptions::NEAREST,
            false => TextureOptions::LINEAR,
        };
        let texture = match self.drawn.frame.take() {
            Some(mut old) => {
                old.texture.set(image, options);
                old.texture
            }
            None => ui.ctx().load_texture("frame", image, options),
        };
        self.drawn.frame = Some(FrameTexture {
            picture: Arc::clone(&shown.picture),
            texture,
        });
    }

    fn show_view(
        &self,
        ui: &mut Ui,
        palette: &Palette,
        rect: Rect,
        index: usize,
        view: &View,
        shown: &Shown,
    ) {
        let (header, picture) = rect.split_top_bottom_at_y(rect.top() + HEADER);
        self.show_header(ui, palette, header, index, view);
        let painter = ui.painter().with_clip_rect(picture);
        let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        if let Some(frame) = &self.drawn.frame {
            painter.image(frame.texture.id(), picture, whole, Color32::WHITE);
        }
        if let Some(Some(heat)) = self.drawn.heats.get(index) {
            painter.image(heat.texture.id(), picture, whole, Color32::WHITE);
        }
        let mut canvas = Canvas::new(&painter, picture);
        if self.settings.truth {
            shown
                .truth
                .iter()
                .for_each(|truth| canvas.draw_truth(truth));
        }
        let unknown = frame::unknown(index);
        canvas.draw_boxes(&view.found, unknown);
        Self::show_chips(&mut canvas, palette, view, shown);
        canvas.draw_labels(&view.found, unknown);
        let edge = match shown.damage {
            Some(_) => Stroke::new(3.0, palette.damage),
            None => Stroke::new(1.0, palette.line),
        };
        ui.painter()
            .rect_stroke(picture, CornerRadius::same(4), edge, StrokeKind::Outside);

        let response = ui.interact(picture, ui.id().with(("view", index)), Sense::hover());
        let name = self.network_name(index);
        let labels: Vec<&str> = view.found.iter().map(|f| f.label.as_str()).collect();
        let text = match labels.is_empty() {
            true => format!("{name} sees nothing"),
            false => format!("{name} sees {}", labels.join(", ")),
        };
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &text));
    }

    pub(super) fn network_name(&self, index: usize) -> &str {
        let networks = self.description.iter().flat_map(|d| &d.networks);
        networks
            .skip(index)
            .map(|n| n.name.as_str())
            .next()
            .unwrap_or("")
    }

    /// The network's name and its running scores, or what it counts where nobody knows the truth.
    fn show_header(&self, ui: &Ui, palette: &Palette, rect: Rect, index: usize, view: &View) {
        let painter = ui.painter();
        let color = palette.network(index);
        // Where it is narrow, words are smaller.
        let unit = (rect.width() / 430.0).clamp(0.78, 1.0);
        let middle = rect.top() + 18.0;
        painter.circle_filled(pos2(rect.left() + 6.0, middle), 5.0, color);
        let name = pos2(rect.left() + 20.0, middle);
        painter.text(
            name,
            Align2::LEFT_CENTER,
            self.network_name(index),
            bold(17.0 * unit),
            palette.text,
        );
        if !self.source_has(|source| source.truth) {
            let at = pos2(rect.right(), middle + 1.0);
            let text = format!("{} found", view.found.len());
            let font = medium(12.5 * unit);
            painter.text(at, Align2::RIGHT_CENTER, text, font, palette.muted);
            return;
        }
        let scores = self.history.f1().get(index).copied().unwrap_or_default();
        let mut right = rect.right();
        for (kind, score, color) in [
            ("damaged", scores[1], palette.damage),
            ("clean", scores[0], palette.muted),
        ] {
            let value = score.map_or("–".to_owned(), |score| format!("{score:.2}"));
            let number = painter.text(
                pos2(right, middle),
                Align2::RIGHT_CENTER,
                value,
                bold(19.0 * unit),
                palette.text,
            );
            let label = painter.text(
                pos2(number.left() - 6.0, middle + 1.0),
                Align2::RIGHT_CENTER,
                kind,
                medium(12.5 * unit),
                color,
            );
            right = label.left() - 14.0 * unit;
        }
        if right - rect.left() > 200.0 {
            painter.text(
                pos2(right + 6.0, middle + 1.0),
                Align2::RIGHT_CENTER,
                "F1",
                bold(12.5),
                palette.muted,
            );
        }
    }

    /// Words on the frame itself: its number and damage, and how old the memory is.
    fn show_chips(canvas: &mut Canvas<'_>, palette: &Palette, view: &View, shown: &Shown) {
        let dark = Color32::from_black_alpha(215);
        let number = format!("frame {}", shown.number + 1);
        let mut chips = vec![(number.as_str(), dark, Color32::WHITE)];
        if let Some(damage) = &shown.damage {
            chips.push((damage, palette.damage, frame::INK));
        }
        let memory = match view.age {
            None => "no memory".to_owned(),
            Some(0 | 1) => "memory just reset".to_owned(),
            Some(age) => format!("memory of {age} frames"),
        };
        let fresh = view.age.is_some_and(|age| age <= 15);
        let (fill, ink) = match fresh {
            true => (frame::TRUTH, frame::INK),
            false => (dark, Color32::WHITE),
        };
        chips.push((&memory, fill, ink));
        canvas.draw_chips(&chips);
    }
}
