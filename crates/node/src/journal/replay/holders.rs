//! Whether a replay accounts for every record of a random history. Refuses to know what they say.

use super::Found;
use super::history::Written;
use std::collections::BTreeMap;
use store::op::Sequence;

/// How often what is rare came about.
#[derive(Default)]
pub(super) struct Tally {
    pub gone: usize,
    pub tombstones: usize,
    pub replaced: usize,
    pub shared: usize,
    pub kept: usize,
    pub back: usize,
    pub carried: usize,
}

/// Every record is stale, or has its holders, as many as are said.
pub(super) fn accounts_for_all(found: &Found, log: &[Written]) {
    let mut holders: BTreeMap<Sequence, u8> = BTreeMap::new();
    let sessions = found.sessions.iter();
    let held = sessions.flat_map(|session| session.by_snapshot().chain(session.by_progress()));
    let held = held.chain(found.retained.iter().map(|one| one.sequence));
    let held = held.chain(found.requests.iter().map(|one| one.sequence));
    let held = held.chain(found.tombstones.iter().map(|(_, at)| *at));
    let held = held.chain(found.kept.iter().copied()).chain(found.carried.iter().copied());
    held.chain(found.clock_record).for_each(|at| *holders.entry(at).or_default() += 1);
    let shared: BTreeMap<_, _> = found.shared.iter().copied().collect();
    for Written { at, kind, .. } in log {
        let (stale, held) = (found.stale.binary_search(at), holders.remove(at));
        match held {
            None => assert!(stale.is_ok(), "{at:?} of {kind:?} is nowhere"),
            Some(count) => {
                assert!(stale.is_err(), "{at:?} of {kind:?} is held and stale");
                assert_eq!(count, shared.get(at).copied().unwrap_or(1), "{at:?} of {kind:?}");
            }
        }
    }
    assert!(holders.is_empty(), "held without being in the log");
    assert!(found.stale.windows(2).all(|two| two[0] < two[1]), "each once, ascending");
}
