//! A frame as a network sees it.

use std::sync::Arc;

use egui::{
    Align2, Color32, ColorImage, CornerRadius, FontId, Painter, Pos2, Rect, Sense, Stroke,
    StrokeKind, TextureHandle, TextureOptions, Ui, Vec2, WidgetInfo, WidgetType, pos2, vec2,
};

use super::theme::{Palette, bold, frame, medium};
use crate::app::App;
use crate::picture::{Channels, Picture};
use crate::seen::{Found, Place, Shown, Verdict, View};

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
        let image = image(&shown.picture);
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
        self.show_header(ui, palette, header, index);
        let painter = ui.painter().with_clip_rect(picture);
        let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        if let Some(frame) = &self.drawn.frame {
            painter.image(frame.texture.id(), picture, whole, Color32::WHITE);
        }
        if let Some(Some(heat)) = self.drawn.heats.get(index) {
            painter.image(heat.texture.id(), picture, whole, Color32::WHITE);
        }
        let canvas = Canvas {
            painter: &painter,
            rect: picture,
            unit: (picture.width() / 460.0).clamp(0.7, 2.2),
        };
        if self.settings.truth {
            shown
                .truth
                .iter()
                .for_each(|truth| canvas.draw_truth(truth));
        }
        view.found.iter().for_each(|found| canvas.draw_found(found));
        Self::show_chips(&canvas, palette, view, shown);
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

    /// The network's name and its running scores.
    fn show_header(&self, ui: &Ui, palette: &Palette, rect: Rect, index: usize) {
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
    fn show_chips(canvas: &Canvas<'_>, palette: &Palette, view: &View, shown: &Shown) {
        let dark = Color32::from_black_alpha(170);
        let number = format!("frame {}", shown.number + 1);
        let mut left = 8.0;
        left += canvas.chip(vec2(left, -8.0), &number, dark, Color32::WHITE) + 5.0;
        if let Some(damage) = &shown.damage {
            left += canvas.chip(vec2(left, -8.0), damage, palette.damage, frame::INK) + 5.0;
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
        canvas.chip(vec2(left, -8.0), &memory, fill, ink);
    }
}

fn image(picture: &Picture) -> ColorImage {
    match picture.channels() {
        Channels::Grey => ColorImage::from_gray(picture.size(), picture.bytes()),
        Channels::Rgb => ColorImage::from_rgb(picture.size(), picture.bytes()),
    }
}

/// A frame on screen to draw on.
struct Canvas<'a> {
    painter: &'a Painter,
    rect: Rect,
    /// How large things are, 1 on a frame of ordinary size.
    unit: f32,
}

impl Canvas<'_> {
    fn place(&self, place: Place) -> Rect {
        let size = self.rect.size();
        let min = self.rect.min + vec2(place.x, place.y) * size;
        let rect = Rect::from_min_size(min, vec2(place.width, place.height) * size);
        rect.intersect(self.rect.shrink(1.5 * self.unit))
    }

    fn draw_truth(&self, truth: &Found) {
        let rect = self.place(truth.place).expand(2.0 * self.unit);
        let stroke = Stroke::new(1.5 * self.unit, frame::TRUTH);
        let corners = [
            rect.left_top(),
            rect.right_top(),
            rect.right_bottom(),
            rect.left_bottom(),
            rect.left_top(),
        ];
        let length = 6.0 * self.unit;
        for dash in egui::Shape::dashed_line(&corners, stroke, length, length) {
            self.painter.add(dash);
        }
        let at = rect.right_bottom() - Vec2::splat(4.0 * self.unit);
        let font = bold(13.0 * self.unit);
        self.painter
            .text(at, Align2::RIGHT_BOTTOM, &truth.label, font, frame::TRUTH);
    }

    /// A box with its label above it, or below where there is no room.
    fn draw_found(&self, found: &Found) {
        let color = match found.verdict {
            Verdict::Right => frame::RIGHT,
            Verdict::Wrong => frame::WRONG,
            Verdict::Unknown => frame::UNKNOWN,
        };
        let rect = self.place(found.place);
        let radius = CornerRadius::same((5.0 * self.unit) as u8);
        let stroke = Stroke::new(2.5 * self.unit, color);
        self.painter
            .rect_stroke(rect, radius, stroke, StrokeKind::Inside);
        let text = match found.score {
            Some(score) => format!("{}  {score:.2}", found.label),
            None => found.label.clone(),
        };
        let padding = vec2(7.0, 3.0) * self.unit;
        let galley = self
            .painter
            .layout_no_wrap(text, bold(14.0 * self.unit), frame::INK);
        let size = galley.size() + 2.0 * padding;
        let mut plate = Rect::from_min_size(rect.left_top() - vec2(0.0, size.y), size);
        if plate.top() < self.rect.top() {
            plate = Rect::from_min_size(rect.left_bottom(), size);
        }
        let over = (plate.right() - self.rect.right()).max(0.0);
        let plate = plate.translate(vec2(-over, 0.0));
        self.painter.rect_filled(plate, radius, color);
        self.painter.galley(plate.min + padding, galley, frame::INK);
    }

    /// A word on a plate, at an offset from the lower left corner. Returns its width.
    fn chip(&self, offset: Vec2, text: &str, fill: Color32, ink: Color32) -> f32 {
        let font: FontId = medium(12.5);
        let galley = self.painter.layout_no_wrap(text.to_owned(), font, ink);
        let padding = vec2(8.0, 3.0);
        let size = galley.size() + 2.0 * padding;
        let min = self.rect.left_bottom() + offset - vec2(0.0, size.y);
        let plate = Rect::from_min_size(min, size);
        self.painter
            .rect_filled(plate, CornerRadius::same((size.y / 2.0) as u8), fill);
        self.painter.galley(min + padding, galley, ink);
        size.x
    }
}
