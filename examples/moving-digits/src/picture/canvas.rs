//! A picture to draw on: rectangles, lines, text and frames of a video.

use ab_glyph::{Font, FontRef, ScaleFont, point};
use thiserror::Error;
use tiny_skia::{
    FillRule, IntSize, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, PremultipliedColorU8,
    Rect, Stroke, StrokeDash, Transform,
};

use crate::frame::{Frame, SIDE};

/// Red, green and blue.
pub type Color = [u8; 3];

const MEDIUM: &[u8] = include_bytes!("../../assets/Inter-Medium.ttf");
const BOLD: &[u8] = include_bytes!("../../assets/Inter-Bold.ttf");

/// Why a picture cannot be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PictureError {
    /// It has no pixels, or too many.
    #[error("a picture cannot be {width} by {height} pixels")]
    Size {
        /// The width.
        width: u32,
        /// The height.
        height: u32,
    },
    /// It cannot be encoded as a PNG.
    #[error("cannot encode a PNG: {0}")]
    Png(String),
    /// A file is no PNG.
    #[error("not a PNG: {0}")]
    NotPng(String),
    /// It cannot be encoded as a GIF.
    #[error("cannot encode a GIF: {0}")]
    Gif(#[from] gif::EncodingError),
}

/// Where a text stands to the point that it is drawn at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// To the right of it.
    Left,
    /// Around it.
    Center,
    /// To the left of it.
    Right,
}

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TextStyle {
    /// The size of its em, in pixels.
    pub size: f32,
    /// Whether it is bold.
    pub bold: bool,
    /// Its colour.
    pub color: Color,
}

/// A picture to draw on. Coordinates are in pixels from the upper left corner.
#[derive(Debug, Clone, PartialEq)]
pub struct Canvas {
    pixmap: Pixmap,
}

impl Canvas {
    /// A picture of one colour.
    ///
    /// # Errors
    ///
    /// If it has no pixels, or too many.
    pub fn new(width: u32, height: u32, color: Color) -> Result<Self, PictureError> {
        let size = IntSize::from_wh(width, height).and_then(|_| Pixmap::new(width, height));
        let mut pixmap = size.ok_or(PictureError::Size { width, height })?;
        pixmap.fill(opaque(color));
        Ok(Self { pixmap })
    }

    /// A picture of the given colours, row by row; what is missing is black.
    ///
    /// # Errors
    ///
    /// If it has no pixels, or too many.
    pub fn from_pixels(
        width: u32,
        height: u32,
        colors: impl IntoIterator<Item = Color>,
    ) -> Result<Self, PictureError> {
        let mut canvas = Self::new(width, height, [0; 3])?;
        for (pixel, color) in canvas.pixmap.pixels_mut().iter_mut().zip(colors) {
            let [red, green, blue] = color;
            if let Some(color) = PremultipliedColorU8::from_rgba(red, green, blue, 255) {
                *pixel = color;
            }
        }
        Ok(canvas)
    }

    /// The picture of a PNG file, without its transparency.
    ///
    /// # Errors
    ///
    /// If it is no such file.
    pub fn from_png(file: &[u8]) -> Result<Self, PictureError> {
        let pixmap =
            Pixmap::decode_png(file).map_err(|error| PictureError::NotPng(error.to_string()))?;
        Ok(Self { pixmap })
    }

    /// The width.
    pub fn width(&self) -> u32 {
        self.pixmap.width()
    }

    /// The height.
    pub fn height(&self) -> u32 {
        self.pixmap.height()
    }

    /// The colours, row by row.
    pub fn pixels(&self) -> impl Iterator<Item = Color> {
        self.pixmap
            .pixels()
            .iter()
            .map(|pixel| [pixel.red(), pixel.green(), pixel.blue()])
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    ///
    /// If it cannot be encoded.
    pub fn to_png(&self) -> Result<Vec<u8>, PictureError> {
        self.pixmap
            .encode_png()
            .map_err(|error| PictureError::Png(error.to_string()))
    }

    /// Fills a rectangle `[x, y, width, height]`, `alpha` from 0, invisible, to 1.
    pub fn fill(&mut self, [x, y, width, height]: [f32; 4], color: Color, alpha: f32) {
        if let Some(rect) = Rect::from_xywh(x, y, width, height) {
            self.pixmap
                .fill_rect(rect, &paint(color, alpha), Transform::identity(), None);
        }
    }

    /// Fills a rectangle with rounded corners.
    pub fn fill_rounded(&mut self, rect: [f32; 4], radius: f32, color: Color) {
        if let Some(path) = rounded(rect, radius) {
            let (rule, paint) = (FillRule::Winding, paint(color, 1.0));
            self.pixmap
                .fill_path(&path, &paint, rule, Transform::identity(), None);
        }
    }

    /// Draws the outline of a rectangle with rounded corners.
    pub fn outline(&mut self, rect: [f32; 4], radius: f32, color: Color, width: f32) {
        if let Some(path) = rounded(rect, radius) {
            self.stroke(&path, color, width, false);
        }
    }

    /// Draws a line through points `[x, y]`.
    pub fn line(&mut self, points: &[[f32; 2]], color: Color, width: f32, dashed: bool) {
        let mut path = PathBuilder::new();
        for (index, [x, y]) in points.iter().enumerate() {
            if index == 0 {
                path.move_to(*x, *y)
            } else {
                path.line_to(*x, *y)
            }
        }
        if let Some(path) = path.finish() {
            self.stroke(&path, color, width, dashed);
        }
    }

    fn stroke(&mut self, path: &Path, color: Color, width: f32, dashed: bool) {
        let stroke = Stroke {
            width,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            dash: dashed
                .then(|| StrokeDash::new(vec![6.0, 5.0], 0.0))
                .flatten(),
            ..Stroke::default()
        };
        self.pixmap.stroke_path(
            path,
            &paint(color, 1.0),
            &stroke,
            Transform::identity(),
            None,
        );
    }

    /// Draws a frame of a video with its upper left corner at `[x, y]`, `scale` pixels a pixel.
    ///
    /// # Panics
    ///
    /// If it does not fit.
    pub fn frame(&mut self, [x, y]: [usize; 2], scale: usize, frame: &Frame) {
        let stride = self.width() as usize;
        let pixels = self.pixmap.pixels_mut();
        for row in 0..SIDE * scale {
            let line = &mut pixels[(y + row) * stride + x..][..SIDE * scale];
            let source = &frame.pixels()[row / scale * SIDE..][..SIDE];
            for (targets, grey) in line.chunks_exact_mut(scale).zip(source) {
                // Few shades of grey keep a GIF small and are hardly seen.
                let grey = ((grey.clamp(0.0, 1.0) * 15.0).round() * 17.0) as u8;
                targets.fill(opaque([grey; 3]).premultiply().to_color_u8());
            }
        }
    }

    /// Writes a line of text on the base line through `[x, y]`.
    pub fn text(&mut self, [x, y]: [f32; 2], align: Align, style: TextStyle, text: &str) {
        let font = font(style.bold);
        let scaled = font.as_scaled(em(&font, style.size));
        let width = text_width(style, text);
        let mut cursor = match align {
            Align::Left => x,
            Align::Center => x - width / 2.0,
            Align::Right => x - width,
        };
        let [columns, rows] = [self.width(), self.height()].map(i64::from);
        for character in text.chars() {
            let mut glyph = scaled.scaled_glyph(character);
            glyph.position = point(cursor, y);
            cursor += scaled.h_advance(glyph.id);
            let Some(outline) = font.outline_glyph(glyph) else {
                continue;
            };
            let bounds = outline.px_bounds();
            outline.draw(|column, row, coverage| {
                let column = i64::from(column) + bounds.min.x as i64;
                let row = i64::from(row) + bounds.min.y as i64;
                if (0..columns).contains(&column) && (0..rows).contains(&row) {
                    self.blend((row * columns + column) as usize, style.color, coverage);
                }
            });
        }
    }

    fn blend(&mut self, index: usize, color: Color, alpha: f32) {
        let pixel = &mut self.pixmap.pixels_mut()[index];
        let old = [pixel.red(), pixel.green(), pixel.blue()].map(f32::from);
        let mix = |new: u8, old: f32| (old + (f32::from(new) - old) * alpha.clamp(0.0, 1.0)) as u8;
        let new = [
            mix(color[0], old[0]),
            mix(color[1], old[1]),
            mix(color[2], old[2]),
        ];
        *pixel = opaque(new).premultiply().to_color_u8();
    }
}

/// The width of a line of text, in pixels.
pub fn text_width(style: TextStyle, text: &str) -> f32 {
    let font = font(style.bold);
    let scaled = font.as_scaled(em(&font, style.size));
    text.chars()
        .map(|character| scaled.h_advance(scaled.glyph_id(character)))
        .sum()
}

fn font(bold: bool) -> FontRef<'static> {
    let font = FontRef::try_from_slice(if bold { BOLD } else { MEDIUM });
    font.expect("the embedded fonts, which a test reads")
}

/// `ab_glyph` scales by a font's height; text sizes are given by its em.
fn em(font: &impl Font, size: f32) -> f32 {
    font.units_per_em()
        .map_or(size, |units| size * font.height_unscaled() / units)
}

fn opaque([red, green, blue]: Color) -> tiny_skia::Color {
    tiny_skia::Color::from_rgba8(red, green, blue, 255)
}

fn paint([red, green, blue]: Color, alpha: f32) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(
        red,
        green,
        blue,
        (alpha.clamp(0.0, 1.0) * 255.0).round() as u8,
    );
    paint
}

/// A rectangle `[x, y, width, height]` with rounded corners.
fn rounded([x, y, width, height]: [f32; 4], radius: f32) -> Option<Path> {
    let (right, bottom) = (x + width, y + height);
    let mut path = PathBuilder::new();
    path.move_to(x + radius, y);
    path.line_to(right - radius, y);
    path.quad_to(right, y, right, y + radius);
    path.line_to(right, bottom - radius);
    path.quad_to(right, bottom, right - radius, bottom);
    path.line_to(x + radius, bottom);
    path.quad_to(x, bottom, x, bottom - radius);
    path.line_to(x, y + radius);
    path.quad_to(x, y, x + radius, y);
    path.close();
    path.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: TextStyle = TextStyle {
        size: 16.0,
        bold: true,
        color: [255; 3],
    };

    #[test]
    fn the_embedded_fonts_have_every_character_of_the_labels() {
        for bold in [false, true] {
            let font = font(bold);
            for character in (' '..='~').chain("·–×…".chars()) {
                assert_ne!(font.glyph_id(character).0, 0, "{character:?}");
            }
        }
    }

    #[test]
    fn text_is_drawn_where_it_is_aligned_and_cut_off_at_the_edges() {
        let inked = |align| {
            let mut canvas = Canvas::new(200, 30, [0; 3]).unwrap();
            canvas.text([100.0, 20.0], align, STYLE, "digits");
            let columns: Vec<usize> = canvas
                .pixels()
                .enumerate()
                .filter(|(_, color)| *color != [0; 3])
                .map(|(at, _)| at % 200)
                .collect();
            (
                *columns.iter().min().unwrap(),
                *columns.iter().max().unwrap(),
            )
        };
        assert!(inked(Align::Left).0 >= 100);
        assert!(inked(Align::Right).1 <= 100);
        let (left, right) = inked(Align::Center);
        assert!(left < 100 && right > 100 && (200 - left - right) < 4);

        let mut canvas = Canvas::new(8, 8, [0; 3]).unwrap();
        canvas.text(
            [-20.0, 40.0],
            Align::Left,
            TextStyle {
                size: 60.0,
                ..STYLE
            },
            "digits",
        );
        assert!(canvas.pixels().any(|color| color == [255; 3]));
    }

    #[test]
    fn a_frame_is_drawn_to_scale() {
        let mut frame = Frame::black();
        frame.pixels_mut()[SIDE + 2] = 1.0;
        let mut canvas = Canvas::new(140, 140, [0; 3]).unwrap();
        canvas.frame([5, 7], 2, &frame);
        let white: Vec<usize> = canvas
            .pixels()
            .enumerate()
            .filter(|(_, color)| *color == [255; 3])
            .map(|(at, _)| at)
            .collect();
        let expected = [(9, 9), (10, 9), (9, 10), (10, 10)].map(|(x, y)| y * 140 + x);
        assert_eq!(white, expected);
    }

    #[test]
    fn an_empty_picture_is_an_error() {
        let error = Canvas::new(0, 5, [0; 3]).unwrap_err();
        assert_eq!(error.to_string(), "a picture cannot be 0 by 5 pixels");
    }
}
