//! The app without a window: someone has to draw it.

use egui::{Context, FullOutput, Pos2, RawInput, Rect, ViewportId, pos2};
use moving_digits::picture::{Canvas, PictureError};
use thiserror::Error;
use video_demo_app::App;

use crate::raster::Raster;

/// Why there is no picture.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PaintError {
    /// It cannot be so large.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The device that draws failed.
    #[error("the device that draws failed: {0}")]
    Device(String),
}

/// Draws what egui puts out.
pub trait Painter: Send {
    /// Draws a frame of egui's, or with `wanted` false only takes over its textures.
    ///
    /// # Errors
    ///
    /// If the device fails.
    fn paint(
        &mut self,
        ctx: &Context,
        output: FullOutput,
        wanted: bool,
    ) -> Result<Option<Canvas>, PaintError>;
}

/// Draws on the CPU, on any machine.
impl Painter for Raster {
    fn paint(
        &mut self,
        ctx: &Context,
        output: FullOutput,
        wanted: bool,
    ) -> Result<Option<Canvas>, PaintError> {
        self.set_textures(&output.textures_delta);
        let picture = match wanted {
            false => None,
            true => {
                let scale = output.pixels_per_point;
                let primitives = ctx.tessellate(output.shapes, scale);
                let background = ctx.global_style().visuals.panel_fill;
                self.draw(background, &primitives, scale);
                let [width, height] = self.size().map(|side| side as u32);
                let colors = self.pixels().iter();
                let colors = colors.map(|color| [color.r(), color.g(), color.b()]);
                Some(Canvas::from_pixels(width, height, colors)?)
            }
        };
        self.free_textures(&output.textures_delta);
        Ok(picture)
    }
}

/// A screen of a fixed size that an app is shown on.
pub struct Stage {
    ctx: Context,
    painter: Box<dyn Painter>,
    /// `[width, height]` in pixels.
    size: [usize; 2],
    /// Pixels a point.
    scale: f32,
}

impl Stage {
    /// A screen of `size = [width, height]` pixels, `scale` of which are a point.
    pub fn new(painter: Box<dyn Painter>, size: [usize; 2], scale: f32) -> Self {
        let ctx = Context::default();
        Self {
            ctx,
            painter,
            size,
            scale,
        }
    }

    /// Shows the app at `time`, in seconds, and draws it if that is `wanted`.
    ///
    /// # Errors
    ///
    /// If the picture cannot be drawn.
    pub fn show(
        &mut self,
        app: &mut App,
        time: f64,
        wanted: bool,
    ) -> Result<Option<Canvas>, PaintError> {
        let scale = self.scale * self.ctx.zoom_factor();
        let points = self.size.map(|side| side as f32 / scale);
        let mut input = RawInput {
            screen_rect: Some(Rect::from_min_max(Pos2::ZERO, pos2(points[0], points[1]))),
            time: Some(time),
            ..RawInput::default()
        };
        if let Some(viewport) = input.viewports.get_mut(&ViewportId::ROOT) {
            viewport.native_pixels_per_point = Some(self.scale);
        }
        let output = self.ctx.run_ui(input, |ui| app.show(ui));
        self.painter.paint(&self.ctx, output, wanted)
    }
}
