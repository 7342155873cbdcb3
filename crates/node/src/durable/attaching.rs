//! CONNECT to a session that is kept: CONNACK goes out when the log knows that somebody is there.
//!
//! Until then the connection is not read and gets nothing; messages stay in the log.

use super::entries::{Then, last_will};
use super::{Durable, Waits};
use crate::connect::Applicant;
use crate::journal::{Attached, Entry, Owner};
use crate::link::{LinkId, Phase};
use crate::opening::Opening;
use crate::session::{State, Will};
use crate::shard::Shard;
use broker::access::Principal;
use broker::subscription::SessionRef;
use mqtt::error::Wrong;
use mqtt::reason::Reason;
use std::sync::Arc;
use store::op::Sequence;

impl Shard {
    /// The log keeps a new session from here on.
    pub(crate) fn begin_durable(&mut self, slot: u32) {
        let (id, end) = (self.next_session, Sequence(self.heard.up_to));
        self.next_session.0 += self.posts.len() as u64;
        let bytes = self.homes.meter.queued.hold();
        if let Some(session) = self.homes.sessions.at_mut(slot) {
            session.durable = Some(Box::new(Durable::new(id, end, bytes)));
        }
    }

    /// A session that the log does not keep is the client's as soon as the log knows that the one
    /// before is over: it would be found again after a start. Whether that is to be waited for.
    pub(crate) fn attach_when_ended(
        &mut self,
        link: u32,
        slot: u32,
        opening: &Opening,
        principal: &Arc<Principal>,
    ) -> bool {
        let (session, principal) = (self.homes.session_ref(slot), Arc::clone(principal));
        let waits = Waits::Attach { session, link: self.homes.link_id(link), principal };
        if self.endings.wait(&opening.client, waits).is_err() {
            return false;
        }
        if let Some(l) = self.homes.links.at_mut(link) {
            l.phase = Phase::Attaching(slot, Box::new(opening.clone()));
        }
        if let Some(session) = self.homes.sessions.at_mut(slot) {
            session.state = State::Attaching { link, ends_at_ms: 0 };
        }
        true
    }

    /// The session is the client's as soon as the log knows it.
    pub(crate) fn attach_when_kept(
        &mut self,
        link: u32,
        slot: u32,
        opening: &Opening,
        principal: &Arc<Principal>,
        present: bool,
    ) {
        let id = self.homes.link_id(link);
        if let Some(l) = self.homes.links.at_mut(link) {
            l.phase = Phase::Attaching(slot, Box::new(opening.clone()));
        }
        let Some(session) = self.homes.sessions.at_mut(slot) else { return };
        let before = match session.state {
            State::Detached { ends_at_ms, .. } => ends_at_ms,
            State::Connected { .. } | State::Attaching { .. } => u64::MAX,
        };
        session.state = State::Attaching { link, ends_at_ms: before };
        let Some(durable) = &session.durable else { return };
        let then = Then::Attach { link: id, principal: Arc::clone(principal), present };
        if present {
            let will = opening.will.as_ref().map(|will| last_will(will));
            let (session, version, expiry_s) = (durable.id, opening.version, opening.expiry_s);
            let owner = Owner::of(principal);
            let entry = Entry::Attached(Attached { session, version, expiry_s, will, owner });
            return self.keep_change(slot, &entry, then);
        }
        // All that is new is in the session by now, but for the will.
        session.will = opening.will.as_ref().map(|w| Box::new(Will::clone(w)));
        self.keep_whole(slot, then);
    }

    /// The log knows that the client is there.
    pub(super) fn attach_kept(
        &mut self,
        session: SessionRef,
        link: LinkId,
        principal: &Arc<Principal>,
        present: bool,
    ) {
        let Some(opening) = self.attaching(session, link) else { return };
        self.attached(link.slot, session.slot, &opening, principal, present);
    }

    /// The log cannot know it.
    pub(super) fn refuse_attached(&mut self, session: SessionRef, link: LinkId, why: &'static str) {
        let Some(opening) = self.attaching(session, link) else { return };
        let wrong = Wrong::new(Reason::QUOTA_EXCEEDED, "disk", why);
        self.refuse_connect(link.slot, Applicant::from(&*opening), wrong);
        self.leave_attaching(session.slot, false);
    }

    /// The connection is gone, or another one takes the session, before CONNACK.
    pub(crate) fn attaching_lost(&mut self, link: u32) {
        let Some(l) = self.homes.links.at_mut(link) else { return };
        let Phase::Attaching(slot, _) = &l.phase else { return };
        let slot = *slot;
        l.phase = Phase::Closing;
        let is_its = |state| matches!(state, State::Attaching { link: its, .. } if its == link);
        if self.homes.sessions.at(slot).is_some_and(|s| is_its(s.state)) {
            self.leave_attaching(slot, true);
        }
    }

    /// Nobody is there after all. `told`: the log will say that somebody was.
    fn leave_attaching(&mut self, slot: u32, told: bool) {
        let now_ms = self.homes.now.wall_ms;
        let is_new = self.durable(slot).is_some_and(|d| d.first.0 == 0);
        let Some(session) = self.homes.sessions.at_mut(slot) else { return };
        let State::Attaching { ends_at_ms, .. } = session.state else { return };
        // One that the log does not keep never began.
        if session.durable.is_none() || (is_new && !told) {
            return self.end_session(slot);
        }
        let after = session.ends_after(now_ms);
        let ends_at_ms = if told { after } else { ends_at_ms };
        session.will = None;
        session.state = State::Detached { ends_at_ms, will_at_ms: u64::MAX };
        self.homes.arm(crate::timers::Timer::Session(slot), ends_at_ms);
        self.keep_detached(slot);
    }

    /// The CONNECT of a connection that waits for the log, if both are still there.
    fn attaching(&mut self, session: SessionRef, link: LinkId) -> Option<Box<Opening>> {
        let s = self.homes.sessions.get(session.slot, session.generation)?;
        let State::Attaching { link: its, .. } = s.state else { return None };
        let l = self.homes.links.get_mut(link.slot, link.generation)?;
        if its != link.slot {
            return None;
        }
        match std::mem::replace(&mut l.phase, Phase::Closing) {
            Phase::Attaching(_, opening) => Some(opening),
            other => {
                l.phase = other;
                None
            }
        }
    }
}
