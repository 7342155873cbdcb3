//! Messages that were left in the log, and the way back from there.
//!
//! A reactor never reads a file: [`answer`] does, on a thread of its own, and its answer is a
//! post. Until then nothing else is read for the session.

use super::listing::{Aim, Listed, Listing};
use super::{Durable, Standing};
use crate::backlog::Read as Taken;
use crate::counters::Loss;
use crate::effect::{Effect, Notice};
use crate::journal::{CarriedFor, Entry, Publisher, SessionId};
use crate::post::Post;
use crate::session::{Delivery, Queue};
use crate::shard::Shard;
use broker::budget::Account;
use broker::publication::Publication;
use broker::router::{Ids, Target};
use broker::share::GroupRef;
use broker::subscription::SessionRef;
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::session::Exchange;
use mqtt::topic::TopicFilter;
use std::sync::Arc;
use store::disk::File;
use store::log::{Credit, Cursor, ReadEnd, Reader, Record, StreamId};
use store::op::Sequence;

/// What is to be read for a session.
pub struct ReadJob {
    pub(super) whose: Whose,
    pub(super) cursor: Box<Cursor>,
    pub(super) credit: Credit,
    /// Single messages of exchanges that began before a restart.
    pub(super) again: Vec<(PacketId, Sequence)>,
    /// Numbers instead of messages.
    pub(super) listing: Option<Listing>,
    pub(super) account: Arc<Account>,
}

/// Who wants to have it.
#[derive(Clone, Copy)]
pub(crate) enum Whose {
    /// A session; what makes the read useless counts up its epoch.
    Session(SessionRef, u32),
    /// A session with messages that are to be carried forward.
    Carried(SessionRef),
    /// A shared group.
    Group(GroupRef),
}

/// What was read of one stream.
pub(crate) struct Read {
    pub cursor: Box<Cursor>,
    pub found: Found<Arc<Publication>>,
    /// How far it came, or what stands in the way.
    pub end: Result<ReadEnd, String>,
}

/// What was found.
pub struct ReadAnswer {
    whose: Whose,
    cursor: Box<Cursor>,
    again: Vec<(PacketId, Sequence, Option<Message>)>,
    found: Found<Message>,
    /// What stands in the way of more.
    end: Result<ReadEnd, String>,
}

/// What was found in streams.
pub(crate) enum Found<M> {
    Messages(Vec<M>),
    Numbers(Aim, Vec<Listed>),
}

/// A message of the session's streams, or one carried forward for it.
pub(super) struct Message {
    pub publication: Arc<Publication>,
    /// The session that published it, if that is kept too.
    publisher: Option<SessionId>,
    streams: Vec<StreamId>,
    /// The subscription identifiers of one that was carried forward for a session.
    ids: Option<Vec<u32>>,
}

impl ReadJob {
    /// A read of single messages that are to be carried forward.
    pub(super) fn to_carry(
        session: SessionRef,
        again: Vec<(PacketId, Sequence)>,
        account: Arc<Account>,
    ) -> Self {
        let (cursor, credit) = (Cursor::new(Sequence(0), []), Credit { records: 0, bytes: 0 });
        let (whose, cursor) = (Whose::Carried(session), Box::new(cursor));
        Self { whose, cursor, credit, again, listing: None, account }
    }

    /// A read of a shared group's stream.
    pub(crate) fn for_group(
        group: GroupRef,
        cursor: Box<Cursor>,
        credit: Credit,
        account: Arc<Account>,
    ) -> Self {
        let (whose, again, listing) = (Whose::Group(group), Vec::new(), None);
        Self { whose, cursor, credit, again, listing, account }
    }

    /// A read of numbers.
    pub(crate) fn of_numbers(
        whose: Whose,
        cursor: Box<Cursor>,
        listing: Listing,
        account: Arc<Account>,
    ) -> Self {
        let (credit, again) = (Credit { records: 0, bytes: 0 }, Vec::new());
        Self { whose, cursor, credit, again, listing: Some(listing), account }
    }
}

impl From<ReadJob> for Effect {
    fn from(job: ReadJob) -> Self {
        Self::Read(Box::new(job))
    }
}

/// Reads; blocks for the disk.
pub fn answer<F: File>(reader: &Reader<F>, job: ReadJob) -> Post {
    let ReadJob { whose, mut cursor, credit, again, listing, account } = job;
    if let Some(listing) = listing {
        let (listed, end) = match listing.list(reader, &mut cursor) {
            Ok((listed, end)) => (listed, Ok(end)),
            Err(why) => (Vec::new(), Err(why)),
        };
        let found = Found::Numbers(listing.aim, listed);
        return Post::Read(Box::new(ReadAnswer { whose, cursor, again: Vec::new(), found, end }));
    }
    let mut bad = None;
    let mut found = Vec::new();
    for (packet_id, sequence) in again {
        let mut read = None;
        match reader.get(sequence, |record| read = message(record, &account).ok()) {
            Ok(_) => found.push((packet_id, sequence, read)),
            Err(damage) => bad = Some(damage.to_string()),
        }
    }
    let mut messages = Vec::new();
    let end = reader.read(&mut cursor, credit, |record| match message(record, &account) {
        Ok(message) => messages.push(message),
        Err(error) => bad = Some(error),
    });
    let end = match (end, bad) {
        (Err(damage), _) => Err(damage.to_string()),
        (Ok(_), Some(bad)) => Err(bad),
        (Ok(end), None) => Ok(end),
    };
    let (again, found) = (found, Found::Messages(messages));
    Post::Read(Box::new(ReadAnswer { whose, cursor, again, found, end }))
}

fn message(record: &Record<'_>, account: &Arc<Account>) -> Result<Message, String> {
    let entry = Entry::decode(record.kind, record.payload);
    let entry = entry.map_err(|e| format!("record {}: {e}", record.sequence.0))?;
    let mut ids = None;
    let (mut publication, publisher) = match entry {
        Entry::Message(message) => {
            let publisher = match message.publisher {
                Publisher::Session(id) | Publisher::Exchange(id, _) => Some(id),
                Publisher::Passing | Publisher::Request(_) => None,
            };
            (message.to_publication(), publisher)
        }
        Entry::Carried(carried) => {
            let publication = carried.to_publication();
            if let CarriedFor::Session { ids: sent_with, .. } = carried.whose {
                ids = Some(sent_with);
            }
            (publication, None)
        }
        _ => return Err(format!("record {} in a stream is no message", record.sequence.0)),
    };
    publication.settled_at(record.sequence.0);
    publication.charge_to(account);
    let publication = Arc::new(publication);
    Ok(Message { publication, publisher, streams: record.streams().collect(), ids })
}

impl Found<Message> {
    fn plain(self) -> Found<Arc<Publication>> {
        match self {
            Self::Messages(all) => {
                Found::Messages(all.into_iter().map(|m| m.publication).collect())
            }
            Self::Numbers(aim, listed) => Found::Numbers(aim, listed),
        }
    }
}

impl Shard {
    /// Messages that were left in the log come back.
    pub(crate) fn read(&mut self, answer: ReadAnswer) {
        let ReadAnswer { whose, cursor, again, found, end } = answer;
        let (session, epoch) = match whose {
            Whose::Session(session, epoch) => (session, epoch),
            Whose::Carried(session) => return self.carry_read(session, again),
            Whose::Group(group) => {
                return self.group_read(group, Read { cursor, found: found.plain(), end });
            }
        };
        let slot = session.slot;
        let Some(s) = self.homes.sessions.get_mut(slot, session.generation) else { return };
        let Some(durable) = s.durable.as_deref_mut() else { return };
        if durable.epoch != epoch {
            // For a connection that is gone, or for other subscriptions. Whoever made it useless
            // has said so to the backlog.
            return self.homes.read_more(slot);
        }
        let end = match end {
            Ok(end) => end,
            Err(why) => return self.cannot_read(slot, why),
        };
        let messages = match found {
            Found::Messages(messages) => messages,
            Found::Numbers(aim, listed) => {
                return self.listed(session, cursor, (aim, listed), end);
            }
        };
        let was_unloaded = !durable.exchanges().unloaded.is_empty();
        if was_unloaded {
            for (packet_id, asked, message) in again {
                self.load(slot, packet_id, asked, message);
            }
        }
        let Some(durable) = self.homes.durable_mut(session) else { return };
        if !durable.exchanges().unloaded.is_empty() {
            // What is left of them goes before all others.
            durable.forget_read();
            return self.homes.read_more(slot);
        }
        let now_ms = self.homes.now.wall_ms;
        for message in messages {
            self.take_read(slot, message, now_ms);
        }
        let Some(s) = self.homes.sessions.get_mut(slot, session.generation) else { return };
        let Some(durable) = s.durable.as_deref_mut() else { return };
        durable.backlog.end_read(end);
        durable.weigh();
        durable.cursor = Some(cursor);
        if was_unloaded {
            self.homes.resume(slot);
        }
        self.homes.pump(slot);
        self.homes.read_more(slot);
    }

    /// One message in the order of the log.
    fn take_read(&mut self, slot: u32, mut m: Message, now_ms: u64) {
        self.watch_again(&mut m.publication);
        let target = self.target_of(slot, &m);
        let Some(session) = self.homes.sessions.at_mut(slot) else { return };
        let Some(durable) = session.durable.as_deref_mut() else { return };
        let sequence = Sequence(m.publication.sequence());
        let Some(t) = target else {
            // Its own, and No Local: it was never among those that wait or were dropped.
            return durable.backlog.pass(sequence);
        };
        if durable.backlog.read(sequence, m.publication.bytes()) == Taken::Drop {
            return;
        }
        if m.publication.expired(now_ms) {
            return self.homes.drop_one(slot, Loss::Expired);
        }
        let message = &m.publication.message;
        let qos = message.qos().min(t.options.qos());
        if qos == QoS::AtMostOnce {
            return;
        }
        let retain = message.retain() && t.options.retain_as_published();
        let place = self.homes.meter.deliveries.one();
        let (publication, ids, taken) = (m.publication, t.ids, sequence.0);
        let delivery = Delivery { publication, ids, qos, retain, member: None, taken, place };
        let sum = &self.homes.meter.queued;
        session.queue.get_or_insert_with(|| Queue::new(sum)).push(delivery);
    }

    /// What the session's subscriptions of these streams add up to.
    fn target_of(&self, slot: u32, m: &Message) -> Option<Target> {
        let name = self.homes.session_ref(slot);
        let session = self.homes.sessions.at(slot)?;
        let Durable { id, streams, .. } = session.durable.as_deref()?;
        let publisher = (m.publisher == Some(*id)).then_some(name);
        let sequence = m.publication.sequence();
        let reads = |s: &&Standing| m.streams.contains(&s.stream) && s.since.0 < sequence;
        let read = streams.iter().filter(reads).map(|s| s.filter);
        if streams.len() == session.filters.len() {
            return self.router.target(name, read, publisher);
        }
        // Those at QoS 0 have no stream, but their identifiers count (MQTT 5, 3.3.4).
        let topic = m.publication.message.topic();
        let others = session.filters.iter().copied().filter(|id| {
            let has_stream = streams.iter().any(|s| s.filter == *id);
            !has_stream
                && TopicFilter::parse(self.router.index.filter(*id)).is_ok_and(|f| f.matches(topic))
        });
        self.router.target(name, read.chain(others), publisher)
    }

    /// The message of an exchange that began before a restart, which lay at `asked`.
    fn load(&mut self, slot: u32, packet_id: PacketId, asked: Sequence, message: Option<Message>) {
        let Some(session) = self.homes.sessions.at_mut(slot) else { return };
        let Some(durable) = session.durable.as_deref_mut() else { return };
        let unloaded = &mut durable.exchanges_mut().unloaded;
        let Some(at) = unloaded.iter().position(|(id, _)| *id == packet_id) else { return };
        let (_, sequence) = unloaded[at];
        if message.is_none() && sequence != asked {
            // It was carried forward meanwhile, and is read from there.
            return;
        }
        unloaded.remove(at);
        let Some(m) = message else {
            // A retained message that another has replaced meanwhile.
            return self.homes.as_if_delivered(slot, packet_id);
        };
        // Carried forward or not: this is where the log has it from now on.
        m.publication.settled_at(sequence.0);
        let (ids, retain) = self.sent_as(slot, &m);
        let place = self.homes.meter.deliveries.one();
        let Some(session) = self.homes.sessions.at_mut(slot) else { return };
        // As it was sent before: an exchange goes on at its QoS.
        let qos = match session.outbound.exchange(packet_id) {
            Some(Exchange::Published1) => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        };
        let (publication, taken) = (m.publication, 0);
        let delivery = Delivery { publication, ids, qos, retain, member: None, taken, place };
        session.outbound.load(packet_id, delivery);
    }

    /// The subscription identifiers and RETAIN with which a message was sent to the session.
    pub(super) fn sent_as(&self, slot: u32, m: &Message) -> (Ids, bool) {
        let retain = m.publication.message.retain();
        if let Some(ids) = &m.ids {
            return (Ids::from(&ids[..]), retain);
        }
        match self.target_of(slot, m) {
            Some(t) => (t.ids, t.options.retain_as_published() && retain),
            // No subscription has brought it: it was handed over (MQTT 5, 3.3.1.3).
            None => (Ids::None, retain),
        }
    }

    /// The log cannot be read where it has messages for the session.
    fn cannot_read(&mut self, slot: u32, why: String) {
        let Some(session) = self.homes.sessions.at_mut(slot) else { return };
        if let Some(durable) = session.durable.as_deref_mut() {
            durable.forget_read();
            durable.backlog.put_off();
        }
        let client = session.client.as_str().to_owned();
        let link = session.link();
        self.homes.notice(Notice::Unreadable { client, why });
        if let Some(link) = link {
            let why = "messages of this session cannot be read from the disk";
            self.disconnect(link, Reason::IMPLEMENTATION_SPECIFIC_ERROR, why);
        }
    }
}
