//! Draws egui's triangles without a device.
//!
//! A machine without an adapter renders the picture, too, and renders the same one as every other: positions are
//! whole numbers of 256ths of a pixel, so that neighbouring triangles share each pixel of their edge out without a
//! gap or an overlap. Colours are blended as egui's own painters do, premultiplied and without linearising.

use std::collections::HashMap;

use egui::epaint::{ImageDelta, Primitive, Vertex};
use egui::{ClippedPrimitive, Color32, Mesh, TextureId, TexturesDelta};

use crate::texture::{Texture, over, tinted};

/// Parts of a pixel.
const PARTS: f32 = 256.0;

/// A picture that egui's output is drawn into, and the textures for it.
pub struct Raster {
    size: [usize; 2],
    pixels: Vec<Color32>,
    textures: HashMap<TextureId, Texture>,
}

impl Raster {
    /// A black picture of `[width, height]` pixels.
    pub fn new(size: [usize; 2]) -> Self {
        Self {
            size,
            pixels: vec![Color32::BLACK; size[0] * size[1]],
            textures: HashMap::new(),
        }
    }

    /// `[width, height]` in pixels.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// The pixels, row by row.
    pub fn pixels(&self) -> &[Color32] {
        &self.pixels
    }

    /// Takes over new textures and parts of them.
    pub fn set_textures(&mut self, delta: &TexturesDelta) {
        for (id, image) in &delta.set {
            self.set_texture(*id, image);
        }
    }

    /// Forgets textures, after the frame that used them last.
    pub fn free_textures(&mut self, delta: &TexturesDelta) {
        for id in &delta.free {
            self.textures.remove(id);
        }
    }

    fn set_texture(&mut self, id: TextureId, delta: &ImageDelta) {
        match (delta.pos, self.textures.get_mut(&id)) {
            (Some(corner), Some(texture)) => texture.set_part(corner, delta),
            (Some(_), None) => {}
            (None, _) => {
                self.textures.insert(id, Texture::new(delta));
            }
        }
    }

    /// Draws a frame over a background.
    pub fn draw(&mut self, background: Color32, primitives: &[ClippedPrimitive], scale: f32) {
        self.pixels.fill(background);
        for ClippedPrimitive {
            clip_rect,
            primitive,
        } in primitives
        {
            // The app draws no callbacks, which are for devices.
            let Primitive::Mesh(mesh) = primitive else {
                continue;
            };
            let bound = |value: f32, limit: usize| (value * scale).round().clamp(0.0, limit as f32);
            let clip = Clip {
                left: bound(clip_rect.min.x, self.size[0]) as i64,
                top: bound(clip_rect.min.y, self.size[1]) as i64,
                right: bound(clip_rect.max.x, self.size[0]) as i64,
                bottom: bound(clip_rect.max.y, self.size[1]) as i64,
            };
            self.draw_mesh(mesh, &clip, scale);
        }
    }

    fn draw_mesh(&mut self, mesh: &Mesh, clip: &Clip, scale: f32) {
        let Some(texture) = self.textures.get(&mesh.texture_id) else {
            return;
        };
        let width = self.size[0];
        for indices in mesh.indices.chunks_exact(3) {
            let corner = |index: usize| mesh.vertices.get(indices[index] as usize).copied();
            let (Some(a), Some(b), Some(c)) = (corner(0), corner(1), corner(2)) else {
                continue;
            };
            if let Some(triangle) = Triangle::new([a, b, c], scale) {
                triangle.draw(clip, texture, width, &mut self.pixels);
            }
        }
    }
}

/// The part of the picture that may be drawn to, in pixels.
struct Clip {
    left: i64,
    top: i64,
    right: i64,
    bottom: i64,
}

/// A triangle with its corners in order around it.
struct Triangle {
    corners: [[i64; 2]; 3],
    area: i64,
    vertices: [Vertex; 3],
}

/// A side of a triangle as the function that is 0 on it and positive inside.
#[derive(Clone, Copy)]
struct Side {
    per_x: i64,
    per_y: i64,
    at_origin: i64,
    /// 0 if pixels right on the side belong to this triangle, 1 if to its neighbour.
    bias: i64,
}

impl Side {
    fn new([ax, ay]: [i64; 2], [bx, by]: [i64; 2]) -> Self {
        let (per_x, per_y) = (ay - by, bx - ax);
        Self {
            per_x,
            per_y,
            at_origin: -(per_x * ax + per_y * ay),
            bias: i64::from(!(per_x > 0 || per_x == 0 && per_y > 0)),
        }
    }

    /// Its value at the middle of a pixel.
    fn at(self, x: i64, y: i64) -> i64 {
        let middle = |at: i64| at * PARTS as i64 + PARTS as i64 / 2;
        self.per_x * middle(x) + self.per_y * middle(y) + self.at_origin
    }

    /// Cuts the columns of row `y` to those inside.
    fn cut(self, y: i64, columns: &mut std::ops::Range<i64>) {
        // Inside where `value + step * column >= bias`.
        let value = self.at(0, y) - self.bias;
        let step = self.per_x * PARTS as i64;
        match step.signum() {
            0 if value < 0 => columns.end = columns.start,
            0 => {}
            1 => {
                columns.start = columns
                    .start
                    .max((-value).div_euclid(step) + i64::from((-value).rem_euclid(step) != 0))
            }
            _ => columns.end = columns.end.min(value.div_euclid(-step) + 1),
        }
    }
}

impl Triangle {
    /// Nothing if it has no area.
    fn new(mut vertices: [Vertex; 3], scale: f32) -> Option<Self> {
        let snap = |vertex: &Vertex| {
            [vertex.pos.x, vertex.pos.y].map(|at| {
                let parts = (at * scale * PARTS).round();
                // Far outside is as good as anywhere outside, and sums stay within 64 bits.
                parts.clamp(-4e6 * PARTS, 4e6 * PARTS) as i64
            })
        };
        let area = |[a, b, c]: [[i64; 2]; 3]| {
            (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        };
        if vertices.iter().any(|vertex| !vertex.pos.is_finite()) {
            return None;
        }
        let mut corners = vertices.each_ref().map(snap);
        if area(corners) < 0 {
            vertices.swap(1, 2);
            corners.swap(1, 2);
        }
        let area = area(corners);
        (area > 0).then_some(Self {
            corners,
            area,
            vertices,
        })
    }

    fn draw(&self, clip: &Clip, texture: &Texture, width: usize, pixels: &mut [Color32]) {
        let [a, b, c] = self.corners;
        // The weight of a corner is the side opposite to it.
        let sides = [Side::new(b, c), Side::new(c, a), Side::new(a, b)];
        let row = |part: i64| part.div_euclid(PARTS as i64);
        let ys = [a[1], b[1], c[1]];
        let top = row(ys.into_iter().min().unwrap_or(0)).max(clip.top);
        let bottom = (row(ys.into_iter().max().unwrap_or(0)) + 1).min(clip.bottom);
        let constant = self.constant(texture);
        for y in top..bottom {
            let mut columns = clip.left..clip.right;
            sides.iter().for_each(|side| side.cut(y, &mut columns));
            if columns.is_empty() {
                continue;
            }
            let start = y as usize * width;
            let span = start + columns.start as usize..start + columns.end as usize;
            let Some(span) = pixels.get_mut(span) else {
                continue;
            };
            match constant {
                Some(color) if color.a() == 255 => span.fill(color),
                Some(Color32::TRANSPARENT) => {}
                Some(color) => span
                    .iter_mut()
                    .for_each(|pixel| *pixel = over(color, *pixel)),
                None => self.draw_span(&sides, columns.start, y, texture, span),
            }
        }
    }

    /// The colour of its corners, if they share one.
    fn tint(&self) -> Option<Color32> {
        let [a, b, c] = &self.vertices;
        (a.color == b.color && a.color == c.color).then_some(a.color)
    }

    /// The colour of all of it, if it has only one.
    fn constant(&self, texture: &Texture) -> Option<Color32> {
        let [a, b, c] = &self.vertices;
        let tint = self.tint().filter(|_| a.uv == b.uv && a.uv == c.uv)?;
        Some(tinted(texture.sample([a.uv.x, a.uv.y]), tint))
    }

    fn draw_span(
        &self,
        sides: &[Side; 3],
        x: i64,
        y: i64,
        texture: &Texture,
        span: &mut [Color32],
    ) {
        // Colours and texture coordinates are linear: at the first pixel, and from one to the next.
        let area = self.area as f32;
        let weights = sides.map(|side| side.at(x, y) as f32 / area);
        let steps = sides.map(|side| (side.per_x * PARTS as i64) as f32 / area);
        let uvs = self
            .vertices
            .each_ref()
            .map(|vertex| [vertex.uv.x, vertex.uv.y]);
        let (uv, uv_step) = (mix(weights, uvs), mix(steps, uvs));
        let uv_at = |index: usize| -> [f32; 2] {
            std::array::from_fn(|i| uv[i] + uv_step[i] * index as f32)
        };
        // Pictures and letters have one colour, which saves most of the work.
        if let Some(tint) = self.tint() {
            for (index, pixel) in span.iter_mut().enumerate() {
                let texel = texture.sample(uv_at(index));
                if texel != Color32::TRANSPARENT {
                    *pixel = over(tinted(texel, tint), *pixel);
                }
            }
            return;
        }
        let colors = self
            .vertices
            .each_ref()
            .map(|vertex| vertex.color.to_array().map(f32::from));
        let (color, color_step) = (mix(weights, colors), mix(steps, colors));
        for (index, pixel) in span.iter_mut().enumerate() {
            let [r, g, b, a] = std::array::from_fn(|i| {
                (color[i] + color_step[i] * index as f32 + 0.5).clamp(0.0, 255.0) as u8
            });
            let color = Color32::from_rgba_premultiplied(r, g, b, a);
            *pixel = over(tinted(texture.sample(uv_at(index)), color), *pixel);
        }
    }
}

/// A sum of what three corners have, by their weights.
fn mix<const N: usize>(weights: [f32; 3], corners: [[f32; N]; 3]) -> [f32; N] {
    std::array::from_fn(|i| {
        weights[0] * corners[0][i] + weights[1] * corners[1][i] + weights[2] * corners[2][i]
    })
}

#[cfg(test)]
mod tests {
    use egui::{Pos2, Rect, TextureOptions, pos2};

    use super::*;

    const WHITE: TextureId = TextureId::Managed(0);

    fn raster(size: [usize; 2]) -> Raster {
        let mut raster = Raster::new(size);
        let white = egui::ColorImage::filled([1, 1], Color32::WHITE);
        let delta = TexturesDelta {
            set: vec![(WHITE, ImageDelta::full(white, TextureOptions::LINEAR))],
            free: Vec::new(),
        };
        raster.set_textures(&delta);
        raster
    }

    fn clipped(size: [usize; 2], corners: &[Pos2], color: Color32) -> ClippedPrimitive {
        let mut mesh = Mesh::with_texture(WHITE);
        for corner in corners {
            mesh.colored_vertex(*corner, color);
        }
        for last in 2..corners.len() as u32 {
            mesh.add_triangle(0, last - 1, last);
        }
        ClippedPrimitive {
            clip_rect: Rect::from_min_size(Pos2::ZERO, egui::vec2(size[0] as f32, size[1] as f32)),
            primitive: Primitive::Mesh(mesh),
        }
    }

    #[test]
    fn triangles_side_by_side_leave_no_gap_and_no_overlap() {
        let size = [40, 30];
        // Half transparent, so that a pixel that is drawn twice shows.
        let half = Color32::from_rgba_premultiplied(100, 0, 0, 128);
        let fan: Vec<Pos2> = [
            (0.0, 0.0),
            (13.37, 0.0),
            (40.0, 0.0),
            (40.0, 21.1),
            (40.0, 30.0),
            (7.7, 30.0),
            (0.0, 30.0),
            (0.0, 17.25),
        ]
        .map(|(x, y)| pos2(x, y))
        .to_vec();
        for corner in 0..fan.len() {
            let mut turned = fan.clone();
            turned.rotate_left(corner);
            let mut raster = raster(size);
            raster.draw(Color32::BLACK, &[clipped(size, &turned, half)], 1.0);
            let other = raster.pixels().iter().filter(|pixel| pixel.r() != 100);
            assert_eq!(other.count(), 0, "from corner {corner}");
        }
    }

    #[test]
    fn a_rectangle_covers_the_pixels_whose_middles_it_covers() {
        let size = [6, 4];
        let corners = [(1.5, 1.0), (4.5, 1.0), (4.5, 3.0), (1.5, 3.0)].map(|(x, y)| pos2(x, y));
        let mut raster = raster(size);
        raster.draw(
            Color32::BLACK,
            &[clipped(size, &corners, Color32::RED)],
            1.0,
        );
        let rows: Vec<String> = raster
            .pixels()
            .chunks(6)
            .map(|row| {
                let letters = row
                    .iter()
                    .map(|pixel| if pixel.r() > 0 { '#' } else { '.' });
                letters.collect()
            })
            .collect();
        assert_eq!(rows, ["......", ".###..", ".###..", "......"]);
    }

    #[test]
    fn drawing_stays_in_its_clip_and_in_the_picture() {
        let size = [6, 4];
        let corners = [(-1e9, -50.0), (90.0, -50.0), (90.0, 1e9)].map(|(x, y)| pos2(x, y));
        let mut primitive = clipped(size, &corners, Color32::RED);
        primitive.clip_rect = Rect::from_min_max(pos2(2.0, 1.0), pos2(99.0, 3.0));
        let mut raster = raster(size);
        raster.draw(Color32::BLACK, &[primitive], 1.0);
        let outside = raster.pixels().chunks(6).enumerate().any(|(y, row)| {
            let mut pixels = row.iter().enumerate();
            pixels.any(|(x, pixel)| pixel.r() > 0 && !((2..6).contains(&x) && (1..3).contains(&y)))
        });
        assert!(!outside);
        assert!(raster.pixels().iter().any(|pixel| pixel.r() > 0));
        raster.draw(
            Color32::BLACK,
            &[clipped(size, &[Pos2::new(f32::NAN, 0.0); 3], Color32::RED)],
            1.0,
        );
        assert!(raster.pixels().iter().all(|pixel| *pixel == Color32::BLACK));
    }

    #[test]
    fn colours_run_from_corner_to_corner() {
        let size = [100, 1];
        let mut mesh = Mesh::with_texture(WHITE);
        for (x, color) in [(0.0, Color32::BLACK), (100.0, Color32::WHITE)] {
            mesh.colored_vertex(pos2(x, 0.0), color);
            mesh.colored_vertex(pos2(x, 1.0), color);
        }
        mesh.add_triangle(0, 1, 2);
        mesh.add_triangle(2, 1, 3);
        let mut raster = raster(size);
        let mut primitive = clipped(size, &[], Color32::RED);
        primitive.primitive = Primitive::Mesh(mesh);
        raster.draw(Color32::BLACK, &[primitive], 1.0);
        let greys: Vec<u8> = raster.pixels().iter().map(|pixel| pixel.g()).collect();
        assert!(greys.is_sorted());
        assert!(
            greys[0] < 3 && greys[99] > 252 && (125..131).contains(&greys[50]),
            "{greys:?}"
        );
    }
}
