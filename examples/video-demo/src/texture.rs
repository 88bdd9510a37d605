//! A texture without a device, and how colours mix. Colours are premultiplied by their alpha.

use egui::epaint::ImageDelta;
use egui::{Color32, ImageData, TextureFilter, TextureOptions};

/// A picture that triangles are filled with.
pub struct Texture {
    size: [usize; 2],
    pixels: Vec<Color32>,
    options: TextureOptions,
}

/// A texel times a colour, both premultiplied.
pub fn tinted(texel: Color32, tint: Color32) -> Color32 {
    if tint == Color32::WHITE {
        return texel;
    }
    let times = |a: u8, b: u8| ((u32::from(a) * u32::from(b) + 127) / 255) as u8;
    Color32::from_rgba_premultiplied(
        times(texel.r(), tint.r()),
        times(texel.g(), tint.g()),
        times(texel.b(), tint.b()),
        times(texel.a(), tint.a()),
    )
}

/// A premultiplied colour over an opaque one.
pub fn over(color: Color32, below: Color32) -> Color32 {
    if color.a() == 255 {
        return color;
    }
    let through = 255 - u32::from(color.a());
    let mix = |new: u8, old: u8| {
        let old = (u32::from(old) * through + 127) / 255;
        (u32::from(new) + old).min(255) as u8
    };
    Color32::from_rgb(
        mix(color.r(), below.r()),
        mix(color.g(), below.g()),
        mix(color.b(), below.b()),
    )
}

impl Texture {
    /// A whole new texture.
    pub fn new(delta: &ImageDelta) -> Self {
        let ImageData::Color(image) = &delta.image;
        Self {
            size: image.size,
            pixels: image.pixels.clone(),
            options: delta.options,
        }
    }

    /// Replaces the part whose upper left corner is `[x, y]`.
    pub fn set_part(&mut self, [x, y]: [usize; 2], delta: &ImageDelta) {
        let ImageData::Color(image) = &delta.image;
        let [width, height] = image.size;
        let rows = image.pixels.chunks_exact(width.max(1)).take(height);
        for (row, pixels) in rows.enumerate() {
            let start = (y + row) * self.size[0] + x;
            if let Some(to) = self.pixels.get_mut(start..start + width) {
                to.copy_from_slice(pixels);
            }
        }
    }

    /// The texel at `[u, v]`, from 0 to 1.
    pub fn sample(&self, [u, v]: [f32; 2]) -> Color32 {
        let (x, y) = (u * self.size[0] as f32, v * self.size[1] as f32);
        match self.options.magnification {
            TextureFilter::Nearest => self.texel(x.floor() as i64, y.floor() as i64),
            TextureFilter::Linear => {
                let (x, y) = (x - 0.5, y - 0.5);
                let (left, top) = (x.floor(), y.floor());
                let (right, lower) = (x - left, y - top);
                let (left, top) = (left as i64, top as i64);
                // Letters lie on whole pixels, but for rounding.
                match (near(right), near(lower)) {
                    (Some(right), Some(lower)) => self.texel(left + right, top + lower),
                    _ => self.blend([left, top], [right, lower]),
                }
            }
        }
    }

    /// Four texels around a point, by how near they are.
    fn blend(&self, [left, top]: [i64; 2], [right, lower]: [f32; 2]) -> Color32 {
        let texel = |x, y| self.texel(x, y).to_array().map(f32::from);
        let blend = |a: [f32; 4], b: [f32; 4], share: f32| -> [f32; 4] {
            std::array::from_fn(|i| a[i] + (b[i] - a[i]) * share)
        };
        let above = blend(texel(left, top), texel(left + 1, top), right);
        let below = blend(texel(left, top + 1), texel(left + 1, top + 1), right);
        let [r, g, b, a] = blend(above, below, lower).map(|value| (value + 0.5) as u8);
        Color32::from_rgba_premultiplied(r, g, b, a)
    }

    fn texel(&self, x: i64, y: i64) -> Color32 {
        let x = x.clamp(0, self.size[0] as i64 - 1) as usize;
        let y = y.clamp(0, self.size[1] as i64 - 1) as usize;
        let color = self.pixels.get(y * self.size[0] + x).copied();
        color.unwrap_or_default()
    }
}

/// 0 or 1, if a share is as good as that.
fn near(share: f32) -> Option<i64> {
    match share {
        share if share < 0.01 => Some(0),
        share if share > 0.99 => Some(1),
        _ => None,
    }
}
