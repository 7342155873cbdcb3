//! One session that was found. Refuses to know other sessions.

use super::super::entry::Entry;
use super::super::presence::{Attached, Detached, Presence, WillLeft};
use super::super::progress::Progress;
use super::super::reached::Reached;
use super::super::session_begun::SessionBegun;
use super::super::session_id::SessionId;
use super::super::subscription::Subscription;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use mqtt::client_id::ClientId;
use mqtt::session::Exchange;
use smallvec::SmallVec;
use std::fmt;
use store::log::{Kind, StreamId};
use store::op::Sequence;
use store::pieces::{Filled, Payload, Place};

/// A session as the log has it. It is kept as one whole entry of each kind and read when asked.
pub struct FoundSession {
    /// Its name for ever.
    pub id: SessionId,
    /// The first [`SessionBegun`] that may come back: what its [`SessionEnded`] speaks of.
    ///
    /// [`SessionEnded`]: crate::journal::SessionEnded
    pub first: Sequence,
    /// Everything besides its delivery, all changes included.
    pub(super) begun: Payload,
    /// Its delivery, if it ever changed.
    pub(super) progress: Option<Payload>,
    pub(super) records: Records,
}

/// Which records carry a session.
pub(super) struct Records {
    pub begun: Sequence,
    pub changes: SmallVec<[Sequence; 2]>,
    pub progress: Option<Sequence>,
    pub delivery: Box<[Sequence]>,
}

/// Something that changed behind a [`SessionBegun`], as it lies in the log.
pub(super) struct Change {
    pub at: Sequence,
    pub kind: Kind,
    pub payload: Place,
}

impl FoundSession {
    /// The session as a [`SessionBegun`] written now would say it.
    pub fn now(&self) -> SessionBegun<'_> {
        begun(&self.begun)
    }

    /// Its client identifier.
    pub fn client(&self) -> ClientId {
        ClientId::parse(self.client_text()).expect(DECODED)
    }

    /// The same, as it was written.
    pub fn client_text(&self) -> &str {
        SessionBegun::client_of(&self.begun).expect(DECODED)
    }

    /// How far its delivery has come. Without a word of it the cursor is 0: each subscription
    /// begins behind its own `since` in any case.
    pub fn reached(&self) -> Reached {
        reached(self.id, self.progress.as_deref())
    }

    /// Whether it may be a member of a shared group: seen in the bytes, as most are not.
    pub(super) fn may_share(&self) -> bool {
        self.begun.windows(SHARE.len()).any(|bytes| bytes == SHARE)
    }

    /// QoS 2 messages of groups, by stream, that it has under way, or had lately: nobody else may
    /// get them (MQTT 5, 4.8.2-5).
    pub(super) fn begun(&self) -> Vec<(StreamId, Sequence)> {
        if self.progress.is_none() {
            return Vec::new();
        }
        let reached = self.reached();
        // At QoS 1 the group offers it again: who had it may be gone for good.
        let begun = reached.under_way().filter(|u| u.exchange != Exchange::Published1);
        let begun = begun.filter_map(|u| Some((u.via.stream()?, u.sequence)));
        begun.chain(reached.finished().iter().copied()).collect()
    }

    /// Records that the next [`SessionBegun`] of the session overtakes: the last one, and what
    /// changed behind it.
    pub fn by_snapshot(&self) -> impl Iterator<Item = Sequence> {
        std::iter::once(self.records.begun).chain(self.records.changes.iter().copied())
    }

    /// Whether something was delivered behind its last [`Progress`].
    pub fn has_steps(&self) -> bool {
        !self.records.delivery.is_empty()
    }

    /// Records that the next [`Progress`] overtakes: the last one, and what was delivered behind
    /// it, messages whose QoS 2 identifiers it does not know included.
    pub fn by_progress(&self) -> impl Iterator<Item = Sequence> {
        self.records.progress.into_iter().chain(self.records.delivery.iter().copied())
    }
}

impl fmt::Debug for FoundSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (now, reached) = (self.now(), self.reached());
        f.debug_struct("FoundSession").field("now", &now).field("reached", &reached).finish()
    }
}

/// A session and what changed, in one: appended to `out`.
pub(super) fn merge(base: &[u8], changes: &[Change], pieces: &Filled, out: &mut Vec<u8>) {
    let mut now = begun(base);
    let mut subscriptions = Subscriptions::of(std::mem::take(&mut now.subscriptions));
    for Change { kind, payload, .. } in changes {
        match Entry::decode(*kind, pieces.get(*payload)).expect(DECODED) {
            Entry::Subscribed(e) => e.subscriptions.into_iter().for_each(|s| subscriptions.put(s)),
            Entry::Unsubscribed(e) => e.filters.into_iter().for_each(|f| subscriptions.remove(f)),
            Entry::Attached(e) => attach(&mut now, e),
            Entry::Detached(e) => detach(&mut now, e),
            other => unreachable!("no change of a session: {other:?}"),
        }
    }
    now.subscriptions = subscriptions.all.into_iter().flatten().collect();
    now.encode(out);
}

/// What a [`Progress`] says, or the beginning.
pub(super) fn reached(session: SessionId, progress: Option<&[u8]>) -> Reached {
    let Some(payload) = progress else { return Reached::new(session, Sequence(0)) };
    match Entry::decode(Progress::KIND, payload) {
        Ok(Entry::Progress(progress)) => Reached::from(progress),
        other => unreachable!("{DECODED}: {other:?}"),
    }
}

fn begun(payload: &[u8]) -> SessionBegun<'_> {
    match Entry::decode(SessionBegun::KIND, payload) {
        Ok(Entry::SessionBegun(begun)) => begun,
        other => unreachable!("{DECODED}: {other:?}"),
    }
}

fn attach<'a>(now: &mut SessionBegun<'a>, attached: Attached<'a>) {
    let Attached { session: _, version, expiry_s, will, owner } = attached;
    (now.version, now.expiry_s, now.will, now.owner) = (version, expiry_s, will, owner);
    now.presence = Presence::Connected;
}

fn detach(now: &mut SessionBegun<'_>, detached: Detached) {
    let Detached { session: _, expiry_s, ends_at_ms, will } = detached;
    let will_at_ms = match will {
        WillLeft::Due { at_ms } => at_ms,
        WillLeft::Gone => {
            now.will = None;
            u64::MAX
        }
    };
    (now.expiry_s, now.presence) = (expiry_s, Presence::Detached { ends_at_ms, will_at_ms });
}

/// Subscriptions in the order in which they were made, found by filter: many changes of many
/// subscriptions cost no more than both together.
#[derive(Default)]
struct Subscriptions<'a> {
    all: Vec<Option<Subscription<'a>>>,
    /// Where each is, once there are many.
    places: Option<HashMap<&'a str, usize, RandomState>>,
}

impl<'a> Subscriptions<'a> {
    fn of(list: Vec<Subscription<'a>>) -> Self {
        let mut all = Self::default();
        list.into_iter().for_each(|subscription| all.put(subscription));
        all
    }

    fn put(&mut self, subscription: Subscription<'a>) {
        match self.place(subscription.filter) {
            Some(place) => self.all[place] = Some(subscription),
            None => {
                if let Some(places) = &mut self.places {
                    places.insert(subscription.filter, self.all.len());
                }
                self.all.push(Some(subscription));
            }
        }
    }

    fn remove(&mut self, filter: &str) {
        if let Some(place) = self.place(filter) {
            self.all[place] = None;
            self.places.as_mut().and_then(|places| places.remove(filter));
        }
    }

    fn place(&mut self, filter: &str) -> Option<usize> {
        let all = self.all.iter().enumerate();
        let mut all = all.filter_map(|(place, s)| s.as_ref().map(|s| (s.filter, place)));
        if self.all.len() <= FEW {
            return all.find(|(other, _)| *other == filter).map(|(_, place)| place);
        }
        self.places.get_or_insert_with(|| all.collect()).get(filter).copied()
    }
}

/// So many are looked through one by one.
const FEW: usize = 16;
const SHARE: &[u8] = b"$share/";
const DECODED: &str = "a payload is kept when it was decoded";
const _: () = assert!(size_of::<FoundSession>() <= 112);
