//! What is drawn over a frame of the video.

use std::sync::Arc;

use egui::{
    Align2, Color32, ColorImage, CornerRadius, FontId, Galley, Painter, Pos2, Rect, Stroke,
    StrokeKind, Vec2, vec2,
};

use super::theme::{bold, frame, medium};
use crate::picture::{Channels, Picture};
use crate::seen::{Found, Place, Verdict};

/// The picture as egui has it, every so manyth pixel of one with sides longer than `largest`.
pub(super) fn image(picture: &Picture, largest: usize) -> ColorImage {
    let [width, height] = picture.size();
    let step = width.max(height).div_ceil(largest.max(1));
    if step > 1 {
        let pixel = picture.channels().bytes();
        let rows = picture.bytes().chunks_exact(width * pixel).step_by(step);
        let bytes = rows.flat_map(|row| row.chunks_exact(pixel).step_by(step).flatten());
        let size = [width.div_ceil(step), height.div_ceil(step)];
        let bytes: Vec<u8> = bytes.copied().collect();
        return color_image(picture.channels(), size, &bytes);
    }
    color_image(picture.channels(), [width, height], picture.bytes())
}

fn color_image(channels: Channels, size: [usize; 2], bytes: &[u8]) -> ColorImage {
    match channels {
        Channels::Grey => ColorImage::from_gray(size, bytes),
        Channels::Rgb => ColorImage::from_rgb(size, bytes),
    }
}

/// A frame on screen to draw on.
pub(super) struct Canvas<'a> {
    painter: &'a Painter,
    rect: Rect,
    /// How large things are, 1 on a frame of ordinary size.
    unit: f32,
    /// Plates with words, over which no others go.
    plates: Vec<Rect>,
}

impl<'a> Canvas<'a> {
    pub fn new(painter: &'a Painter, rect: Rect) -> Self {
        Self {
            painter,
            rect,
            unit: (rect.width() / 460.0).clamp(0.7, 2.2),
            plates: Vec::new(),
        }
    }

    fn place(&self, place: Place) -> Rect {
        let size = self.rect.size();
        let min = self.rect.min + vec2(place.x, place.y) * size;
        let rect = Rect::from_min_size(min, vec2(place.width, place.height) * size);
        rect.intersect(self.rect.shrink(1.5 * self.unit))
    }

    fn radius(&self) -> CornerRadius {
        CornerRadius::same((5.0 * self.unit) as u8)
    }

    pub fn draw_truth(&self, truth: &Found) {
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

    /// A box around each find, the surest on top.
    pub fn draw_boxes(&self, found: &[Found], unknown: Color32) {
        for found in surest_first(found).into_iter().rev() {
            let stroke = Stroke::new(2.5 * self.unit, color(found, unknown));
            let rect = self.place(found.place);
            self.painter
                .rect_stroke(rect, self.radius(), stroke, StrokeKind::Inside);
        }
    }

    /// The label of each box, at one of its corners where no other words are. A box that has no such corner goes
    /// without: the surest come first.
    pub fn draw_labels(&mut self, found: &[Found], unknown: Color32) {
        let padding = vec2(7.0, 3.0) * self.unit;
        for found in surest_first(found) {
            let text = match found.score {
                Some(score) => format!("{}  {score:.2}", found.label),
                None => found.label.clone(),
            };
            let galley = self.words(text, bold(14.0 * self.unit), frame::INK);
            let plate = self.free(self.place(found.place), galley.size() + 2.0 * padding);
            let Some(plate) = plate else { continue };
            let fill = color(found, unknown);
            self.painter.rect_filled(plate, self.radius(), fill);
            self.painter.galley(plate.min + padding, galley, frame::INK);
            self.plates.push(plate);
        }
    }

    /// Where a plate goes at a box: above it, below it, or within, from the left or from the right.
    fn free(&self, rect: Rect, size: Vec2) -> Option<Rect> {
        let tops = [
            rect.top() - size.y,
            rect.bottom(),
            rect.top(),
            rect.bottom() - size.y,
        ];
        let lefts = [rect.left(), rect.right() - size.x];
        let corners = tops
            .into_iter()
            .flat_map(|top| lefts.map(|left| Pos2::new(left, top)));
        let mut plates = corners.map(|corner| {
            let plate = Rect::from_min_size(corner, size);
            // Never over the edge to the right or left.
            let over = (plate.right() - self.rect.right()).max(0.0);
            let under = (self.rect.left() - plate.left()).max(0.0);
            plate.translate(vec2(under - over, 0.0))
        });
        plates.find(|plate| {
            let room = self.rect.expand(0.5);
            let inside = plate.top() >= room.top() && plate.bottom() <= room.bottom();
            inside && !self.plates.iter().any(|other| other.intersects(*plate))
        })
    }

    /// Words on plates with these colours of plate and words, from the lower left corner to the right, and above one
    /// another where it is narrow.
    pub fn draw_chips(&mut self, chips: &[(&str, Color32, Color32)]) {
        let (margin, gap, padding) = (8.0, 5.0, vec2(8.0, 3.0));
        let start = self.rect.left_bottom() + vec2(margin, -margin);
        let mut corner = start;
        for (text, fill, ink) in chips.iter().copied() {
            let galley = self.words(text.to_owned(), medium(12.5), ink);
            let size = galley.size() + 2.0 * padding;
            if corner.x > start.x && corner.x + size.x > self.rect.right() - margin {
                corner = Pos2::new(start.x, corner.y - size.y - gap);
            }
            let plate = Rect::from_min_size(corner - vec2(0.0, size.y), size);
            self.painter
                .rect_filled(plate, CornerRadius::same((size.y / 2.0) as u8), fill);
            self.painter.galley(plate.min + padding, galley, ink);
            self.plates.push(plate);
            corner.x += size.x + gap;
        }
    }

    fn words(&self, text: String, font: FontId, ink: Color32) -> Arc<Galley> {
        self.painter.layout_no_wrap(text, font, ink)
    }
}

fn surest_first(found: &[Found]) -> Vec<&Found> {
    let mut sorted: Vec<_> = found.iter().collect();
    let score = |found: &Found| found.score.unwrap_or(1.0);
    sorted.sort_by(|a, b| score(b).total_cmp(&score(a)));
    sorted
}

fn color(found: &Found, unknown: Color32) -> Color32 {
    match found.verdict {
        Verdict::Right => frame::RIGHT,
        Verdict::Wrong => frame::WRONG,
        Verdict::Unknown => unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_clear_of_each_other_and_of_the_edges() {
        let ctx = egui::Context::default();
        let painter = ctx.layer_painter(egui::LayerId::background());
        let frame = Rect::from_min_size(Pos2::new(10.0, 20.0), vec2(300.0, 200.0));
        let mut canvas = Canvas::new(&painter, frame);
        let size = vec2(80.0, 20.0);
        // A box within the frame, one at its upper right corner, and one as large as the frame.
        let boxes = [
            Rect::from_min_size(Pos2::new(60.0, 80.0), vec2(200.0, 100.0)),
            Rect::from_min_size(Pos2::new(270.0, 20.0), vec2(40.0, 60.0)),
            frame,
        ];
        let mut placed = [0; 3];
        for (count, rect) in placed.iter_mut().zip(boxes) {
            while let Some(plate) = canvas.free(rect, size) {
                assert!(frame.expand(0.5).contains_rect(plate), "{plate}");
                let overlaps = |other: &Rect| other.intersects(plate);
                assert!(!canvas.plates.iter().any(overlaps), "{plate}");
                canvas.plates.push(plate);
                *count += 1;
            }
        }
        // Above and below, from the left and from the right; those within would touch them.
        assert_eq!(placed[0], 4);
        assert!(placed[1] > 0 && placed[2] > 0, "{placed:?}");
    }

    #[test]
    fn a_picture_larger_than_the_device_takes_is_thinned_out() {
        let bytes: Vec<u8> = (0..5 * 3).collect();
        let picture = Picture::new([5, 3], Channels::Grey, bytes).unwrap();
        assert_eq!(image(&picture, 5).size, [5, 3]);
        let small = image(&picture, 3);
        assert_eq!(small.size, [3, 2]);
        let greys: Vec<u8> = small.pixels.iter().map(|pixel| pixel.r()).collect();
        assert_eq!(greys, [0, 2, 4, 10, 12, 14]);
    }
}
