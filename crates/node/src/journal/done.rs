//! Which messages a session is done with: all up to a cursor, and beyond it those that were
//! dropped as the newest, or whose exchange is over while an older message is not.
//!
//! Refuses to know which sequences are the session's at all.

use super::reader::{Fault, Reader};
use super::writer::Writer;
use std::ops::RangeInclusive;
use store::op::Sequence;

/// A set of sequences in its one form: ranges beyond the cursor, ascending, which neither touch it
/// nor one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    cursor: u64,
    beyond: Vec<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    first: u64,
    last: u64,
}

impl Done {
    /// Everything up to `cursor`, and nothing else.
    pub fn up_to(cursor: Sequence) -> Self {
        Self { cursor: cursor.0, beyond: Vec::new() }
    }

    /// All up to here is done.
    pub fn cursor(&self) -> Sequence {
        Sequence(self.cursor)
    }

    /// The last range beyond the cursor.
    pub fn last_range(&self) -> Option<RangeInclusive<Sequence>> {
        self.beyond.last().map(|span| Sequence(span.first)..=Sequence(span.last))
    }

    /// How many ranges it has beyond the cursor.
    #[cfg(test)]
    pub fn ranges(&self) -> usize {
        self.beyond.len()
    }

    /// Whether nothing is done beyond the cursor.
    pub fn is_plain(&self) -> bool {
        self.beyond.is_empty()
    }

    /// The same beyond `cursor`, up to which all is done too.
    pub fn beginning_at(&self, cursor: Sequence) -> Self {
        let mut done = Self::up_to(cursor);
        for span in &self.beyond {
            if span.first <= done.cursor + 1 {
                done.cursor = done.cursor.max(span.last);
            } else {
                done.beyond.push(*span);
            }
        }
        done
    }

    /// Whether `sequence` is done.
    pub fn contains(&self, sequence: Sequence) -> bool {
        let at = self.beyond.partition_point(|span| span.last < sequence.0);
        sequence.0 <= self.cursor
            || self.beyond.get(at).is_some_and(|span| span.first <= sequence.0)
    }

    /// One more is done.
    pub fn add(&mut self, Sequence(sequence): Sequence) {
        if self.contains(Sequence(sequence)) {
            return;
        }
        let at = self.beyond.partition_point(|span| span.last < sequence);
        let touches_next = self.beyond.get(at).is_some_and(|span| span.first - 1 == sequence);
        let last = if touches_next { self.beyond.remove(at).last } else { sequence };
        if self.cursor + 1 == sequence {
            self.cursor = last;
            return;
        }
        match at.checked_sub(1).map(|before| &mut self.beyond[before]) {
            Some(before) if before.last + 1 == sequence => before.last = last,
            _ => self.beyond.insert(at, Span { first: sequence, last }),
        }
    }

    /// A range is done that begins behind everything that is.
    pub fn add_last(&mut self, range: RangeInclusive<Sequence>) {
        let (first, last) = (range.start().0, range.end().0);
        match self.beyond.last_mut() {
            Some(before) if before.last + 1 >= first => before.last = before.last.max(last),
            None if self.cursor + 1 >= first => self.cursor = self.cursor.max(last),
            _ => self.beyond.push(Span { first, last }),
        }
    }

    /// The cursor, the number of ranges, and each by the gap before it and its length: both at
    /// least 2 and 1, and written without these.
    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.number(self.cursor);
        w.number(self.beyond.len() as u64);
        let mut before = self.cursor;
        for span in &self.beyond {
            w.number(span.first - before - GAP_MIN);
            w.number(span.last - span.first);
            before = span.last;
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let cursor = r.number()?;
        let mut before = cursor;
        let beyond = r.list(SPAN_BYTES_MIN, |r| {
            let gap = r.number()?.checked_add(GAP_MIN).ok_or(TOO_FAR)?;
            let first = before.checked_add(gap).ok_or(TOO_FAR)?;
            let last = first.checked_add(r.number()?).ok_or(TOO_FAR)?;
            before = last;
            Ok(Span { first, last })
        })?;
        Ok(Self { cursor, beyond })
    }
}

/// A range that touches is one with what it touches.
const GAP_MIN: u64 = 2;
const SPAN_BYTES_MIN: usize = 2;
const TOO_FAR: Fault = Fault::Malformed("a sequence has more than 64 bits");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::chance::Chance;
    use std::collections::BTreeSet;

    fn ranges(done: &Done) -> (u64, Vec<(u64, u64)>) {
        (done.cursor, done.beyond.iter().map(|span| (span.first, span.last)).collect())
    }

    #[test]
    fn ranges_join_what_they_touch() {
        let max = u64::MAX;
        for (before, add, wanted) in [
            ((5, vec![]), 5, (5, vec![])),
            ((5, vec![]), 6, (6, vec![])),
            ((5, vec![]), 7, (5, vec![(7, 7)])),
            ((5, vec![(7, 9)]), 6, (9, vec![])),
            ((5, vec![(7, 9)]), 8, (5, vec![(7, 9)])),
            ((5, vec![(7, 9)]), 10, (5, vec![(7, 10)])),
            ((5, vec![(9, 9)]), 7, (5, vec![(7, 7), (9, 9)])),
            ((5, vec![(9, 9)]), 8, (5, vec![(8, 9)])),
            ((5, vec![(7, 8), (10, 13)]), 9, (5, vec![(7, 13)])),
            ((5, vec![]), max, (5, vec![(max, max)])),
            ((5, vec![(max, max)]), max - 1, (5, vec![(max - 1, max)])),
            ((max - 1, vec![]), max, (max, vec![])),
            ((max, vec![]), max, (max, vec![])),
        ] {
            let spans = before.1.iter().map(|(first, last)| Span { first: *first, last: *last });
            let mut done = Done { cursor: before.0, beyond: spans.collect() };
            done.add(Sequence(add));
            assert_eq!(ranges(&done), wanted, "{before:?} and {add}");
        }
    }

    /// Against a set of numbers that knows no ranges.
    #[test]
    fn it_is_the_set_of_what_was_added() {
        for seed in 0..300 {
            let mut chance = Chance::new(seed);
            let (mut done, mut naive) = (Done::up_to(Sequence(0)), BTreeSet::from([0]));
            for _ in 0..50 {
                let sequence = chance.below(60) as u64;
                done.add(Sequence(sequence));
                naive.insert(sequence);
                for n in 0..70 {
                    assert_eq!(done.contains(Sequence(n)), naive.contains(&n), "{n} in {done:?}");
                }
                let mut bytes = Vec::new();
                done.write(&mut Writer(&mut bytes));
                assert_eq!(Done::read(&mut Reader::new(&bytes)), Ok(done.clone()));
            }
            let next = naive.iter().zip(0..).find(|(n, at)| *n != at).map(|(_, at)| at - 1);
            assert_eq!(done.cursor().0, next.unwrap_or(naive.len() as u64 - 1));
        }
    }
}
