//! How well each network does, as the video goes on.

use std::collections::VecDeque;
use std::ops::{AddAssign, SubAssign};

/// What was found in a frame and what was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Finds that belong to an object.
    pub matched: u32,
    /// Finds.
    pub found: u32,
    /// Objects.
    pub objects: u32,
}

impl Tally {
    /// The harmonic mean of precision and recall; nothing where nothing is counted.
    pub fn f1(self) -> Option<f32> {
        let total = self.found + self.objects;
        (total > 0).then(|| (2 * self.matched) as f32 / total as f32)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.matched += other.matched;
        self.found += other.found;
        self.objects += other.objects;
    }
}

impl SubAssign for Tally {
    fn sub_assign(&mut self, other: Self) {
        self.matched -= other.matched;
        self.found -= other.found;
        self.objects -= other.objects;
    }
}

/// A sum over the last frames.
#[derive(Debug, Clone, Default)]
struct Running {
    last: VecDeque<Tally>,
    sum: Tally,
}

impl Running {
    fn add(&mut self, tally: Tally) {
        self.sum += tally;
        self.last.push_back(tally);
        if self.last.len() > History::WINDOW
            && let Some(oldest) = self.last.pop_front()
        {
            self.sum -= oldest;
        }
    }
}

/// One frame of the timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Whether the frame was damaged.
    pub damaged: bool,
    /// The running F1 of each network on clean frames and on damaged ones.
    pub f1: Vec<[Option<f32>; 2]>,
    /// What happened right before it.
    pub mark: Option<Mark>,
}

/// What happened to the memory between two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It was reset.
    Reset,
    /// It was restored.
    Restored,
    /// Another video began.
    Video,
}

impl Mark {
    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Restored => "restored",
            Self::Video => "next video",
        }
    }
}

/// The timeline: the last frames, with running scores.
#[derive(Debug, Clone, Default)]
pub struct History {
    points: VecDeque<Point>,
    running: Vec<[Running; 2]>,
    mark: Option<Mark>,
}

impl History {
    /// Frames of a kind, clean or damaged, that a running score is over.
    pub const WINDOW: usize = 60;

    /// Frames that are kept.
    pub const LENGTH: usize = 300;

    /// Adds a frame with the tally of each network; no tallies mean that it does not count.
    pub fn add(&mut self, damaged: bool, tallies: &[Option<Tally>]) {
        self.running.resize_with(tallies.len(), Default::default);
        for (running, tally) in self.running.iter_mut().zip(tallies) {
            if let Some(tally) = tally {
                running[usize::from(damaged)].add(*tally);
            }
        }
        self.points.push_back(Point {
            damaged,
            f1: self.f1(),
            mark: self.mark.take(),
        });
        if self.points.len() > Self::LENGTH {
            self.points.pop_front();
        }
    }

    /// Marks what happened before the next frame.
    pub fn mark(&mut self, mark: Mark) {
        self.mark = Some(mark);
    }

    /// The frames, oldest first.
    pub fn points(&self) -> impl ExactSizeIterator<Item = &Point> {
        self.points.iter()
    }

    /// The running F1 of each network on clean frames and on damaged ones.
    pub fn f1(&self) -> Vec<[Option<f32>; 2]> {
        let each = self.running.iter();
        each.map(|kinds| kinds.each_ref().map(|running| running.sum.f1()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Option<Tally> = Some(Tally {
        matched: 1,
        found: 2,
        objects: 2,
    });
    const NONE: Option<Tally> = Some(Tally {
        matched: 0,
        found: 1,
        objects: 2,
    });

    #[test]
    fn clean_and_damaged_frames_and_networks_are_told_apart() {
        let mut history = History::default();
        history.add(false, &[HALF, NONE]);
        history.add(true, &[NONE, HALF]);
        history.add(true, &[None, None]);
        assert_eq!(
            history.f1(),
            [[Some(0.5), Some(0.0)], [Some(0.0), Some(0.5)]]
        );
        assert_eq!(history.points().len(), 3);
    }

    #[test]
    fn a_score_runs_over_the_last_frames() {
        let mut history = History::default();
        (0..3).for_each(|_| history.add(false, &[NONE]));
        (0..History::WINDOW).for_each(|_| history.add(false, &[HALF]));
        assert_eq!(history.f1(), [[Some(0.5), None]]);
        (0..History::LENGTH).for_each(|_| history.add(true, &[HALF]));
        assert_eq!(history.points().len(), History::LENGTH);
    }

    #[test]
    fn a_mark_is_at_the_next_frame() {
        let mut history = History::default();
        history.add(false, &[HALF]);
        history.mark(Mark::Reset);
        history.add(false, &[HALF]);
        history.add(false, &[HALF]);
        let marks: Vec<_> = history.points().map(|point| point.mark).collect();
        assert_eq!(marks, [None, Some(Mark::Reset), None]);
    }
}
