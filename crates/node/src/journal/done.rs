//! Which messages a session is done with: all up to a cursor, and some beyond it.
//!
//! Refuses to know which sequences are the session's at all. Who reads its streams in order does:
//! between two of its messages lies nothing of its own, so that a range says both are done.

use super::reader::{Fault, Reader};
use super::writer::Writer;
use std::ops::RangeInclusive;
use store::op::Sequence;

/// A set of sequences in its one form: ranges beyond the cursor neither touch it nor one another.
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

    /// What is done beyond the cursor, ascending.
    pub fn beyond(&self) -> impl Iterator<Item = RangeInclusive<Sequence>> {
        self.beyond.iter().map(|span| Sequence(span.first)..=Sequence(span.last))
    }

    /// Whether `sequence` is done.
    pub fn contains(&self, sequence: Sequence) -> bool {
        let at = self.beyond.partition_point(|span| span.last < sequence.0);
        sequence.0 <= self.cursor
            || self.beyond.get(at).is_some_and(|span| span.first <= sequence.0)
    }

    /// One more is done.
    pub fn add(&mut self, sequence: Sequence) {
        self.add_span(Span { first: sequence.0, last: sequence.0 });
    }

    /// A range is done; an empty one changes nothing.
    pub fn add_all(&mut self, range: RangeInclusive<Sequence>) {
        if !range.is_empty() {
            self.add_span(Span { first: range.start().0, last: range.end().0 });
        }
    }

    /// All that `other` is done with too.
    pub fn join(&mut self, other: &Self) {
        self.add_span(Span { first: 0, last: other.cursor });
        for span in &other.beyond {
            self.add_span(*span);
        }
    }

    fn add_span(&mut self, Span { mut first, mut last }: Span) {
        if first <= self.cursor.saturating_add(1) {
            self.cursor = self.cursor.max(last);
            let reached = self.cursor.saturating_add(1);
            let within = self.beyond.partition_point(|span| span.first <= reached);
            for span in self.beyond.drain(..within) {
                self.cursor = self.cursor.max(span.last);
            }
            return;
        }
        let from = self.beyond.partition_point(|span| span.last.saturating_add(1) < first);
        let to = self.beyond.partition_point(|span| span.first <= last.saturating_add(1));
        if let Some((lowest, highest)) = self.beyond[from..to].first().zip(self.beyond[..to].last())
        {
            (first, last) = (first.min(lowest.first), last.max(highest.last));
        }
        self.beyond.splice(from..to, [Span { first, last }]);
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
        let count = r.count(SPAN_BYTES_MIN)?;
        let mut beyond = Vec::with_capacity(count);
        let mut before = cursor;
        for _ in 0..count {
            let gap = r.number()?.checked_add(GAP_MIN).ok_or(TOO_FAR)?;
            let first = before.checked_add(gap).ok_or(TOO_FAR)?;
            let last = first.checked_add(r.number()?).ok_or(TOO_FAR)?;
            beyond.push(Span { first, last });
            before = last;
        }
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
        let beyond = done.beyond().map(|range| (range.start().0, range.end().0));
        (done.cursor().0, beyond.collect())
    }

    fn done(cursor: u64, beyond: &[(u64, u64)]) -> Done {
        let mut done = Done::up_to(Sequence(cursor));
        for (first, last) in beyond {
            done.add_all(Sequence(*first)..=Sequence(*last));
        }
        done
    }

    #[test]
    fn ranges_join_what_they_touch() {
        for (before, add, wanted) in [
            (done(5, &[]), (6, 6), (6, vec![])),
            (done(5, &[]), (7, 7), (5, vec![(7, 7)])),
            (done(5, &[(7, 7)]), (6, 6), (7, vec![])),
            (done(5, &[(7, 8), (12, 13)]), (9, 11), (5, vec![(7, 13)])),
            (done(5, &[(7, 8), (12, 13)]), (9, 9), (5, vec![(7, 9), (12, 13)])),
            (done(5, &[(7, 8), (12, 13)]), (8, 20), (5, vec![(7, 20)])),
            (done(5, &[(7, 8), (12, 13)]), (0, 12), (13, vec![])),
            (done(5, &[(9, 9)]), (7, 7), (5, vec![(7, 7), (9, 9)])),
            (done(5, &[]), (u64::MAX, u64::MAX), (5, vec![(u64::MAX, u64::MAX)])),
            (done(u64::MAX, &[]), (3, u64::MAX), (u64::MAX, vec![])),
        ] {
            let mut after = before.clone();
            after.add_all(Sequence(add.0)..=Sequence(add.1));
            assert_eq!(ranges(&after), wanted, "{before:?} and {add:?}");
        }
    }

    /// Against a set of numbers that knows no ranges.
    #[test]
    fn it_is_the_set_of_what_was_added() {
        for seed in 0..300 {
            let mut chance = Chance::new(seed);
            let (mut done, mut naive) = (Done::up_to(Sequence(0)), BTreeSet::from([0]));
            for _ in 0..30 {
                let first = chance.below(60) as u64;
                let last = first + chance.below(5) as u64;
                done.add_all(Sequence(first)..=Sequence(last));
                naive.extend(first..=last);
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
