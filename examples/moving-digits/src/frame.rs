//! One picture of a video.

/// Side of a frame, in pixels.
pub const SIDE: usize = 64;

/// A grey picture of [`SIDE`] by [`SIDE`] pixels, row by row: 0 is black, 1 is ink.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pixels: Vec<f32>,
}

impl Frame {
    /// A black frame.
    pub fn black() -> Self {
        Self {
            pixels: vec![0.0; SIDE * SIDE],
        }
    }

    /// The pixels, row by row.
    pub fn pixels(&self) -> &[f32] {
        &self.pixels
    }

    /// The pixels, row by row, to change.
    pub fn pixels_mut(&mut self) -> &mut [f32] {
        &mut self.pixels
    }

    /// The part of a rectangle that lies in the frame, row by row, to change.
    pub(crate) fn rectangle_mut(
        &mut self,
        rows: std::ops::Range<usize>,
        columns: std::ops::Range<usize>,
    ) -> impl Iterator<Item = &mut [f32]> {
        let columns = columns.start.min(SIDE)..columns.end.min(SIDE);
        self.pixels
            .chunks_exact_mut(SIDE)
            .take(rows.end)
            .skip(rows.start)
            .map(move |row| &mut row[columns.clone()])
    }
}
