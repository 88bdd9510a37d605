//! Boxes, by their corners and by their centre.

/// A box by its corners. In detections of a network, fractions of the picture's height and width;
/// in the average precision, any unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundingBox {
    /// The upper edge.
    pub ymin: f32,
    /// The left edge.
    pub xmin: f32,
    /// The lower edge.
    pub ymax: f32,
    /// The right edge.
    pub xmax: f32,
}

impl BoundingBox {
    /// A box of these edges, in the order of TensorFlow's detectors.
    pub fn new(ymin: f32, xmin: f32, ymax: f32, xmax: f32) -> Self {
        Self {
            ymin,
            xmin,
            ymax,
            xmax,
        }
    }

    /// The height, zero for a box turned inside out.
    pub fn height(&self) -> f32 {
        (self.ymax - self.ymin).max(0.0)
    }

    /// The width, zero for a box turned inside out.
    pub fn width(&self) -> f32 {
        (self.xmax - self.xmin).max(0.0)
    }

    /// The area.
    pub fn area(&self) -> f32 {
        self.height() * self.width()
    }

    /// Intersection over union, from 0 to 1. Boxes without an area have none with any other.
    pub fn iou(&self, other: &Self) -> f32 {
        let overlap = Self {
            ymin: self.ymin.max(other.ymin),
            xmin: self.xmin.max(other.xmin),
            ymax: self.ymax.min(other.ymax),
            xmax: self.xmax.min(other.xmax),
        }
        .area();
        let union = self.area() + other.area() - overlap;
        if union > 0.0 { overlap / union } else { 0.0 }
    }

    /// The same box with its edges multiplied, as from fractions to pixels.
    pub fn scale(&self, height: f32, width: f32) -> Self {
        Self {
            ymin: self.ymin * height,
            xmin: self.xmin * width,
            ymax: self.ymax * height,
            xmax: self.xmax * width,
        }
    }

    /// The same box by its centre.
    pub fn center(&self) -> CenterBox {
        CenterBox {
            cy: (self.ymin + self.ymax) / 2.0,
            cx: (self.xmin + self.xmax) / 2.0,
            h: self.ymax - self.ymin,
            w: self.xmax - self.xmin,
        }
    }
}

/// A box by its centre and size, as fractions of the picture's height and width.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CenterBox {
    /// The centre's row.
    pub cy: f32,
    /// The centre's column.
    pub cx: f32,
    /// The height.
    pub h: f32,
    /// The width.
    pub w: f32,
}

impl CenterBox {
    /// The same box by its corners.
    pub fn corners(&self) -> BoundingBox {
        BoundingBox {
            ymin: self.cy - self.h / 2.0,
            xmin: self.cx - self.w / 2.0,
            ymax: self.cy + self.h / 2.0,
            xmax: self.cx + self.w / 2.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overlap_of_two_boxes_by_hand() {
        let a = BoundingBox::new(0.0, 0.0, 2.0, 2.0);
        let b = BoundingBox::new(1.0, 1.0, 3.0, 4.0);
        // 1 in common, of 4 + 6 - 1.
        assert_eq!(a.iou(&b), 1.0 / 9.0);
        assert_eq!(b.iou(&a), 1.0 / 9.0);
        assert_eq!(a.iou(&a), 1.0);
        assert_eq!(a.iou(&BoundingBox::new(2.0, 0.0, 3.0, 2.0)), 0.0, "edges");
    }

    #[test]
    fn boxes_without_an_area_overlap_nothing() {
        let empty = BoundingBox::new(1.0, 1.0, 1.0, 1.0);
        let inside_out = BoundingBox::new(1.0, 1.0, 0.0, 0.0);
        let whole = BoundingBox::new(0.0, 0.0, 2.0, 2.0);
        for odd in [empty, inside_out] {
            assert_eq!(odd.iou(&whole), 0.0);
            assert_eq!(odd.iou(&odd), 0.0);
        }
    }

    #[test]
    fn corners_and_centre_are_the_same_box() {
        let corners = BoundingBox::new(0.25, 0.5, 0.75, 0.625);
        let center = corners.center();
        assert_eq!(
            [center.cy, center.cx, center.h, center.w],
            [0.5, 0.5625, 0.5, 0.125]
        );
        assert_eq!(center.corners(), corners);
    }
}
