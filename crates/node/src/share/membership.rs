//! A session as member of shared groups: it joins, takes what it is handed, and reports.
//!
//! Every message of QoS 1 or 2 that a group hands to a session is reported once, whatever becomes
//! of it, for it holds one of the member's credits until then. Refuses to know the groups.

use super::Mail;
use crate::counters::Loss;
use crate::durable::{Given, NO_STREAM};
use crate::homes::Homes;
use crate::journal::{Subscription, Via};
use crate::session::{Delivery, Queue, Session, Shares};
use broker::publication::Publication;
use broker::router::Ids;
use broker::share::{Handout, MemberId, Presence, Tries};
use broker::subscription::ReceiverOptions;
use hashbrown::HashMap;
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::session::Exchange;
use std::sync::Arc;
use store::log::{Need, StreamId};
use store::op::Sequence;

/// The memberships of the sessions at home on one reactor.
#[derive(Default)]
pub(crate) struct Memberships {
    of: HashMap<MemberId, Membership, foldhash::fast::RandomState>,
    /// What groups have to hear, in order; sent at the end of the turn.
    pub mail: Vec<(MemberId, Mail)>,
    given: u64,
}

pub(super) struct Membership {
    /// The session's slot.
    pub slot: u32,
    pub options: ReceiverOptions,
    pub subscription_id: u32,
    /// Its stream in the log, if it was held for this one.
    pub stream: Option<StreamId>,
    pub since: Sequence,
}

/// A membership that has ended, to be told to whoever counts interest in its filter.
pub(crate) struct Former {
    pub member: MemberId,
    /// The filter as subscribed.
    pub text: Arc<str>,
}

impl Memberships {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.of.len()
    }

    /// The QoS granted to a member.
    pub fn granted(&self, member: MemberId) -> QoS {
        self.of.get(&member).map_or(QoS::AtMostOnce, |m| m.options.qos())
    }

    /// The stream of a membership that is held.
    pub fn stream_of(&self, member: MemberId) -> Option<(StreamId, Sequence)> {
        let m = self.of.get(&member)?;
        m.stream.map(|stream| (stream, m.since))
    }

    /// By what a message came that this member has. Whoever ends a membership has told which.
    pub fn via(&self, member: MemberId) -> Via {
        Via::Group(self.stream_of(member).map_or(NO_STREAM, |(stream, _)| stream))
    }

    /// A membership as the log has it.
    pub fn kept<'a>(&self, member: MemberId, text: &'a str) -> Option<Subscription<'a>> {
        let m = self.of.get(&member)?;
        let (options, subscription_id, since) = (m.options, m.subscription_id, m.since);
        let stream = m.stream.unwrap_or(NO_STREAM);
        Some(Subscription { filter: text, options, subscription_id, stream, since })
    }

    /// A message of this member is over.
    pub fn finished(&mut self, member: MemberId) {
        if let Some((last, Mail::Finished(count))) = self.mail.last_mut()
            && *last == member
        {
            *count += 1;
        } else {
            self.mail.push((member, Mail::Finished(1)));
        }
    }

    /// A message that the member did not get. Those of one member in a row stay in their order.
    fn returned(&mut self, member: MemberId, publication: Arc<Publication>) {
        if let Some((last, Mail::Returned(all))) = self.mail.last_mut()
            && *last == member
        {
            all.push(publication);
        } else {
            self.mail.push((member, Mail::Returned(vec![publication])));
        }
    }

    /// A group that hands out to a stalled member was joined after the others were told.
    fn still_stalled(&mut self, member: MemberId) {
        let said = |m: &Mail| matches!(m, Mail::Presence(Presence::Stalled) | Mail::Returned(_));
        // Not between two messages that go back together.
        if !self.mail.last().is_some_and(|(last, mail)| *last == member && said(mail)) {
            self.mail.push((member, Mail::Presence(Presence::Stalled)));
        }
    }

    /// Deliveries that others may get, oldest first.
    fn returned_all(&mut self, mut all: Vec<Delivery>) {
        all.sort_by_key(|d| d.member);
        for delivery in all {
            if let Some(member) = delivery.member {
                self.returned(member, delivery.publication);
            }
        }
    }
}

impl Homes {
    /// The session's membership of a group at home on `home`: the one that it has, or a new one.
    pub(super) fn become_member(
        &mut self,
        text: &Arc<str>,
        home: usize,
        mut membership: Membership,
    ) -> (MemberId, bool) {
        let slot = membership.slot;
        let me = self.me;
        let Memberships { of, given, .. } = &mut self.shares;
        let mut is_new = false;
        let mut new = || {
            is_new = true;
            *given += 1;
            MemberId::new(home, me, *given)
        };
        let member = match self.sessions.at_mut(slot) {
            Some(s) => {
                let shares = s.shares.get_or_insert_default();
                *shares.members.entry(Arc::clone(text)).or_insert_with(new)
            }
            None => new(),
        };
        if let Some(before) = of.get(&member).filter(|_| membership.stream.is_none()) {
            (membership.stream, membership.since) = (before.stream, before.since);
        }
        of.insert(member, membership);
        (member, is_new)
    }

    /// Ends a membership; what waits for the session to be sent goes back to the group, what was
    /// sent goes on.
    pub fn end_membership(&mut self, slot: u32, text: &str) -> Option<Former> {
        let session = self.sessions.at_mut(slot)?;
        let shares = session.shares.as_mut()?;
        let (text, member) = shares.members.remove_entry(text)?;
        if shares.members.is_empty() {
            session.shares = None;
        }
        self.shares.returned_all(take_out(session, |m| m == member));
        if let Some((stream, _)) = self.shares.stream_of(member) {
            // The group may end: the session has what it was sent, and keeps that itself.
            self.needs.extend(keep_given(session, member, stream));
        }
        self.shares.of.remove(&member);
        self.shares.mail.push((member, Mail::Left));
        Some(Former { member, text })
    }

    /// The session has a connection again, or room in its output.
    pub fn tell_groups(&mut self, slot: u32) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let window = session.window;
        let Some(shares) = session.shares.as_mut() else { return };
        shares.stalled = false;
        tell(shares, &mut self.shares.mail, Presence::Here { window });
    }

    /// The session lost its connection and lives on: what was sent stays with it (4.8.2-4), what
    /// was not goes back.
    pub fn leave_groups_waiting(&mut self, slot: u32) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        self.shares.returned_all(take_out(session, |_| true));
        let Some(shares) = session.shares.as_mut() else { return };
        shares.stalled = false;
        tell(shares, &mut self.shares.mail, Presence::Away);
    }

    /// The session has ended: an unacknowledged QoS 1 message may go to another member, a QoS 2
    /// message that was sent may not (4.8.2-5).
    pub fn give_up(&mut self, slot: u32) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let mut all = Vec::new();
        for u in session.outbound.unacknowledged() {
            let Some((delivery, member)) = u.kept.and_then(|d| Some((d, d.member?))) else {
                continue;
            };
            match u.exchange {
                Exchange::Published1 => all.push(delivery.clone()),
                Exchange::Published2 => {
                    self.counters.lose(Loss::SessionEnded);
                    self.shares.finished(member);
                }
                Exchange::Released => self.shares.finished(member),
            }
        }
        all.extend(take_out(session, |_| true));
        self.shares.returned_all(all);
    }

    /// Takes what a group has handed to a session here.
    pub fn take_in(&mut self, h: Handout) {
        let Some(slot) = self.shares.of.get(&h.member).map(|m| m.slot) else {
            return self.give_back(h, Loss::Absent);
        };
        let Some(link) = self.sessions.at(slot).and_then(Session::link) else {
            return self.give_back(h, Loss::Absent);
        };
        let (is_full, why) = if h.qos == QoS::AtMostOnce {
            let output = self.links.at(link).map_or(usize::MAX, |l| l.output.len());
            (output > self.output_bytes_max, Loss::OutputFull)
        } else {
            (self.is_at_bound(slot), Loss::QueueFull)
        };
        if is_full {
            self.stall(slot);
            self.shares.still_stalled(h.member);
            return self.give_back(h, why);
        }
        let ids = if h.subscription_id == 0 { Ids::None } else { Ids::One(h.subscription_id) };
        let member = (h.qos > QoS::AtMostOnce).then_some(h.member);
        let Handout { publication, qos, retain, .. } = h;
        let place = self.meter.deliveries.one();
        let taken = 0;
        let delivery = Delivery { publication, ids, qos, retain, member, taken, place };
        if qos == QoS::AtMostOnce {
            self.send(slot, &delivery, 0, false);
        } else if let Some(session) = self.sessions.at_mut(slot) {
            let queue = session.queue.get_or_insert_with(|| Queue::new(&self.meter.queued));
            queue.push(delivery);
            self.pump(slot);
        }
    }

    /// An exchange is over, and with it what a group had given before.
    #[inline]
    pub fn over(&mut self, kept: Option<Delivery>, given: Option<Given>) {
        if let Some(given) = given {
            self.needs.extend(given.leave());
        }
        let Some(delivery) = kept else { return };
        if let Some(watch) = &delivery.publication.watch {
            watch.delivered();
        }
        if let Some(member) = delivery.member {
            self.shares.finished(member);
        }
    }

    /// PUBREC has come: the message is the client's, its credit comes back with PUBCOMP.
    pub fn released(&mut self, slot: u32, id: PacketId, kept: Option<Delivery>) {
        let Some(delivery) = kept else { return };
        if let Some(watch) = &delivery.publication.watch {
            watch.delivered();
        }
        if delivery.member.is_some()
            && let Some(session) = self.sessions.at_mut(slot)
        {
            session.outbound.keep(id, delivery);
        }
    }

    /// Deliveries of a session's queue that will not be sent to it at this bound: a shared one may
    /// go to somebody else, any other is lost.
    pub fn displace(&mut self, slot: u32, displaced: Vec<Delivery>, why: Loss) {
        let mut lost = 0;
        for delivery in displaced {
            match delivery.member {
                Some(member) => {
                    self.stall(slot);
                    self.shares.returned(member, delivery.publication);
                }
                None => lost += 1,
            }
        }
        if lost > 0 {
            self.drop_many(slot, why, lost);
        }
    }

    /// A stalled member may have room again: half of each bound, so that it does not come and go
    /// with every message.
    pub fn relieve(&mut self, slot: u32) {
        let Some(session) = self.sessions.at(slot) else { return };
        let output = session.link().and_then(|l| self.links.at(l)).map(|l| l.output.len());
        let (count, bytes) = session.queued();
        let limits = &self.limits;
        if output.is_some_and(|len| len <= self.output_bytes_max / 2)
            && count <= limits.session_queue_messages_max / 2
            && bytes <= limits.session_queue_bytes_max / 2
        {
            self.tell_groups(slot);
        }
    }

    /// Whether the session's queue takes no more.
    fn is_at_bound(&self, slot: u32) -> bool {
        let (count, bytes) = self.sessions.at(slot).map_or((0, 0), Session::queued);
        count >= self.limits.session_queue_messages_max
            || bytes >= self.limits.session_queue_bytes_max
    }

    fn give_back(&mut self, h: Handout, why: Loss) {
        match (h.qos, h.tries) {
            (QoS::AtMostOnce, Tries::Last) => self.counters.lose(why),
            (QoS::AtMostOnce, Tries::First) => {
                self.shares.mail.push((h.member, Mail::PassedOn(h.publication)));
            }
            _ => self.shares.returned(h.member, h.publication),
        }
    }

    /// The groups give nothing to a member whose output or queue is full while others have room.
    fn stall(&mut self, slot: u32) {
        let Some(shares) = self.sessions.at_mut(slot).and_then(|s| s.shares.as_mut()) else {
            return;
        };
        if !std::mem::replace(&mut shares.stalled, true) {
            tell(shares, &mut self.shares.mail, Presence::Stalled);
        }
    }
}

/// Remembers exchanges with what a group gave to a member that leaves. Gives what the log has to
/// keep for them.
fn keep_given(session: &mut Session, member: MemberId, stream: StreamId) -> Vec<Need> {
    let Some(durable) = session.durable.as_deref_mut() else { return Vec::new() };
    let given = session.outbound.unacknowledged().filter_map(|u| {
        let delivery = u.kept.filter(|d| d.member == Some(member))?;
        let sequence = Sequence(delivery.publication.sequence());
        let given = Given::new(u.packet_id, sequence, stream, u.exchange);
        let is_told = durable.has_carried(u.packet_id, sequence);
        Some(if is_told { given.carried_to(sequence) } else { given })
    });
    let given: Vec<Given> = given.collect();
    let needs = given.iter().filter_map(|given| given.hold()).collect();
    if !given.is_empty() {
        durable.exchanges_mut().by_group.extend(given);
    }
    needs
}

fn tell(shares: &Shares, mail: &mut Vec<(MemberId, Mail)>, presence: Presence) {
    mail.extend(shares.members.values().map(|m| (*m, Mail::Presence(presence))));
}

/// Takes out of the queue what groups have handed to the session.
fn take_out(session: &mut Session, which: impl Fn(MemberId) -> bool) -> Vec<Delivery> {
    let Some(queue) = session.queue.as_mut() else { return Vec::new() };
    let taken = queue.take_shared(which);
    if queue.waiting.is_empty() {
        session.queue = None;
    }
    taken
}
