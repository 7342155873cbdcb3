//! Which filters a session holds in the log: those granted above QoS 0 while it outlives its
//! connection, shared ones by their whole text (core.md 1 and 9).
//!
//! Owns when a hold begins and ends. Keeps nothing: what is held follows from the session's expiry
//! and its subscriptions, so both change only next to a call here. Refuses to know streams; the
//! log in memory has none, so nobody has to end one.

use crate::shard::Shard;
use broker::subscription::NumbersSpent;
use mqtt::qos::QoS;
use std::sync::Arc;
use store::log::StreamId;

impl Shard {
    /// The session's subscription `text` is about to be granted at `after`; it was at `before`, if
    /// it was there. Goes before the change.
    pub(crate) fn hold(
        &self,
        slot: u32,
        text: &Arc<str>,
        before: Option<QoS>,
        after: QoS,
    ) -> Result<Option<StreamId>, NumbersSpent> {
        match (self.holds(slot, before), self.holds(slot, Some(after))) {
            (false, true) => self.router.hold(text).map(Some),
            (true, false) => {
                self.router.release(text);
                Ok(None)
            }
            (true, true) | (false, false) => Ok(None),
        }
    }

    /// The session's subscription `text` ends; it was granted at `before`.
    pub(crate) fn let_go(&self, slot: u32, text: &str, before: Option<QoS>) {
        if self.holds(slot, before) {
            self.router.release(text);
        }
    }

    /// The session will not outlive its connection any more. Goes before its expiry becomes 0. The
    /// other way round does not happen: who ends with a connection is not found by the next one,
    /// and DISCONNECT must not make it last (MQTT 5, 3.14.2.2.2).
    pub(crate) fn let_go_all(&self, slot: u32) {
        let Some(session) = self.homes.sessions.at(slot).filter(|s| s.is_durable()) else { return };
        for id in &session.filters {
            let granted = self.router.index.get(*id, self.homes.session_ref(slot));
            self.let_go(slot, self.router.index.filter(*id), granted.map(|r| r.options.qos()));
        }
        let members = session.shares.as_ref().map(|shares| shares.members.iter());
        for (text, member) in members.into_iter().flatten() {
            self.let_go(slot, text, Some(self.homes.shares.granted(*member)));
        }
    }

    /// Whether a subscription of the session is held when it is granted at `qos`.
    fn holds(&self, slot: u32, qos: Option<QoS>) -> bool {
        qos > Some(QoS::AtMostOnce)
            && self.homes.sessions.at(slot).is_some_and(|session| session.is_durable())
    }
}
