//! Heat maps over a frame.

use egui::{Color32, ColorImage, TextureHandle, TextureOptions, Ui};

use crate::app::App;
use crate::seen::{Heat, Shown};

/// How fast the top of the scale falls where values stay below it, for each frame.
const FALL: f32 = 0.97;

/// From little to much: violet, magenta, orange, light yellow.
const STOPS: [[f32; 3]; 4] = [
    [70.0, 20.0, 120.0],
    [200.0, 50.0, 120.0],
    [255.0, 150.0, 50.0],
    [255.0, 250.0, 190.0],
];

/// How much of the frame the hottest cell covers.
const COVER: f32 = 0.78;

/// A map on the device that draws.
pub(crate) struct HeatTexture {
    pub texture: TextureHandle,
    heat: Heat,
    ceiling: f32,
}

impl App {
    /// Brings each network's map to the device that draws, once for each map.
    pub(super) fn upload_heats(&mut self, ui: &Ui, shown: &Shown) {
        self.drawn.heats.resize_with(shown.views.len(), || None);
        for (slot, view) in self.drawn.heats.iter_mut().zip(&shown.views) {
            *slot = match (slot.take(), &view.heat) {
                (_, None) => None,
                (Some(old), Some(heat)) if old.heat == *heat => Some(old),
                (old, Some(heat)) => {
                    // Another quantity has another scale.
                    let same_kind = |old: &HeatTexture| old.heat.limit == heat.limit;
                    let before = old.as_ref().filter(|old| same_kind(old));
                    let ceiling = ceiling(heat, before.map_or(0.0, |old| old.ceiling));
                    let image = image(heat, ceiling);
                    let texture = match old {
                        Some(mut old) => {
                            old.texture.set(image, TextureOptions::NEAREST);
                            old.texture
                        }
                        None => ui
                            .ctx()
                            .load_texture("heat", image, TextureOptions::NEAREST),
                    };
                    let heat = heat.clone();
                    Some(HeatTexture {
                        texture,
                        heat,
                        ceiling,
                    })
                }
            };
        }
    }
}

/// The top of the scale: that of the values if it is known, else the largest value lately.
fn ceiling(heat: &Heat, before: f32) -> f32 {
    heat.limit.unwrap_or_else(|| {
        let largest = heat.values.iter().fold(0.0, |a: f32, b| a.max(b.abs()));
        largest.max(before * FALL).max(1e-6)
    })
}

fn image(heat: &Heat, ceiling: f32) -> ColorImage {
    let [width, height] = heat.size;
    let mut colors = heat.values.iter().map(|value| color(value.abs() / ceiling));
    let pixels = std::iter::repeat_with(|| colors.next().unwrap_or_default());
    ColorImage::new(heat.size, pixels.take(width * height).collect())
}

/// The colour of a value from 0 to 1; little shows more of the frame.
fn color(value: f32) -> Color32 {
    let value = if value.is_finite() {
        value.clamp(0.0, 1.0)
    } else {
        1.0
    };
    let at = value * (STOPS.len() - 1) as f32;
    let below = (at as usize).min(STOPS.len() - 2);
    let share = at - below as f32;
    let [red, green, blue] =
        std::array::from_fn(|c| STOPS[below][c] + (STOPS[below + 1][c] - STOPS[below][c]) * share);
    let alpha = 255.0 * COVER * value;
    Color32::from_rgba_unmultiplied(red as u8, green as u8, blue as u8, alpha as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heat(values: &[f32], limit: Option<f32>) -> Heat {
        Heat {
            size: [values.len(), 1],
            values: values.to_vec(),
            limit,
        }
    }

    #[test]
    fn more_covers_more_and_nothing_covers_nothing() {
        assert_eq!(color(0.0).a(), 0);
        let alphas: Vec<u8> = (0..=10)
            .map(|tenth| color(tenth as f32 / 10.0).a())
            .collect();
        assert!(alphas.is_sorted(), "{alphas:?}");
        assert_eq!(color(f32::NAN), color(1.0));
        assert_eq!(color(7.0), color(1.0));
    }

    #[test]
    fn the_scale_rises_at_once_and_falls_slowly() {
        assert_eq!(ceiling(&heat(&[0.2, -3.0], None), 0.0), 3.0);
        assert_eq!(ceiling(&heat(&[0.2], None), 3.0), 3.0 * FALL);
        assert_eq!(ceiling(&heat(&[0.2], Some(1.0)), 3.0), 1.0);
        assert!(ceiling(&heat(&[0.0], None), 0.0) > 0.0);
    }

    #[test]
    fn a_map_with_too_few_values_is_drawn_all_the_same() {
        let mut short = heat(&[1.0], None);
        short.size = [2, 2];
        assert_eq!(image(&short, 1.0).pixels.len(), 4);
    }
}
