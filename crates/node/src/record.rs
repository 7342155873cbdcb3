//! What a record of the log is to those who hear of it; its bytes are the journal's.

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
    /// Only who submitted it hears of it.
    Own,
}

/// A publish as its hearers get it.
pub(crate) struct Told {
    pub origin: Origin,
    pub publication: Arc<Publication>,
    /// The number of the retained change that it was; 0 = it was none.
    pub order: u64,
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
    now_ms: u64,
) {
    let What::Publish(told) = &mut fact.record.0 else { return };
    if fact.form == Formed::Logged {
        told.publication.settled_at(fact.sequence.0);
    }
    if told.publication.message.retain() {
        let settled = retained.settle(&told.publication, now_ms);
        told.order = settled.order;
        needs.extend(settled.displaced.map(|at| Need::Release(Sequence(at))));
        needs.extend(settled.gone.map(bury));
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
