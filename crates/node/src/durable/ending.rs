//! The end of a connection and of a session, as the log has them.

use super::Waits;
use super::entries::{Kept, Kind, Then};
use super::progress::LATE_MS;
use crate::journal::{Detached, Entry, SessionEnded, SessionId, WillLeft};
use crate::post::Deleted;
use crate::session::State;
use crate::shard::Shard;
use crate::timers::Timer;
use crate::waiting::Completion;
use broker::subscription::SessionRef;
use store::op::Sequence;

impl Shard {
    /// The session has no connection, or its will is gone: nobody waits for that.
    pub(crate) fn keep_detached(&mut self, slot: u32) {
        let Some(session) = self.homes.sessions.at(slot) else { return };
        let Some(durable) = &session.durable else { return };
        let State::Detached { ends_at_ms, will_at_ms } = session.state else { return };
        if session.subscriptions() <= WHOLE_SUBSCRIPTIONS_MAX {
            return self.keep_whole(slot, Then::Nothing);
        }
        let will = match session.will {
            Some(_) => WillLeft::Due { at_ms: will_at_ms },
            None => WillLeft::Gone,
        };
        let (session, expiry_s) = (durable.id, session.expiry_s);
        let entry = Entry::Detached(Detached { session, expiry_s, ends_at_ms, will });
        self.keep_change(slot, &entry, Then::Nothing);
    }

    /// The session is over: what it has in the log means nothing once that is a fact. Goes before
    /// its subscriptions end.
    pub(crate) fn keep_ended(&mut self, slot: u32) {
        let session = self.homes.session_ref(slot);
        let Some(s) = self.homes.sessions.at_mut(slot) else { return };
        let Some(durable) = s.durable.take() else { return };
        // What it holds is let go as long as it outlives connections.
        s.expiry_s = s.expiry_s.max(1);
        let id = durable.id;
        self.endings.begin(s.client.clone(), durable);
        let entry = Entry::SessionEnded(SessionEnded { session: id });
        let (kind, then) = (Kind::Ended, Then::Nothing);
        self.perform.write(&entry, Completion::Kept(Kept { session, id, kind, then }));
    }

    /// The log knows the end of a session: whoever waits for that goes on.
    pub(super) fn ended(&mut self, id: SessionId, at: Sequence) {
        let Some((durable, waits)) = self.endings.kept(id) else { return };
        durable.into_needs(at).for_each(|need| self.perform.need(need));
        for waits in waits {
            match waits {
                Waits::Attach { session, link, principal } => {
                    self.attach_kept(session, link, &principal, false);
                }
                Waits::Reply(reply) => reply(Deleted::Done),
            }
        }
    }

    /// The disk has not taken the end of a session, which would be there again after the next
    /// start: it is told until the log knows it. A client of QoS 0 is served meanwhile.
    pub(super) fn end_again(&mut self, ended: SessionId, why: &'static str) {
        for waits in self.endings.refuse(ended) {
            match waits {
                Waits::Attach { session, link, principal } => {
                    self.attach_kept(session, link, &principal, false);
                }
                Waits::Reply(reply) => reply(Deleted::Unstored { why }),
            }
        }
        let at_ms = self.homes.now.mono_ms + LATE_MS;
        self.homes.arm(Timer::Progress, at_ms);
    }

    /// Tells the log of ends that it has not taken.
    pub(crate) fn end_refused(&mut self) {
        for id in self.endings.take_refused() {
            let entry = Entry::SessionEnded(SessionEnded { session: id });
            let (kind, then, session) = (Kind::Ended, Then::Nothing, NOBODY);
            self.perform.write(&entry, Completion::Kept(Kept { session, id, kind, then }));
        }
    }

    /// What waits of a session that is left goes back to the log: it is read again when somebody
    /// comes.
    pub(crate) fn give_back(&mut self, slot: u32) {
        let Some(session) = self.homes.sessions.at_mut(slot) else { return };
        let Some(durable) = session.durable.as_deref_mut() else { return };
        durable.forget_read();
        let Some(queue) = session.queue.as_mut() else { return };
        let taken = queue.take_logged();
        if queue.waiting.is_empty() {
            session.queue = None;
        }
        let Some(first) = taken.first() else { return };
        let first = Sequence(first.taken);
        let bytes = taken.iter().map(|d| d.publication.bytes() as u64).sum();
        durable.backlog.give_back(first, taken.len() as u64, bytes);
        durable.weigh();
    }
}

/// With no more subscriptions the whole session is written when its connection is lost: little
/// more than that alone, and one record is what it costs until somebody comes back.
const WHOLE_SUBSCRIPTIONS_MAX: usize = 8;
/// The session is gone; its name in the log is all that counts.
const NOBODY: SessionRef = SessionRef { slot: u32::MAX, generation: 0 };
