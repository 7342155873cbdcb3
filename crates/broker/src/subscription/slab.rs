//! Numbered slots in fixed chunks.
//!
//! Owns nothing but the numbering. Chunks instead of one vector, so that growth neither copies a
//! million entries at once (a stall for every session of the reactor) nor leaves half the memory
//! unused.

/// Values by number; numbers of removed values are given out again.
pub(super) struct Slab<T> {
    chunks: Vec<Vec<Slot<T>>>,
    free_head: u32,
    len: usize,
}

enum Slot<T> {
    Taken(T),
    Free { next: u32 },
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), free_head: NONE, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Stores `value` and returns its number, which is never [`NONE`].
    pub(super) fn insert(&mut self, value: T) -> u32 {
        self.len += 1;
        if self.free_head != NONE {
            let id = self.free_head;
            let slot = self.slot_mut(id).expect("the free list holds existing slots");
            if let Slot::Free { next } = std::mem::replace(slot, Slot::Taken(value)) {
                self.free_head = next;
            }
            return id;
        }
        if self.chunks.last().is_none_or(|c| c.len() == CHUNK) {
            let first = self.chunks.is_empty();
            // The first chunk grows like a vector: most indexes stay small.
            self.chunks.push(Vec::with_capacity(if first { 4 } else { CHUNK }));
        }
        let at = self.chunks.len() - 1;
        let chunk = &mut self.chunks[at];
        chunk.push(Slot::Taken(value));
        u32::try_from(at * CHUNK + chunk.len() - 1).expect("fewer than 2^32 slots fit in memory")
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<T> {
        let next = self.free_head;
        let slot = self.slot_mut(id)?;
        if matches!(slot, Slot::Free { .. }) {
            return None;
        }
        let Slot::Taken(value) = std::mem::replace(slot, Slot::Free { next }) else { return None };
        self.free_head = id;
        self.len -= 1;
        Some(value)
    }

    #[inline]
    pub(super) fn get(&self, id: u32) -> Option<&T> {
        match self.chunks.get(id as usize / CHUNK)?.get(id as usize % CHUNK)? {
            Slot::Taken(value) => Some(value),
            Slot::Free { .. } => None,
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        match self.slot_mut(id)? {
            Slot::Taken(value) => Some(value),
            Slot::Free { .. } => None,
        }
    }

    /// All values, in the order of their numbers.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten().filter_map(|slot| match slot {
            Slot::Taken(value) => Some(value),
            Slot::Free { .. } => None,
        })
    }

    fn slot_mut(&mut self, id: u32) -> Option<&mut Slot<T>> {
        self.chunks.get_mut(id as usize / CHUNK)?.get_mut(id as usize % CHUNK)
    }
}

/// The number no slot has.
pub(super) const NONE: u32 = u32::MAX;

/// Slots a chunk: one allocation of about 50 KB, growth of well under a microsecond a slot.
const CHUNK: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_given_out_again_and_stale_ones_are_empty() {
        let mut slab = Slab::new();
        let ids: Vec<u32> = (0..3000).map(|n| slab.insert(n)).collect();
        assert_eq!(slab.len(), 3000);
        assert_eq!(slab.remove(ids[1500]), Some(1500));
        assert_eq!(slab.remove(ids[1500]), None);
        assert_eq!(slab.get(ids[1500]), None);
        assert_eq!(slab.insert(7), ids[1500]);
        *slab.get_mut(ids[2999]).unwrap() = 1;
        assert_eq!(slab.get(ids[2999]), Some(&1));
        assert_eq!(slab.get(NONE), None);
    }
}
