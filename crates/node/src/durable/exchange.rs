//! QoS 2 where the log has to know of each step before the peer does (core.md 2).

use super::Given;
use super::entries::{Kind, Then};
use crate::homes::Homes;
use crate::journal::{Direction, Entry, Released, Sent, Via};
use crate::link::LinkId;
use crate::session::{Delivery, Origin, Session};
use crate::shard::Shard;
use broker::subscription::SessionRef;
use engine::Outcome;
use mqtt::packet_id::PacketId;
use mqtt::reason::Reason;
use mqtt::wire::{AckKind, encoder};
use store::op::Sequence;

/// An exchange that the log has to know of before its PUBLISH goes out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begin {
    pub session: SessionRef,
    pub packet_id: PacketId,
    pub sequence: Sequence,
    pub via: Via,
}

/// A step on its way into the log. A progress that is written meanwhile comes behind it and
/// overtakes it, so that it has to tell of it; all others are known before they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A QoS 2 publish of the session, with this identifier.
    Received(PacketId),
    /// PUBREC of the client, or its PUBREL.
    Released(PacketId, Direction),
}

impl Shard {
    /// A step goes into the log.
    pub(crate) fn takes_step(&mut self, slot: u32, step: Step) {
        let session = self.homes.sessions.at_mut(slot);
        if let Some(durable) = session.and_then(|s| s.durable.as_deref_mut()) {
            durable.exchanges_mut().steps.push(step);
        }
    }

    /// It is a fact or was refused. Then a progress may tell of what is not: the next one does not.
    pub(crate) fn took_step(&mut self, session: SessionRef, step: Step, outcome: Outcome) {
        let here = self.homes.sessions.get_mut(session.slot, session.generation);
        let Some(durable) = here.and_then(|s| s.durable.as_deref_mut()) else { return };
        let at = durable.exchanges().steps.iter().position(|taken| *taken == step);
        if let Some(at) = at {
            durable.exchanges_mut().steps.remove(at);
        }
        if outcome != Outcome::Durable {
            self.homes.changed(session.slot);
        }
    }

    /// Exchanges that deliveries of this turn have begun.
    pub(crate) fn keep_begun(&mut self) {
        for Begin { session, packet_id, sequence, via } in std::mem::take(&mut self.homes.begun) {
            let found = self.homes.sessions.get(session.slot, session.generation);
            let Some(id) = found.and_then(|s| s.durable.as_ref()).map(|d| d.id) else { continue };
            let entry = Entry::Sent(Sent { session: id, packet_id, sequence, via });
            self.keep(session.slot, &entry, Kind::Delivery, Then::Send(packet_id));
            if via != Via::Own {
                // The group goes on while the client is silent.
                self.homes.changed(session.slot);
            }
        }
    }

    /// PUBREC for a message that the log has: PUBREL follows when the log knows it.
    pub(crate) fn keep_release(&mut self, link: LinkId, slot: u32, packet_id: PacketId) {
        let Some(session) = self.durable(slot).map(|d| d.id) else { return };
        let direction = Direction::Outbound;
        self.takes_step(slot, Step::Released(packet_id, direction));
        let entry = Entry::Released(Released { session, packet_id, direction });
        self.keep(slot, &entry, Kind::Delivery, Then::Release { link, packet_id });
    }

    /// PUBREL for an identifier that the log has: PUBCOMP follows when the log knows it.
    pub(crate) fn keep_complete(&mut self, link: LinkId, slot: u32, packet_id: PacketId) {
        let Some(session) = self.durable(slot).map(|d| d.id) else { return };
        let direction = Direction::Inbound;
        self.takes_step(slot, Step::Released(packet_id, direction));
        let entry = Entry::Released(Released { session, packet_id, direction });
        self.keep(slot, &entry, Kind::Delivery, Then::Complete { link, packet_id });
    }

    /// The log knows that the client has the message.
    pub(super) fn release(&mut self, link: LinkId, packet_id: PacketId) {
        if !self.homes.is_link(link) {
            return;
        }
        let Some((l, slot, session)) = self.homes.attached(link.slot) else { return };
        let version = l.version;
        // A repeated PUBREC has had this already; its PUBREL is repeated too.
        if let Ok(kept) = session.outbound.pubrec(packet_id) {
            self.homes.released(slot, packet_id, kept);
            if let Some(out) = self.homes.output(link.slot) {
                encoder::ack(out, version, AckKind::PubRel, packet_id, Reason::SUCCESS);
            }
        }
    }

    /// The log knows that the identifier is free.
    pub(super) fn complete(&mut self, session: SessionRef, link: LinkId, packet_id: PacketId) {
        let found = self.homes.sessions.get_mut(session.slot, session.generation);
        let Some(s) = found else { return };
        s.received.release(packet_id);
        let version = s.version;
        if let Some(durable) = &mut s.durable {
            durable.exchanges_mut().received.retain(|held| *held != packet_id);
        }
        if self.homes.is_link(link)
            && let Some(out) = self.homes.output(link.slot)
        {
            encoder::ack(out, version, AckKind::PubComp, packet_id, Reason::SUCCESS);
        }
    }

    /// A QoS 2 publish of a session that is kept is a fact: so is its identifier.
    pub(crate) fn received_kept(&mut self, who: Origin, id: PacketId, at: Option<Sequence>) {
        let session = self.homes.sessions.get_mut(who.slot, who.generation);
        let Some(durable) = session.and_then(|s| s.durable.as_deref_mut()) else { return };
        durable.exchanges_mut().received.push(id);
        durable.by_progress.extend(at);
        self.homes.changed(who.slot);
    }
}

impl Session {
    /// An exchange is over: what a group had given by it, if that is in the list.
    #[inline]
    pub(crate) fn take_given(&mut self, id: PacketId) -> Option<Given> {
        self.durable.as_deref_mut()?.take_given(id)
    }
}

impl Homes {
    /// By what a message came to a session that is kept.
    pub(crate) fn via_of(&self, delivery: &Delivery) -> Via {
        delivery.member.map_or(Via::Own, |member| self.shares.via(member))
    }

    /// An exchange of a session is over: the log need not keep what a group gave by it.
    pub(crate) fn exchange_over(&mut self, slot: u32, id: PacketId) -> Option<Given> {
        let given = self.sessions.at_mut(slot)?.take_given(id)?;
        self.needs.extend(given.leave());
        Some(given)
    }

    /// PUBCOMP: a shared group has its member's credit back, and what it gave is over.
    pub(crate) fn had_to_the_end(&mut self, slot: u32, id: PacketId, kept: Option<&Delivery>) {
        let now_ms = self.now.mono_ms;
        let before = self.exchange_over(slot, id);
        let given = kept.filter(|delivery| delivery.publication.sequence() > 0);
        let via = given.map_or(Via::Own, |delivery| self.via_of(delivery));
        let session = self.sessions.at_mut(slot);
        if let Some(durable) = session.and_then(|s| s.durable.as_deref_mut()) {
            match (before, via, given) {
                (Some(Given { stream, sequence, .. }), ..) => {
                    durable.had_finished(&[(stream, sequence)], now_ms);
                }
                (None, Via::Group(stream), Some(given)) => {
                    durable.finishes(stream, Sequence(given.publication.sequence()), now_ms);
                }
                _ => {}
            }
        }
        if let Some(member) = kept.and_then(|delivery| delivery.member) {
            self.shares.finished(member);
        }
    }

    /// The log knows of an exchange: its PUBLISH goes out, or waits for a connection.
    pub(super) fn send_begun(&mut self, session: SessionRef, packet_id: PacketId) {
        let Some(s) = self.sessions.get_mut(session.slot, session.generation) else { return };
        let Some(durable) = s.durable.as_deref_mut() else { return };
        durable.exchanges_mut().unsent.retain(|id| *id != packet_id);
        self.send_open(session, packet_id);
        while let Some(next) = self.take_passing(session) {
            self.send_open(session, next);
        }
    }

    /// The next exchange that waits for those before it only: its message is not in the log.
    fn take_passing(&mut self, session: SessionRef) -> Option<PacketId> {
        let s = self.sessions.get_mut(session.slot, session.generation)?;
        let unsent = &mut s.durable.as_deref_mut()?.exchanges.as_deref_mut()?.unsent;
        let kept = s.outbound.kept(*unsent.front()?);
        let is_passing = kept.is_none_or(|delivery| delivery.publication.sequence() == 0);
        if is_passing { unsent.pop_front() } else { None }
    }

    fn send_open(&mut self, session: SessionRef, packet_id: PacketId) {
        let Some(s) = self.sessions.get_mut(session.slot, session.generation) else { return };
        if s.link().is_none() {
            return;
        }
        if let Some(resend) = &mut s.resend {
            // Behind what has to be sent again.
            resend.push_back(packet_id);
            return;
        }
        let Some(delivery) = s.outbound.kept(packet_id).cloned() else { return };
        if !self.send(session.slot, &delivery, packet_id.get(), false) {
            self.as_if_delivered(session.slot, packet_id);
        }
    }

    /// Exchanges whose beginning the disk refused begin anew: of all others the log has told by
    /// the time when somebody is there again.
    pub(crate) fn begin_again(&mut self, slot: u32) {
        let session = self.session_ref(slot);
        let Some(s) = self.sessions.at(slot) else { return };
        let Some(durable) = s.durable.as_deref() else { return };
        for packet_id in &durable.exchanges().unsent {
            let kept = s.outbound.kept(*packet_id);
            if let Some(kept) = kept.filter(|kept| kept.publication.sequence() > 0) {
                let sequence = Sequence(kept.publication.sequence());
                let via = self.via_of(kept);
                self.begun.push(Begin { session, packet_id: *packet_id, sequence, via });
            }
        }
    }
}
