//! Planes to write to: some of them, at some of their positions. Threads write to rectangles of the same
//! planes that do not touch each other.

use std::ops::Range;

use ndarray::{ArrayViewMut1, ArrayViewMut2, Axis, Slice};

use crate::lanes::LANES;

/// `[planes, positions]`; the positions of a plane lie side by side.
pub type PlanesMut<'a, T> = ArrayViewMut2<'a, T>;

const PLANES: Axis = Axis(0);
const POSITIONS: Axis = Axis(1);

/// All planes of `area` positions in `values`.
pub fn planes<T>(values: &mut [T], area: usize) -> PlanesMut<'_, T> {
    PlanesMut::from_shape((values.len() / area, area), values).expect("whole planes")
}

/// The `positions` of all planes.
pub fn stretch<'a, T>(
    planes: &'a mut PlanesMut<'_, T>,
    positions: Range<usize>,
) -> PlanesMut<'a, T> {
    planes.slice_axis_mut(POSITIONS, Slice::from(positions))
}

/// The planes of one of `groups`.
pub fn group<'a, T>(
    planes: &'a mut PlanesMut<'_, T>,
    groups: usize,
    group: usize,
) -> PlanesMut<'a, T> {
    let size = planes.nrows() / groups;
    planes.slice_axis_mut(PLANES, Slice::from(group * size..(group + 1) * size))
}

/// The first `at` planes, and the rest.
pub fn split_planes<T>(planes: PlanesMut<'_, T>, at: usize) -> [PlanesMut<'_, T>; 2] {
    planes.split_at(PLANES, at).into()
}

/// The first `at` positions of all planes, and the rest.
pub fn split_positions<T>(planes: PlanesMut<'_, T>, at: usize) -> [PlanesMut<'_, T>; 2] {
    planes.split_at(POSITIONS, at).into()
}

/// Eight of the planes, or those that are left, from `octet * 8` on.
pub fn octet<'a, T>(planes: &'a mut PlanesMut<'_, T>, octet: usize) -> PlanesMut<'a, T> {
    let end = planes.nrows().min((octet + 1) * LANES);
    planes.slice_axis_mut(PLANES, Slice::from(octet * LANES..end))
}

/// A quarter of the planes after the other.
pub fn quarters<T>(planes: PlanesMut<'_, T>) -> [PlanesMut<'_, T>; 4] {
    let half = planes.nrows() / 2;
    let [front, back] = split_planes(planes, half);
    let [one, two] = split_planes(front, half / 2);
    let [three, four] = split_planes(back, half / 2);
    [one, two, three, four]
}

/// One plane, which is empty if there is none.
pub fn plane<'a, T>(planes: &'a mut PlanesMut<'_, T>, index: usize) -> &'a mut [T] {
    match index < planes.nrows() {
        true => values(planes.row_mut(index)),
        false => &mut [],
    }
}

/// One plane after the other.
pub fn each<'a, T>(planes: &'a mut PlanesMut<'_, T>) -> impl Iterator<Item = &'a mut [T]> {
    planes.rows_mut().into_iter().map(values)
}

/// The positions of a plane.
fn values<T>(plane: ArrayViewMut1<'_, T>) -> &mut [T] {
    plane
        .into_slice()
        .expect("the positions of a plane lie side by side")
}

/// What belongs to some positions, and can be split between them.
pub trait Positions: Sized {
    /// What belongs to the first `at`, and the rest.
    fn split(self, at: usize) -> [Self; 2];
}

impl<T> Positions for PlanesMut<'_, T> {
    fn split(self, at: usize) -> [Self; 2] {
        split_positions(self, at)
    }
}
