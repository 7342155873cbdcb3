//! Writing a session's entries, and what follows when one is a fact.

use super::carrying::Told;
use super::{Durable, Step};
use crate::handover::Handover;
use crate::journal::{
    Direction, Entry, LastWill, Owner, Presence, SessionBegun, SessionId, Subscription,
};
use crate::link::LinkId;
use crate::session::{Session, State, Will};
use crate::shard::Shard;
use crate::waiting::Completion;
use broker::access::Principal;
use broker::subscription::SessionRef;
use engine::Outcome;
use mqtt::packet_id::PacketId;
use mqtt::reason::Reason;
use std::sync::Arc;
use store::log::{Need, StreamId};
use store::op::Sequence;

/// An entry that waits for the log.
pub(crate) struct Kept {
    pub session: SessionRef,
    pub id: SessionId,
    pub kind: Kind,
    pub then: Then,
}

/// What overtakes an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The next one of the same: it overtakes changes before it.
    Snapshot,
    /// The next snapshot.
    Change,
    /// The next one of the same: it overtakes delivery before it.
    Progress,
    /// The next progress.
    Delivery,
    /// The first progress that does not name it, once one has.
    Carried,
    /// Nothing: it ends the session.
    Ended,
}

/// What an entry makes true.
pub(crate) enum Then {
    Nothing,
    /// The connection has its session: CONNACK.
    Attach {
        link: LinkId,
        principal: Arc<Principal>,
        present: bool,
    },
    /// A packet that promises it, and retained messages behind it.
    Answer {
        link: LinkId,
        packet: Box<[u8]>,
        handovers: Vec<Handover>,
    },
    /// A QoS 2 exchange has begun: PUBLISH.
    Send(PacketId),
    /// The message is the client's: PUBREL.
    Release {
        link: LinkId,
        packet_id: PacketId,
    },
    /// An inbound identifier is free: PUBCOMP.
    Complete {
        link: LinkId,
        packet_id: PacketId,
    },
    /// The message of an exchange lies in the log again, which was known by `from`.
    Carried {
        packet_id: PacketId,
        from: Sequence,
    },
    /// What is carried forward, where a start finds it, and what is not needed any more.
    Told(Box<Told>),
}

impl Shard {
    /// Whether sessions that outlive their connections are kept in the log.
    pub(crate) fn keeps(&self) -> bool {
        self.perform.keeps()
    }

    /// Writes an entry of a session that is kept.
    pub(crate) fn keep(&mut self, slot: u32, entry: &Entry<'_>, kind: Kind, then: Then) {
        let session = self.homes.session_ref(slot);
        let Some(id) = entry.session() else { return };
        self.perform.write(entry, Completion::Kept(Kept { session, id, kind, then }));
    }

    /// Writes that something of the session has changed; now and then the whole session instead.
    pub(crate) fn keep_change(&mut self, slot: u32, entry: &Entry<'_>, then: Then) {
        let changes = self.durable(slot).map_or(0, |d| d.by_snapshot.len());
        let subscriptions = self.homes.sessions.at(slot).map_or(0, Session::subscriptions);
        if changes > CHANGES_MIN + subscriptions {
            self.keep_whole(slot, then);
        } else {
            self.keep(slot, entry, Kind::Change, then);
        }
    }

    /// Writes the whole session as it is now.
    pub(crate) fn keep_whole(&mut self, slot: u32, then: Then) {
        let session_ref = self.homes.session_ref(slot);
        let Self { homes, router, perform, .. } = self;
        let Some(session) = homes.sessions.at(slot) else { return };
        let Some(durable) = &session.durable else { return };
        let index = &router.index;
        let plain = session.filters.iter().filter_map(|id| {
            let held = index.get(*id, session_ref)?;
            let standing = durable.standing(*id);
            Some(Subscription {
                filter: index.filter(*id),
                options: held.options,
                subscription_id: held.subscription_id,
                stream: standing.map_or(NO_STREAM, |s| s.stream),
                since: standing.map_or(Sequence(0), |s| s.since),
            })
        });
        let of_device = session.device_filters();
        let devices = of_device.iter().map(|(filter, qos)| crate::devices::kept(filter, *qos));
        let shared = session.shares.iter().flat_map(|s| s.members.iter());
        let shared = shared.filter_map(|(text, member)| homes.shares.kept(*member, text));
        let entry = Entry::SessionBegun(SessionBegun {
            session: durable.id,
            client: session.client.as_str(),
            version: session.version,
            expiry_s: session.expiry_s,
            presence: presence(session.state),
            will: session.will.as_deref().map(last_will),
            owner: Owner::of(&session.principal),
            subscriptions: plain.chain(shared).chain(devices).collect(),
        });
        let (session, id, kind) = (session_ref, durable.id, Kind::Snapshot);
        perform.write(&entry, Completion::Kept(Kept { session, id, kind, then }));
    }

    /// An entry is a fact.
    pub(crate) fn kept(&mut self, kept: Kept, at: Sequence) {
        let Kept { session, id, kind, then } = kept;
        if let Some(step) = then.step() {
            self.took_step(session, step, Outcome::Durable);
        }
        if kind == Kind::Ended {
            return self.ended(id, at);
        }
        let mut needs = Vec::new();
        let Some(durable) = self.durable_of(session, id) else { return };
        durable.enter(kind, at, &mut |need| needs.push(need));
        needs.into_iter().for_each(|need| self.perform.need(need));
        if let Then::Carried { packet_id, from } = then {
            return self.carried((session, id), (packet_id, from), at);
        }
        self.then(session, then);
    }

    /// What the log has of a session that is there, or that ends and still has to know what it
    /// leaves behind.
    pub(super) fn durable_of(&mut self, s: SessionRef, id: SessionId) -> Option<&mut Durable> {
        let Self { homes, endings, .. } = self;
        let here = homes.durable_mut(s).filter(|d| d.id == id);
        here.or_else(|| endings.get_mut(id))
    }

    /// The disk has not taken an entry.
    pub(crate) fn not_kept(&mut self, kept: Kept, (outcome, why): (Outcome, &'static str)) {
        if kept.kind == Kind::Ended {
            return self.end_again(kept.id, why);
        }
        let Kept { session, id, kind, then } = kept;
        if let Some(step) = then.step() {
            self.took_step(session, step, outcome);
        }
        let link = match then {
            Then::Attach { link, .. } => return self.refuse_attached(session, link, why),
            Then::Answer { link, .. }
            | Then::Release { link, .. }
            | Then::Complete { link, .. } => Some(link.slot).filter(|_| self.homes.is_link(link)),
            Then::Send(_) => {
                self.homes.sessions.get(session.slot, session.generation).and_then(Session::link)
            }
            Then::Nothing => None,
            Then::Carried { packet_id, from } => {
                if let Some(durable) = self.durable_of(session, id) {
                    durable.exchanges_mut().carried.remove(packet_id, from);
                }
                None
            }
            Then::Told(told) => {
                // The next one that is a fact names them no more either.
                if let Some(durable) = self.durable_of(session, id) {
                    durable.by_progress.extend(told.over);
                }
                None
            }
        };
        if kind == Kind::Progress {
            self.homes.changed(session.slot);
        }
        if let Some(link) = link {
            let client = self.homes.client_of(link);
            self.homes.refused(&client, Reason::QUOTA_EXCEEDED, "disk", why.to_owned());
            self.disconnect(link, Reason::QUOTA_EXCEEDED, why);
        }
    }

    fn then(&mut self, session: SessionRef, then: Then) {
        match then {
            Then::Nothing => {}
            Then::Attach { link, principal, present } => {
                self.attach_kept(session, link, &principal, present);
            }
            Then::Answer { link, packet, handovers } => {
                if !self.homes.is_link(link) {
                    return;
                }
                if let Some(out) = self.homes.output(link.slot) {
                    out.extend_from_slice(&packet);
                }
                self.device_listens(session.slot);
                for handover in handovers {
                    self.hand_over(handover);
                }
            }
            Then::Send(packet_id) => self.homes.send_begun(session, packet_id),
            Then::Release { link, packet_id } => self.release(link, packet_id),
            Then::Complete { link, packet_id } => self.complete(session, link, packet_id),
            Then::Told(told) => {
                told.over.iter().for_each(|at| self.perform.need(Need::Release(*at)));
                self.homes.are_named(session, &told.named);
            }
            // Whoever comes here has done it.
            Then::Carried { .. } => {}
        }
    }

    /// What the log has of a session.
    pub(crate) fn durable(&self, slot: u32) -> Option<&Durable> {
        self.homes.sessions.at(slot)?.durable.as_deref()
    }
}

impl Then {
    /// The step of a delivery that it was.
    fn step(&self) -> Option<Step> {
        match self {
            Self::Release { packet_id, .. } => {
                Some(Step::Released(*packet_id, Direction::Outbound))
            }
            Self::Complete { packet_id, .. } => {
                Some(Step::Released(*packet_id, Direction::Inbound))
            }
            Self::Nothing
            | Self::Attach { .. }
            | Self::Answer { .. }
            | Self::Send(_)
            | Self::Carried { .. }
            | Self::Told(_) => None,
        }
    }
}

impl Durable {
    /// An entry of this session stands at `at`.
    fn enter(&mut self, kind: Kind, at: Sequence, need: &mut impl FnMut(Need)) {
        let (list, overtakes) = match kind {
            Kind::Snapshot => (&mut self.by_snapshot, true),
            Kind::Change => (&mut self.by_snapshot, false),
            Kind::Progress => (&mut self.by_progress, true),
            Kind::Delivery => (&mut self.by_progress, false),
            Kind::Carried | Kind::Ended => return,
        };
        if overtakes {
            list.drain(..).for_each(|before| need(Need::Release(before)));
        }
        list.push(at);
        if kind == Kind::Snapshot && self.first == Sequence(0) {
            self.first = at;
        }
    }
}

fn presence(state: State) -> Presence {
    match state {
        State::Connected { .. } | State::Attaching { .. } => Presence::Connected,
        State::Detached { ends_at_ms, will_at_ms } => Presence::Detached { ends_at_ms, will_at_ms },
    }
}

pub(super) fn last_will(will: &Will) -> LastWill<'_> {
    LastWill { content: crate::journal::Content::of(&will.message), delay_s: will.delay_s }
}

/// So many changes more than subscriptions are written before the whole session is.
const CHANGES_MIN: usize = 16;
/// A subscription at QoS 0 is in none.
pub(crate) const NO_STREAM: StreamId = StreamId(0);
