//! Which part of its streams the log keeps for a session: what it has not had, but not what was
//! dropped as the newest behind that.
//!
//! Owns what the log is told. Refuses to know who dropped it, and why.

use super::Standing;
use crate::journal::Done;
use store::log::{Need, StreamId};
use store::op::Sequence;

/// A session has dropped what lies between: it reads up to `until`, and goes on behind `on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    until: Sequence,
    on: Sequence,
}

/// What is kept of one stream.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kept {
    /// Behind one record up to another.
    between: Option<(Sequence, Sequence)>,
    /// Everything behind this one.
    behind: Sequence,
}

impl Gap {
    /// The last one of what a session is done with, of which everything behind `needed` may have to
    /// be read; `before` is what the log was told last.
    pub fn of(done: &Done, needed: Sequence, before: Option<Self>) -> Option<Self> {
        let last = done.last_range().map(|range| {
            let (first, on) = range.into_inner();
            Self { until: Sequence(first.0 - 1), on }
        });
        last.or(before).filter(|gap| needed < gap.on)
    }
}

impl Standing {
    /// The log keeps what the subscription has from here on.
    pub fn hold(&self, gap: Option<Gap>) -> impl Iterator<Item = Need> {
        let Kept { between, behind } = self.kept(gap);
        let stream = self.stream;
        let part = between.map(|(after, until)| Need::HoldUntil { stream, after, until });
        part.into_iter().chain([Need::Hold { stream, after: behind }])
    }

    /// The subscription is over.
    pub fn leave(&self, gap: Option<Gap>) -> impl Iterator<Item = Need> + use<> {
        let Kept { between, behind } = self.kept(gap);
        let stream = self.stream;
        let part = between.map(|(after, until)| Need::LeaveUntil { stream, after, until });
        part.into_iter().chain([Need::Leave { stream, after: behind }])
    }

    /// Everything up to `to` is had, and the gap is another one.
    pub fn advance(
        &mut self,
        to: Sequence,
        (from_gap, to_gap): (Option<Gap>, Option<Gap>),
    ) -> impl Iterator<Item = Need> + use<> {
        let before = self.kept(from_gap);
        self.stands = self.stands.max(to);
        let now = self.kept(to_gap);
        changes(self.stream, before, now)
    }

    fn kept(&self, gap: Option<Gap>) -> Kept {
        let stands = self.stands;
        match gap {
            Some(gap) if stands < gap.until => {
                Kept { between: Some((stands, gap.until)), behind: gap.on }
            }
            Some(gap) if stands < gap.on => Kept { between: None, behind: gap.on },
            Some(_) | None => Kept { between: None, behind: stands },
        }
    }
}

/// What is kept from now on is told before what is not.
fn changes(stream: StreamId, before: Kept, now: Kept) -> impl Iterator<Item = Need> {
    let moves = before.between != now.between;
    let hold = now.between.filter(|_| moves);
    let hold = hold.map(|(after, until)| Need::HoldUntil { stream, after, until });
    let (from, to) = (before.behind, now.behind);
    let advance = (from != to).then_some(Need::Advance { stream, from, to });
    let leave = before.between.filter(|_| moves);
    let leave = leave.map(|(after, until)| Need::LeaveUntil { stream, after, until });
    hold.into_iter().chain(advance).chain(leave)
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker::subscription::{FilterId, Index, Receiver, ReceiverOptions, SessionRef};
    use mqtt::qos::QoS;
    use mqtt::topic::TopicFilter;

    fn filter() -> FilterId {
        let session = SessionRef { slot: 0, generation: 0 };
        let options = ReceiverOptions::new(QoS::AtLeastOnce, false, false);
        let receiver = Receiver { session, options, subscription_id: 0, since: 0 };
        Index::new().subscribe(TopicFilter::parse("a").unwrap(), receiver).filter_id
    }

    fn done(cursor: u64, ranges: &[(u64, u64)]) -> Done {
        let mut done = Done::up_to(Sequence(cursor));
        ranges.iter().for_each(|(a, b)| done.add_last(Sequence(*a)..=Sequence(*b)));
        done
    }

    /// A session that drops, drops more, reads on, and drops again: whatever it has not had is held
    /// by what the log was told last, and no more than that once it stands behind.
    #[test]
    fn the_log_hears_of_each_part_that_is_kept() {
        let s = StreamId(3);
        let at = Sequence;
        let mut standing = Standing::new(filter(), s, at(10));
        let mut gap = None;
        let mut step = |done: &Done, needed: u64| {
            let now = Gap::of(done, at(needed), gap);
            let told: Vec<Need> = standing.advance(at(needed), (gap, now)).collect();
            gap = now;
            told
        };
        let hold = |after, until| Need::HoldUntil { stream: s, after: at(after), until: at(until) };
        let leave =
            |after, until| Need::LeaveUntil { stream: s, after: at(after), until: at(until) };
        let to = |from, to| Need::Advance { stream: s, from: at(from), to: at(to) };
        assert_eq!(step(&done(10, &[(31, 90)]), 10), [hold(10, 30), to(10, 90)]);
        assert_eq!(step(&done(10, &[(31, 120)]), 10), [to(90, 120)]);
        assert_eq!(step(&done(20, &[(31, 120)]), 20), [hold(20, 30), leave(10, 30)]);
        // It had room, and was full again: what lies before the last gap is kept whole.
        let two = done(20, &[(31, 120), (131, 140)]);
        assert_eq!(step(&two, 20), [hold(20, 130), to(120, 140), leave(20, 30)]);
        // All was sent, and the first is not acknowledged.
        assert_eq!(step(&done(200, &[]), 25), [hold(25, 130), leave(20, 130)]);
        assert_eq!(step(&done(200, &[]), 135), [leave(25, 130)]);
        assert_eq!(step(&done(200, &[]), 150), [to(140, 150)]);
        assert_eq!(step(&done(200, &[]), 150), []);
    }
}
