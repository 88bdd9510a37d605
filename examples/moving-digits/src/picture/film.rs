//! A video, the truth, and what each network believes, side by side.

use super::canvas::{Align, Canvas, Color, PictureError, TextStyle, text_width};
use crate::clip::Clip;
use crate::detection::{Belief, Detection};
use crate::frame::SIDE;
use crate::score::matches;
use crate::video::{CELL, DIGITS, MAP, SPRITE};

const BACKGROUND: Color = [0x11, 0x15, 0x1c];
const SURFACE: Color = [0x22, 0x29, 0x33];
const TEXT: Color = [0xe8, 0xed, 0xf2];
const MUTED: Color = [0x8d, 0x98, 0xa6];
const TRUTH: Color = [0xff, 0xd4, 0x5e];
const RIGHT: Color = [0x2f, 0xd6, 0xb5];
const WRONG: Color = [0xff, 0x5d, 0x73];
const DAMAGE: Color = [0xff, 0x9a, 0x3c];

const MARGIN: usize = 20;
const GAP: usize = 14;
const HEADER: usize = 76;
/// Height of a row of the timeline, and of what is below it.
const ROW: usize = 20;
const FOOTER: usize = 44;
/// Width of the timeline's labels.
const LABELS: usize = 128;

const TITLE: TextStyle = TextStyle {
    size: 16.0,
    bold: true,
    color: TEXT,
};
const LABEL: TextStyle = TextStyle {
    size: 13.0,
    bold: false,
    color: MUTED,
};

/// What one network makes of the video.
#[derive(Debug, Clone)]
pub struct Panel {
    /// Its name.
    pub name: String,
    /// What it believes about each frame.
    pub beliefs: Vec<Belief>,
    /// The threshold of a detection.
    pub threshold: f32,
}

/// A video with the truth and a panel for each network.
#[derive(Debug, Clone)]
pub struct Film<'a> {
    /// The video.
    pub clip: &'a Clip,
    /// The networks.
    pub panels: &'a [Panel],
}

impl Film<'_> {
    /// Every frame, drawn.
    ///
    /// # Errors
    ///
    /// If there are more panels than fit a picture.
    pub fn draw(&self) -> Result<Vec<Canvas>, PictureError> {
        (0..self.clip.frames.len())
            .map(|frame| self.draw_frame(frame))
            .collect()
    }

    /// Frame number `frame`, drawn.
    ///
    /// # Errors
    ///
    /// If there are more panels than fit a picture.
    pub fn draw_frame(&self, frame: usize) -> Result<Canvas, PictureError> {
        let side = SIDE * self.scale();
        let columns = 1 + self.panels.len();
        let width = 2 * MARGIN + columns * side + (columns - 1) * GAP;
        let height = HEADER + side + GAP + ROW * (1 + self.panels.len()) + FOOTER;
        let mut canvas = Canvas::new(width as u32, height as u32, BACKGROUND)?;
        self.draw_header(&mut canvas, frame);
        for column in 0..columns {
            let x = MARGIN + column * (side + GAP);
            self.draw_panel(&mut canvas, column, [x, HEADER], frame);
        }
        self.draw_timeline(&mut canvas, HEADER + side + GAP, frame);
        Ok(canvas)
    }

    /// Pixels of the picture a pixel of the video.
    fn scale(&self) -> usize {
        if self.panels.len() <= 2 { 4 } else { 3 }
    }

    fn draw_header(&self, canvas: &mut Canvas, frame: usize) {
        let total = self.clip.frames.len();
        let text = format!("frame {} of {total}", frame + 1);
        canvas.text([MARGIN as f32, 32.0], Align::Left, LABEL, &text);
        let right = canvas.width() as f32 - MARGIN as f32;
        let style = TextStyle {
            bold: true,
            ..LABEL
        };
        match self.clip.damage[frame] {
            None => canvas.text([right, 32.0], Align::Right, style, "undamaged"),
            Some(damage) => {
                let text = format!("damaged: {}", damage.name());
                let width = text_width(style, &text) + 20.0;
                canvas.fill_rounded([right - width, 16.0, width, 24.0], 12.0, DAMAGE);
                let style = TextStyle {
                    color: BACKGROUND,
                    ..style
                };
                canvas.text([right - 10.0, 32.5], Align::Right, style, &text);
            }
        }
    }

    /// Column 0 is the truth, the others are the networks.
    fn draw_panel(&self, canvas: &mut Canvas, column: usize, [x, y]: [usize; 2], frame: usize) {
        let scale = self.scale();
        let side = (SIDE * scale) as f32;
        let [left, top] = [x, y].map(|at| at as f32);
        canvas.frame([x, y], scale, &self.clip.frames[frame]);
        let view = View {
            origin: [left, top],
            scale: scale as f32,
        };
        let title = match column.checked_sub(1) {
            None => {
                for object in &self.clip.truth[frame] {
                    view.draw_box(canvas, object.center, TRUTH, &object.class.to_string());
                }
                "what is there"
            }
            Some(network) => {
                let panel = &self.panels[network];
                let belief = &panel.beliefs[frame];
                view.draw_belief(canvas, belief);
                let mut seen = belief.detections(panel.threshold);
                // The surest is drawn last, over the others.
                seen.sort_by(|a, b| a.score.total_cmp(&b.score));
                let found = matches(&seen, &self.clip.truth[frame]);
                for (detection, object) in seen.iter().zip(found) {
                    let color = if object.is_some() { RIGHT } else { WRONG };
                    let label = format!("{} · {:.0}%", detection.class, 100.0 * detection.score);
                    view.draw_box(canvas, detection.center(), color, &label);
                }
                &panel.name
            }
        };
        canvas.text([left, top - 11.0], Align::Left, TITLE, title);
        let (edge, width) = match self.clip.damage[frame] {
            Some(_) => (DAMAGE, 3.0),
            None => (SURFACE, 1.5),
        };
        canvas.outline(
            [left - 1.0, top - 1.0, side + 2.0, side + 2.0],
            2.0,
            edge,
            width,
        );
    }

    fn draw_timeline(&self, canvas: &mut Canvas, top: usize, now: usize) {
        let start = (MARGIN + LABELS) as f32;
        let step = (canvas.width() as f32 - start - MARGIN as f32) / self.clip.frames.len() as f32;
        let names = self.panels.iter().map(|panel| panel.name.as_str());
        for (row, name) in std::iter::once("damage").chain(names).enumerate() {
            let y = (top + row * ROW) as f32;
            canvas.text([MARGIN as f32, y + 13.0], Align::Left, LABEL, name);
            for frame in 0..self.clip.frames.len() {
                let height = ROW as f32 - 4.0;
                let cell = [start + frame as f32 * step, y, step - 2.0, height];
                canvas.fill(cell, SURFACE, 1.0);
                if frame > now {
                    continue;
                }
                match row.checked_sub(1) {
                    None if self.clip.damage[frame].is_some() => canvas.fill(cell, DAMAGE, 1.0),
                    None => {}
                    Some(network) => self.draw_tally(canvas, cell, network, frame),
                }
            }
        }
        let rows = ((1 + self.panels.len()) * ROW) as f32;
        let mark = [
            start + now as f32 * step - 2.0,
            top as f32 - 2.0,
            step + 2.0,
            rows,
        ];
        canvas.outline(mark, 2.0, TEXT, 1.2);
        self.draw_legend(canvas, start, top as f32 + rows + 20.0);
    }

    /// Digits found fill the cell from below, each its share; a wrong one marks its top.
    fn draw_tally(&self, canvas: &mut Canvas, cell: [f32; 4], network: usize, frame: usize) {
        let panel = &self.panels[network];
        let seen: Vec<Detection> = panel.beliefs[frame].detections(panel.threshold);
        let found = matches(&seen, &self.clip.truth[frame])
            .iter()
            .flatten()
            .count();
        let [x, y, width, height] = cell;
        let share = height * found as f32 / DIGITS as f32;
        canvas.fill([x, y + height - share, width, share], RIGHT, 1.0);
        if found < seen.len() {
            canvas.fill([x, y, width, 4.0], WRONG, 1.0);
        }
    }

    fn draw_legend(&self, canvas: &mut Canvas, mut x: f32, y: f32) {
        let style = TextStyle {
            size: 12.0,
            ..LABEL
        };
        let entries = [
            (DAMAGE, 12.0, "damaged frame"),
            (RIGHT, 12.0, "both digits found"),
            (RIGHT, 6.0, "one of them"),
            (WRONG, 4.0, "a wrong one"),
        ];
        for (color, height, text) in entries {
            canvas.fill([x, y - 10.0, 12.0, 12.0], SURFACE, 1.0);
            let top = if color == WRONG {
                y - 10.0
            } else {
                y + 2.0 - height
            };
            canvas.fill([x, top, 12.0, height], color, 1.0);
            canvas.text([x + 18.0, y], Align::Left, style, text);
            x += 18.0 + text_width(style, text) + 22.0;
        }
    }
}

/// Where a frame of the video lies in the picture.
struct View {
    origin: [f32; 2],
    scale: f32,
}

impl View {
    /// A box of a digit's size around a `center` of `[row, column]`, with a label above it, or
    /// below where there is no room.
    fn draw_box(&self, canvas: &mut Canvas, center: [f32; 2], color: Color, label: &str) {
        let limit = SIDE as f32;
        let half = SPRITE as f32 / 2.0;
        let [(top, bottom), (left, right)] =
            center.map(|at| ((at - half).max(0.5), (at + half).min(limit - 0.5)));
        let [x, y] = [
            self.origin[0] + left * self.scale,
            self.origin[1] + top * self.scale,
        ];
        let [width, height] = [right - left, bottom - top].map(|side| side * self.scale);
        canvas.outline([x, y, width, height], 5.0, color, 2.5);

        let style = TextStyle {
            size: 14.0,
            bold: true,
            color: BACKGROUND,
        };
        let plate = [text_width(style, label) + 12.0, 19.0];
        let end = self.origin[0] + limit * self.scale;
        let plate_x = x.min(end - plate[0] - 1.0);
        let above = y - plate[1] + 3.0;
        let plate_y = if above < self.origin[1] {
            y + height - 3.0
        } else {
            above
        };
        canvas.fill_rounded([plate_x, plate_y, plate[0], plate[1]], 5.0, color);
        canvas.text([plate_x + 6.0, plate_y + 14.5], Align::Left, style, label);
    }

    /// A tint over every cell, the stronger the surer the network is of a digit there.
    fn draw_belief(&self, canvas: &mut Canvas, belief: &Belief) {
        let side = CELL as f32 * self.scale;
        for (row, column) in (0..MAP * MAP).map(|at| (at / MAP, at % MAP)) {
            let (_, probability) = belief.best([row, column]);
            let alpha = (probability * 8.0).round() / 8.0 * 0.45;
            let x = self.origin[0] + column as f32 * side;
            let y = self.origin[1] + row as f32 * side;
            if alpha > 0.0 {
                canvas.fill([x, y, side, side], RIGHT, alpha);
            }
        }
    }
}
