//! Memory that calls work in, kept from one call to the next: what the system hands out anew has
//! to be cleared and mapped page by page, which takes longer than to compute what goes there.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use crate::lanes::Octet;

/// Buffers that are not in use.
#[derive(Default)]
pub struct Memory(Mutex<Vec<Vec<Octet>>>);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Memory {
    /// A buffer of `size` octets, whatever they hold.
    pub fn take(self: &Arc<Self>, size: usize) -> Buffer {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The tightest that fits; else the largest makes way, so that there are never more buffers
        // than were in use at a time. Nothing needs none.
        let sizes = || free.iter().map(Vec::len).enumerate().filter(|_| size > 0);
        let best = sizes()
            .filter(|(_, found)| *found >= size)
            .min_by_key(|(_, found)| *found)
            .or_else(|| sizes().max_by_key(|(_, found)| *found));
        let found = best.map(|(index, _)| free.swap_remove(index));
        drop(free);
        let octets = match found {
            Some(octets) if octets.len() >= size => octets,
            // Not resized: what it holds is not worth copying.
            _ => vec![Octet::ZERO; size],
        };
        Buffer {
            octets,
            size,
            memory: Arc::clone(self),
        }
    }
}

/// Octets that go back to the [`Memory`] they came from.
#[derive(Debug)]
pub struct Buffer {
    /// At least `size`.
    octets: Vec<Octet>,
    size: usize,
    memory: Arc<Memory>,
}

impl Deref for Buffer {
    type Target = [Octet];

    fn deref(&self) -> &[Octet] {
        &self.octets[..self.size]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [Octet] {
        &mut self.octets[..self.size]
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = self.memory.take(self.size);
        copy.copy_from_slice(self);
        copy
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let octets = std::mem::take(&mut self.octets);
        if !octets.is_empty() {
            let mut free = self.memory.0.lock().unwrap_or_else(PoisonError::into_inner);
            free.push(octets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(memory: &Memory) -> Vec<usize> {
        let mut sizes = memory
            .0
            .lock()
            .unwrap()
            .iter()
            .map(Vec::len)
            .collect::<Vec<_>>();
        sizes.sort_unstable();
        sizes
    }

    #[test]
    fn buffers_come_back_and_are_taken_again() {
        let memory = Arc::new(Memory::default());
        let (small, large) = (memory.take(3), memory.take(10));
        assert_eq!((small.len(), large.len()), (3, 10));
        drop((small, large));
        assert_eq!(sizes(&memory), [3, 10]);
        let fitting = memory.take(2);
        assert_eq!(sizes(&memory), [10]);
        drop(fitting);
        // Nothing is large enough: the largest makes way.
        let larger = memory.take(20);
        assert_eq!(sizes(&memory), [3]);
        drop(larger);
        assert_eq!(sizes(&memory), [3, 20]);
        drop(memory.take(0));
        assert_eq!(sizes(&memory), [3, 20]);
    }
}
