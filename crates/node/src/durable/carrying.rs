//! Messages under way for long are carried forward: written to the log again, so that it need not
//! keep all that came behind them.
//!
//! Owns when that is and what follows. First the message becomes a fact again, then a progress
//! names that record by the exchange's identifier, then the log lets go of what came before: a
//! stop between any two of these finds the message in one of both places. An exchange keeps its
//! identifier, its place in the order and its state. What a shared group gave at QoS 1 is the
//! group's to carry.

use super::carried::{Carry, Stands};
use super::entries::{Kind, Then};
use super::reading::{Message, ReadJob};
use super::{Durable, Given};
use crate::homes::Homes;
use crate::journal::{Carried, CarriedFor, Content, Entry, SessionId, Via};
use crate::session::{Delivery, Session};
use crate::shard::Shard;
use crate::share::Memberships;
use broker::publication::Publication;
use broker::subscription::SessionRef;
use mqtt::packet_id::PacketId;
use mqtt::session::Exchange;
use std::collections::VecDeque;
use std::sync::Arc;
use store::op::Sequence;

/// Sessions with a message that keeps much of the log, the longest known first.
#[derive(Default)]
pub(crate) struct Late(VecDeque<Look>);

struct Look {
    session: SessionRef,
    due_ms: u64,
    /// Messages up to here were under way when it was looked at last.
    mark: Sequence,
}

/// An exchange that the client has not ended, as the log has it to know.
pub(super) struct Open<'a> {
    pub packet_id: PacketId,
    /// By which the session knows the message; 0 = it was never in the log.
    pub sequence: Sequence,
    pub exchange: Exchange,
    pub via: Via,
    pub kept: Option<&'a Delivery>,
}

/// A message to be carried.
struct Due {
    packet_id: PacketId,
    from: Sequence,
    /// Where it is in memory.
    delivery: Option<Delivery>,
}

/// What one turn may carry.
struct Left {
    bytes: usize,
    reads: usize,
}

/// What a progress says for the first time of what is carried, and for the last.
pub(crate) struct Told {
    pub named: Vec<(PacketId, Sequence)>,
    pub over: Vec<Sequence>,
}

impl Session {
    /// What its client has not ended.
    pub(super) fn open<'s>(&'s self, shares: &'s Memberships) -> impl Iterator<Item = Open<'s>> {
        let exchanges = self.durable.as_deref().map(Durable::exchanges);
        self.outbound.unacknowledged().map(move |u| {
            let packet_id = u.packet_id;
            let kept = u.kept.map(|d| Sequence(d.publication.sequence()));
            // A released one of a group has no message here, and is still not to be given again.
            let given =
                exchanges.and_then(|e| e.by_group.iter().find(|g| g.packet_id == packet_id));
            let before = || exchanges?.unloaded.iter().find(|(id, _)| *id == packet_id);
            let sequence = kept.or_else(|| given.map(|given| given.sequence));
            let sequence = sequence.or_else(|| before().map(|(_, sequence)| *sequence));
            let via = match (given, u.kept.and_then(|d| d.member)) {
                (Some(given), _) => Via::Group(given.stream),
                (None, Some(member)) => shares.via(member),
                (None, None) => Via::Own,
            };
            let (sequence, exchange) = (sequence.unwrap_or(Sequence(0)), u.exchange);
            Open { packet_id, sequence, exchange, via, kept: u.kept }
        })
    }

    /// Exchanges whose messages keep much of the log, or keep it for long.
    fn late<'s>(
        &'s self,
        shares: &'s Memberships,
        behind_max: usize,
    ) -> impl Iterator<Item = Open<'s>> {
        let first = self.queue.as_ref().and_then(|q| q.first_logged());
        let durable = self.durable.as_deref();
        let cursor = durable.map_or(Sequence(0), |d| d.cursor_before(first));
        let reads = durable.is_some_and(|d| !d.streams.is_empty());
        let is_carried = move |o: &Open<'_>| {
            durable.is_some_and(|d| d.exchanges().carried.of(o.packet_id, o.sequence).is_some())
        };
        self.open(shares).filter(move |o| {
            let keeps = match o.via {
                Via::Own => reads && cursor.0.saturating_sub(o.sequence.0) > behind_max as u64,
                Via::Group(_) => o.exchange == Exchange::Published2,
            };
            keeps && o.exchange != Exchange::Released && o.sequence.0 > 0 && !is_carried(o)
        })
    }
}

impl Homes {
    /// What the log has of a session that is there.
    pub(super) fn durable_mut(&mut self, session: SessionRef) -> Option<&mut Durable> {
        let found = self.sessions.get_mut(session.slot, session.generation)?;
        found.durable.as_deref_mut()
    }

    /// A session whose delivery was told may have a message that keeps much of the log.
    pub(super) fn see_late(&mut self, slot: u32) {
        let due_ms = self.now.mono_ms + u64::from(self.limits.carried_after_s) * 1_000;
        let behind_max = self.limits.carried_behind_records_max;
        let session = self.session_ref(slot);
        let Some(s) = self.sessions.at_mut(slot) else { return };
        if s.outbound.is_empty() || s.durable.as_ref().is_none_or(|d| d.is_late) {
            return;
        }
        let Some(mark) = s.late(&self.shares, behind_max).map(|open| open.sequence).max() else {
            return;
        };
        if let Some(durable) = s.durable.as_deref_mut() {
            durable.is_late = true;
        }
        self.late.0.push_back(Look { session, due_ms, mark });
        self.arm_late();
    }

    fn arm_late(&mut self) {
        if let Some(Look { due_ms, .. }) = self.late.0.front() {
            let at_ms = (*due_ms).max(self.now.mono_ms + super::progress::LATE_MS);
            self.arm(crate::timers::Timer::Progress, at_ms);
        }
    }

    /// A progress that names these is a fact: what came before is not needed for them.
    pub(super) fn are_named(&mut self, session: SessionRef, named: &[(PacketId, Sequence)]) {
        if named.is_empty() {
            return;
        }
        for (packet_id, at) in named {
            self.is_named(session, *packet_id, *at);
        }
        self.changed(session.slot);
    }

    fn is_named(&mut self, session: SessionRef, packet_id: PacketId, at: Sequence) {
        let Some(s) = self.sessions.get_mut(session.slot, session.generation) else { return };
        let now_ms = self.now.mono_ms;
        let Session { durable, outbound, .. } = s;
        let Some(durable) = durable.as_deref_mut() else { return };
        let exchanges = durable.exchanges_mut();
        let Some(Carry { from, .. }) = exchanges.carried.take_kept(packet_id, at) else { return };
        let (mut known_by, mut stream) = (from, None);
        let is_it = |one: &&mut (PacketId, Sequence)| **one == (packet_id, from);
        if let Some(before) = exchanges.unloaded.iter_mut().find(is_it) {
            before.1 = at;
            known_by = at;
        }
        let is_it = |g: &&mut Given| g.packet_id == packet_id && g.sequence == from;
        if let Some(given) = exchanges.by_group.iter_mut().find(is_it) {
            self.needs.extend(given.leave());
            *given = given.carried_to(at);
            (known_by, stream) = (at, Some(given.stream));
        }
        let is_it = |d: &&mut Delivery| d.publication.sequence() == from.0;
        if let Some(delivery) = outbound.kept_mut(packet_id).filter(is_it) {
            let group = delivery.member.map(|member| self.shares.via(member));
            stream = stream.or(group.and_then(Via::stream));
            if stream.is_some() {
                // The group's copy is over with that.
                let mut own = delivery.publication.own();
                own.settled_at(at.0);
                own.charge_to(self.meter.account());
                delivery.publication = Arc::new(own);
                known_by = at;
            }
        }
        exchanges.carried.put(Carry { packet_id, from: known_by, stands: Stands::Told(at) });
        if let Some(stream) = stream {
            durable.had_finished(&[(stream, from)], now_ms);
        }
    }
}

impl Shard {
    /// Carries forward what has been under way for long.
    pub(super) fn carry_late(&mut self) {
        let now_ms = self.homes.now.mono_ms;
        let mut left = Left { bytes: BYTES_AT_ONCE, reads: READS_AT_ONCE };
        while left.bytes > 0
            && left.reads > 0
            && self.homes.late.0.front().is_some_and(|look| look.due_ms <= now_ms)
        {
            let Some(look) = self.homes.late.0.pop_front() else { break };
            self.look(look, &mut left);
        }
        self.homes.arm_late();
    }

    fn look(&mut self, look: Look, left: &mut Left) {
        let Look { session, mark, .. } = look;
        let Homes { sessions, shares, limits, .. } = &mut self.homes;
        let behind_max = limits.carried_behind_records_max;
        let Some(s) = sessions.get_mut(session.slot, session.generation) else { return };
        let due = s.late(shares, behind_max).filter(|open| open.sequence <= mark);
        let due: Vec<Due> = due.map(|open| Due::of(&open)).collect();
        let mut unread = Vec::new();
        for Due { packet_id, from, delivery } in due {
            if left.bytes == 0 || unread.len() == left.reads {
                // The rest in the next turn.
                left.bytes = 0;
                self.homes.late.0.push_front(look);
                return self.read_to_carry(session, unread);
            }
            match delivery {
                Some(d) => {
                    let (ids, retain) = (d.ids.as_slice().to_vec(), d.retain);
                    left.bytes = left.bytes.saturating_sub(d.publication.bytes() + RECORD_BYTES);
                    self.carry(session, (packet_id, from), &d.publication, ids, retain);
                }
                None => unread.push((packet_id, from)),
            }
        }
        left.reads -= unread.len();
        self.read_to_carry(session, unread);
        if let Some(durable) = self.homes.durable_mut(session) {
            durable.is_late = false;
        }
        self.homes.see_late(session.slot);
    }

    fn read_to_carry(&mut self, session: SessionRef, again: Vec<(PacketId, Sequence)>) {
        if again.is_empty() {
            return;
        }
        let account = self.homes.meter.account().clone();
        let job = ReadJob::to_carry(session, again, account);
        self.homes.effects.push(crate::effect::Effect::Read(Box::new(job)));
    }

    /// What was read to be carried; what could not be read is tried again when somebody comes.
    pub(super) fn carry_read(
        &mut self,
        session: SessionRef,
        again: Vec<(PacketId, Sequence, Option<Message>)>,
    ) {
        for (packet_id, from, message) in again {
            let Some(message) = message else { continue };
            let Some(durable) = self.homes.durable_mut(session) else { return };
            let exchanges = durable.exchanges();
            let is_there = exchanges.unloaded.contains(&(packet_id, from));
            if is_there && exchanges.carried.of(packet_id, from).is_none() {
                let (ids, retain) = self.sent_as(session.slot, &message);
                let ids = ids.as_slice().to_vec();
                self.carry(session, (packet_id, from), &message.publication, ids, retain);
            }
        }
    }

    fn carry(
        &mut self,
        session: SessionRef,
        (packet_id, from): (PacketId, Sequence),
        publication: &Publication,
        ids: Vec<u32>,
        retain: bool,
    ) {
        let Some(durable) = self.homes.durable_mut(session) else { return };
        let carry = Carry { packet_id, from, stands: Stands::Written };
        durable.exchanges_mut().carried.put(carry);
        let whose = CarriedFor::Session { session: durable.id, packet_id, ids };
        let content = Content { retain, ..Content::of(&publication.message) };
        let deadline_ms = publication.deadline_ms;
        let entry = Entry::Carried(Carried { content, deadline_ms, whose });
        let then = Then::Carried { packet_id, from };
        self.keep(session.slot, &entry, Kind::Carried, then);
    }

    /// A message lies in the log again, for a progress to name it.
    pub(super) fn carried(
        &mut self,
        (session, id): (SessionRef, SessionId),
        (packet_id, from): (PacketId, Sequence),
        at: Sequence,
    ) {
        self.homes.counters.carried.add(1);
        if let Some(durable) = self.durable_of(session, id) {
            let stands = Stands::Kept(at);
            durable.exchanges_mut().carried.put(Carry { packet_id, from, stands });
        }
        if self.homes.durable_mut(session).is_some_and(|d| d.id == id) {
            self.homes.changed(session.slot);
        }
    }
}

impl Due {
    fn of(open: &Open<'_>) -> Self {
        let Open { packet_id, sequence: from, kept, .. } = *open;
        Self { packet_id, from, delivery: kept.cloned() }
    }
}

/// So many bytes are carried in one turn, and about one message more.
const BYTES_AT_ONCE: usize = 4 << 20;
/// So many messages are read in one turn to be carried.
const READS_AT_ONCE: usize = 64;
/// What a record has besides its message, about.
const RECORD_BYTES: usize = 64;
