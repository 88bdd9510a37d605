//! How well each network does, as the video goes on.

use std::collections::VecDeque;
use std::ops::{AddAssign, SubAssign};

use crate::seen::View;

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
    /// The score of each network's surest find, 0 where it found nothing.
    pub surest: Vec<f32>,
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
    /// The video began again.
    Looped,
}

impl Mark {
    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Restored => "restored",
            Self::Video => "next video",
            Self::Looped => "again",
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

    /// Adds a frame as each network sees it; without tallies, its F1 does not count.
    pub fn add(&mut self, damaged: bool, views: &[View]) {
        self.running.resize_with(views.len(), Default::default);
        for (running, view) in self.running.iter_mut().zip(views) {
            if let Some(tally) = view.tally {
                running[usize::from(damaged)].add(tally);
            }
        }
        let surest = |view: &View| {
            let scores = view.found.iter().filter_map(|found| found.score);
            scores.fold(0.0, f32::max)
        };
        self.points.push_back(Point {
            damaged,
            f1: self.f1(),
            surest: views.iter().map(surest).collect(),
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
    use crate::seen::{Found, Place, Verdict};

    const HALF: View = view(Some(1), 2);
    const NONE: View = view(Some(0), 1);

    /// With so many finds, of which so many belong to one of two objects.
    const fn view(matched: Option<u32>, found: u32) -> View {
        let tally = match matched {
            None => None,
            Some(matched) => Some(Tally {
                matched,
                found,
                objects: 2,
            }),
        };
        View {
            found: Vec::new(),
            tally,
            heat: None,
            times: None,
            age: None,
        }
    }

    #[test]
    fn clean_and_damaged_frames_and_networks_are_told_apart() {
        let mut history = History::default();
        history.add(false, &[HALF, NONE]);
        history.add(true, &[NONE, HALF]);
        history.add(true, &[view(None, 0), view(None, 0)]);
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
    fn the_surest_find_is_kept_for_each_network() {
        let found = |score| Found {
            label: "cat".into(),
            score,
            place: Place {
                x: 0.0,
                y: 0.0,
                width: 1.0,
                height: 1.0,
            },
            verdict: Verdict::Unknown,
        };
        let seen = View {
            found: vec![found(Some(0.25)), found(Some(0.75)), found(None)],
            ..View::default()
        };
        let mut history = History::default();
        history.add(true, &[View::default(), seen]);
        let points: Vec<_> = history.points().collect();
        assert_eq!(points[0].surest, [0.0, 0.75]);
        assert_eq!(points[0].f1, [[None, None], [None, None]]);
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
