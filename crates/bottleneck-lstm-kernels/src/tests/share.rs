//! How a team shares work out.

use super::teams;
use crate::lanes::{Kernel, Lanes};
use crate::share::Share;

/// Adds one to every part.
struct Count<'a>(&'a mut [usize]);

impl Share for Count<'_> {
    fn parts(&self) -> usize {
        self.0.len()
    }

    fn split(self, at: usize) -> (Self, Self) {
        assert!(0 < at && at < self.0.len(), "a side without work");
        let (one, other) = self.0.split_at_mut(at);
        (Self(one), Self(other))
    }
}

impl Kernel for Count<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        for part in self.0 {
            *part += 1;
        }
    }
}

#[test]
fn every_part_is_done_once() {
    for team in teams() {
        for parts in 0..20 {
            let mut counts = vec![0; parts];
            team.run(Count(&mut counts));
            assert_eq!(counts, vec![1; parts], "{team:?}");
        }
    }
}
