//! What a record of the log is to those who hear of it; its bytes are the journal's.

use crate::channel::Enqueued;
use crate::keys::KeyRecords;
use crate::session::Origin;
use crate::tally::Tally;
use broker::publication::Publication;
use broker::retained::{Gone, Retained};
use broker::subscription::Interest;
use engine::{Fact, Formed};
use std::sync::Arc;
use store::log::Need;
use store::op::Sequence;

/// A record on its way to become a fact.
pub struct Record(pub(crate) What);

pub(crate) enum What {
    /// A publish: every reactor with receivers hears of it.
    Publish(Told),
    /// A message of the telemetry channel: only who submitted it and readers hear of it.
    Telemetry(Enqueued),
    /// Only who submitted it hears of it.
    Own,
    /// The domain clock, likewise; wall milliseconds.
    Clock(u64),
}

/// A publish as its hearers get it.
pub(crate) struct Told {
    pub origin: Origin,
    pub publication: Arc<Publication>,
    /// The number of the retained change that it was; 0 = it was none.
    pub order: u64,
    /// Domain wall milliseconds from which its key is new again, if it has one.
    pub key_ends_at_ms: Option<u64>,
    pub tally: Option<Arc<Tally>>,
}

/// Completes a record that has just become a fact, before anybody is told: on the thread that
/// makes facts, in the order of the log. So each topic's retained updates apply in that order
/// (core.md 4), and everybody finds what he is told of.
pub fn settle(
    fact: &mut Fact<Record>,
    needs: &mut Vec<Need>,
    retained: &Retained,
    interest: &Interest,
    keys: &KeyRecords,
    now_ms: u64,
) {
    let told = match &mut fact.record.0 {
        What::Publish(told) => told,
        What::Clock(wall_ms) => return keys.clock(*wall_ms, needs),
        What::Telemetry(message) => {
            let Enqueued { channel, places, enqueued_ms, bytes } = message;
            return channel.appended(*places, fact.sequence, (*enqueued_ms, *bytes));
        }
        What::Own => return,
    };
    if fact.form == Formed::Logged {
        told.publication.settled_at(fact.sequence.0);
        if let Some(ends_at_ms) = told.key_ends_at_ms {
            keys.accepted(&told.publication, ends_at_ms);
        }
    }
    if told.publication.message.retain() {
        let settled = retained.settle(&told.publication, now_ms);
        told.order = settled.order;
        let displaced = settled.displaced.map(|at| Need::Release(Sequence(at)));
        needs.extend(displaced.and_then(|need| keys.pass(need)));
        needs.extend(settled.gone.and_then(|gone| keys.pass(bury(gone))));
        // After that: whoever subscribes meanwhile gets it from what is retained.
        fact.others = interest.mask(told.publication.message.topic()) & !(1 << fact.origin);
    }
    if let Some(tally) = &told.tally {
        tally.also(fact.others.count_ones());
    }
}

/// What the log has to know of a topic that is gone.
pub(crate) fn bury(gone: Gone) -> Need {
    Need::Bury { oldest: Sequence(gone.oldest), at: Sequence(gone.at) }
}
