//! Prior boxes: what a network's box codes are relative to.

use burn::config::Config;

use super::CenterBox;

/// The prior boxes of a detector with several maps (Liu et al., *SSD*, 2016, section 2.2, as the
/// TensorFlow Object Detection API makes them).
///
/// Map `i` of `n` has the scale `s_i`, evenly spaced from the smallest to the largest; `s_n` is 1.
/// In each of its cells are a prior for every aspect ratio `r`, `s_i / sqrt(r)` high and
/// `s_i * sqrt(r)` wide, and a square one of the scale `sqrt(s_i * s_(i+1))`. The finest map has
/// three alone, which saves half of its arithmetic: a square one of scale 0.1, and those of the
/// ratios 2 and 1/2. Priors may reach out of the picture.
#[derive(Config, Debug, PartialEq)]
pub struct PriorsConfig {
    /// The `[height, width]` of each map, finest first.
    pub maps: Vec<[usize; 2]>,
    /// The scale on the finest map, as a fraction of the picture.
    #[config(default = 0.2)]
    pub min_scale: f64,
    /// The scale on the coarsest map.
    #[config(default = 0.95)]
    pub max_scale: f64,
    /// Width over height. The published detectors do write the last one so.
    #[config(default = "vec![1.0, 2.0, 0.5, 3.0, 0.3333]")]
    pub aspect_ratios: Vec<f64>,
    /// Whether the finest map has three priors a cell.
    #[config(default = true)]
    pub reduce_finest: bool,
}

/// The scale of the square prior on a reduced finest map.
const FINEST: f64 = 0.1;

impl PriorsConfig {
    /// Priors in a cell of each map.
    pub fn per_cell(&self) -> Vec<usize> {
        let all = self.aspect_ratios.len() + 1;
        let mut cells = vec![all; self.maps.len()];
        if let (true, Some(first)) = (self.reduce_finest, cells.first_mut()) {
            *first = 3;
        }
        cells
    }

    /// All priors, by map, row, column, and within a cell in the order above: the order of a
    /// network's rows.
    pub fn priors(&self) -> Vec<CenterBox> {
        let maps = self.maps.len();
        let mut priors = Vec::new();
        for (map, [height, width]) in self.maps.iter().copied().enumerate() {
            let sizes = self.sizes(map, maps);
            for row in 0..height {
                for column in 0..width {
                    let cy = (row as f64 + 0.5) / height as f64;
                    let cx = (column as f64 + 0.5) / width as f64;
                    priors.extend(sizes.iter().map(|(h, w)| CenterBox {
                        cy: cy as f32,
                        cx: cx as f32,
                        h: *h as f32,
                        w: *w as f32,
                    }));
                }
            }
        }
        priors
    }

    /// Height and width of the priors in a cell.
    fn sizes(&self, map: usize, maps: usize) -> Vec<(f64, f64)> {
        let shape = |scale: f64, ratio: f64| (scale / ratio.sqrt(), scale * ratio.sqrt());
        let scale = self.scale(map, maps);
        if map == 0 && self.reduce_finest {
            return vec![shape(FINEST, 1.0), shape(scale, 2.0), shape(scale, 0.5)];
        }
        let between = (scale * self.scale(map + 1, maps)).sqrt();
        let ratios = self.aspect_ratios.iter().map(|ratio| shape(scale, *ratio));
        ratios.chain([shape(between, 1.0)]).collect()
    }

    fn scale(&self, map: usize, maps: usize) -> f64 {
        match (map, maps) {
            (map, maps) if map == maps => 1.0,
            (_, 1) => self.min_scale,
            _ => {
                self.min_scale + (self.max_scale - self.min_scale) * map as f64 / (maps - 1) as f64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priors_of_two_maps_by_hand() {
        let config = PriorsConfig::new(vec![[1, 2], [1, 1]]);
        let priors = config.priors();
        assert_eq!(config.per_cell(), [3, 6]);
        assert_eq!(priors.len(), 2 * 3 + 6);
        let root = 2_f32.sqrt();
        let expected = [
            // Finest map, first cell, then second.
            [0.5, 0.25, 0.1, 0.1],
            [0.5, 0.25, 0.2 / root, 0.2 * root],
            [0.5, 0.25, 0.2 * root, 0.2 / root],
            [0.5, 0.75, 0.1, 0.1],
            [0.5, 0.75, 0.2 / root, 0.2 * root],
            [0.5, 0.75, 0.2 * root, 0.2 / root],
            // Coarsest map: scale 0.95, and sqrt(0.95).
            [0.5, 0.5, 0.95, 0.95],
            [0.5, 0.5, 0.95 / root, 0.95 * root],
            [0.5, 0.5, 0.95 * root, 0.95 / root],
            [0.5, 0.5, 0.548_482_8, 1.645_448_3],
            [0.5, 0.5, 1.645_530_5, 0.548_455_3],
            [0.5, 0.5, 0.974_679_4, 0.974_679_4],
        ];
        for (prior, expected) in priors.iter().zip(expected) {
            for (found, expected) in [prior.cy, prior.cx, prior.h, prior.w].iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{prior:?}: {expected}");
            }
        }
    }

    #[test]
    fn a_map_that_is_not_reduced_has_all_ratios() {
        let config = PriorsConfig::new(vec![[10, 10], [5, 5]]).with_reduce_finest(false);
        assert_eq!(config.per_cell(), [6, 6]);
        assert_eq!(config.priors().len(), 750);
    }
}
