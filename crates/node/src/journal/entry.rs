//! One record of a durable namespace, whatever its kind: the table of kinds.
//!
//! A record that was released may come back at a start, as long as its segment is not rewritten
//! (`store::log::Need::Bury`). So every entry says which earlier ones it overtakes, and outlives
//! them:
//! [`Progress`] all that tells of its session's delivery, [`SessionBegun`] the one before it with
//! what changed since, [`SessionEnded`] all of its session, [`Clock`] lower ones and the keys that
//! have ended by then, a retained [`Message`] the one of its topic, one with a key those that had
//! the key until it ended. Entries of a session without [`SessionBegun`] mean nothing.
//! [`Replay`](super::Replay) adds them up. A [`Carried`] overtakes nothing: it counts as long as
//! the last progress of its session names it.
//!
//! Kinds 6 and 8 are one entry in two directions. Kind 7 said what of late had ended: a
//! [`Progress`] says it now, and the number is never used again.

use super::carried::Carried;
use super::clock::Clock;
use super::group_progress::GroupProgress;
use super::message::Message;
use super::presence::{Attached, Detached};
use super::progress::Progress;
use super::publisher::Publisher;
use super::reader::{Fault, Reader};
use super::released::{Direction, Released};
use super::sent::Sent;
use super::session_begun::SessionBegun;
use super::session_ended::SessionEnded;
use super::session_id::SessionId;
use super::subscribed::{Subscribed, Unsubscribed};
use std::borrow::Cow;
use std::fmt;
use store::log::{Hold, Kind};

/// What one record says; borrows from its payload.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry<'a> {
    /// A publish.
    Message(Message<'a>),
    /// A session as it is now.
    SessionBegun(SessionBegun<'a>),
    /// A session is over.
    SessionEnded(SessionEnded),
    /// A session's delivery as it is now.
    Progress(Progress),
    /// A QoS 2 exchange begins.
    Sent(Sent),
    /// A QoS 2 exchange passes PUBREL.
    Released(Released),
    /// The domain clock.
    Clock(Clock),
    /// What a shared group has done.
    GroupProgress(GroupProgress),
    /// More subscriptions.
    Subscribed(Subscribed<'a>),
    /// Fewer subscriptions.
    Unsubscribed(Unsubscribed<'a>),
    /// Somebody is there.
    Attached(Attached<'a>),
    /// Nobody is there.
    Detached(Detached),
    /// An identity or a twin of the hub; kinds 16 to 31.
    Device(hub::registry::Entry<'a>),
    /// A message, again.
    Carried(Carried<'a>),
    /// The telemetry channel, beside its messages; kinds 33, 34 and 37.
    Channel(hub::channel::Entry),
    /// Feedback of commands; kind 35.
    Feedback(Cow<'a, hub::feedback::Record>),
    /// Jobs; kind 36.
    Job(Cow<'a, hub::job::Record>),
}

/// Why a payload is no entry. None of ours is like that: the log is damaged, or of another
/// version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadEntry {
    /// No kind that we know.
    UnknownKind(u8),
    /// A version of a known kind that we do not read.
    UnknownVersion {
        /// The kind.
        kind: u8,
        /// The version byte.
        version: u8,
    },
    /// It breaks a rule of its kind.
    Malformed {
        /// The kind.
        kind: u8,
        /// Which rule.
        why: &'static str,
    },
}

impl<'a> Entry<'a> {
    /// Reads the payload of a record.
    ///
    /// # Errors
    /// What is no entry of a version that we know, whole and in its one form.
    pub fn decode(kind: Kind, payload: &'a [u8]) -> Result<Self, BadEntry> {
        if hub::registry::Entry::KINDS.contains(&kind.0) {
            return device(kind, payload);
        }
        if hub::channel::Entry::KINDS.contains(&kind.0) {
            let entry = hub::channel::Entry::decode(kind.0, payload).map(Entry::Channel);
            return entry.map_err(|bad| of_hub(kind, bad));
        }
        if kind.0 == hub::feedback::Record::KIND {
            let record = hub::feedback::Record::decode(payload).map(Cow::Owned);
            return record.map(Entry::Feedback).map_err(|bad| of_hub(kind, bad));
        }
        if kind.0 == hub::job::Record::KIND {
            let record = hub::job::Record::decode(payload).map(Cow::Owned);
            return record.map(Entry::Job).map_err(|bad| of_hub(kind, bad));
        }
        let mut r = Reader::new(payload);
        let entry = match kind {
            Message::KIND => Message::decode(&mut r).map(Self::Message),
            SessionBegun::KIND => SessionBegun::decode(&mut r).map(Self::SessionBegun),
            SessionEnded::KIND => SessionEnded::decode(&mut r).map(Self::SessionEnded),
            Progress::KIND => Progress::decode(&mut r).map(Self::Progress),
            Sent::KIND => Sent::decode(&mut r).map(Self::Sent),
            Released::OUTBOUND => Released::decode(&mut r, Direction::Outbound).map(Self::Released),
            Released::INBOUND => Released::decode(&mut r, Direction::Inbound).map(Self::Released),
            Clock::KIND => Clock::decode(&mut r).map(Self::Clock),
            GroupProgress::KIND => GroupProgress::decode(&mut r).map(Self::GroupProgress),
            Subscribed::KIND => Subscribed::decode(&mut r).map(Self::Subscribed),
            Unsubscribed::KIND => Unsubscribed::decode(&mut r).map(Self::Unsubscribed),
            Attached::KIND => Attached::decode(&mut r).map(Self::Attached),
            Detached::KIND => Detached::decode(&mut r).map(Self::Detached),
            Carried::KIND => Carried::decode(&mut r).map(Self::Carried),
            Kind(other) => return Err(BadEntry::UnknownKind(other)),
        };
        let whole = entry.and_then(|entry| r.end().map(|()| entry));
        whole.map_err(|fault| match fault {
            Fault::Version(version) => BadEntry::UnknownVersion { kind: kind.0, version },
            Fault::Malformed(why) => BadEntry::Malformed { kind: kind.0, why },
        })
    }

    /// Appends the payload. For a message see [`Message::encode_head`] too, which copies less.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Message(e) => e.encode(out),
            Self::SessionBegun(e) => e.encode(out),
            Self::SessionEnded(e) => e.encode(out),
            Self::Progress(e) => e.encode(out),
            Self::Sent(e) => e.encode(out),
            Self::Released(e) => e.encode(out),
            Self::Clock(e) => e.encode(out),
            Self::GroupProgress(e) => e.encode(out),
            Self::Subscribed(e) => e.encode(out),
            Self::Unsubscribed(e) => e.encode(out),
            Self::Attached(e) => e.encode(out),
            Self::Detached(e) => e.encode(out),
            Self::Device(e) => e.encode(out),
            Self::Carried(e) => e.encode(out),
            Self::Channel(e) => e.encode(out),
            Self::Feedback(e) => e.encode(out),
            Self::Job(e) => e.encode(out),
        }
    }

    /// The record's kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Message(_) => Message::KIND,
            Self::SessionBegun(_) => SessionBegun::KIND,
            Self::SessionEnded(_) => SessionEnded::KIND,
            Self::Progress(_) => Progress::KIND,
            Self::Sent(_) => Sent::KIND,
            Self::Released(e) => e.kind(),
            Self::Clock(_) => Clock::KIND,
            Self::GroupProgress(_) => GroupProgress::KIND,
            Self::Subscribed(_) => Subscribed::KIND,
            Self::Unsubscribed(_) => Unsubscribed::KIND,
            Self::Attached(_) => Attached::KIND,
            Self::Detached(_) => Detached::KIND,
            Self::Device(e) => Kind(e.kind()),
            Self::Carried(_) => Carried::KIND,
            Self::Channel(e) => Kind(e.kind()),
            Self::Feedback(_) => Kind(hub::feedback::Record::KIND),
            Self::Job(_) => Kind(hub::job::Record::KIND),
        }
    }

    /// Whether the record is needed beyond its streams, which only messages and what is carried
    /// for a stream have.
    pub fn hold(&self) -> Hold {
        match self {
            Self::Message(message) => message.hold(),
            Self::Carried(carried) => carried.hold(),
            _ => Hold::UntilReleased,
        }
    }

    /// The session it tells of; of a message, the durable one that published it.
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Self::Message(e) => match e.publisher {
                Publisher::Session(session) | Publisher::Exchange(session, _) => Some(session),
                Publisher::Passing | Publisher::Request(_) => None,
            },
            Self::SessionBegun(e) => Some(e.session),
            Self::SessionEnded(e) => Some(e.session),
            Self::Progress(e) => Some(e.session),
            Self::Sent(e) => Some(e.session),
            Self::Released(e) => Some(e.session),
            Self::Clock(_) | Self::GroupProgress(_) => None,
            Self::Device(_) | Self::Channel(_) | Self::Feedback(_) | Self::Job(_) => None,
            Self::Subscribed(e) => Some(e.session),
            Self::Unsubscribed(e) => Some(e.session),
            Self::Attached(e) => Some(e.session),
            Self::Detached(e) => Some(e.session),
            Self::Carried(e) => e.session(),
        }
    }
}

fn device(kind: Kind, payload: &[u8]) -> Result<Entry<'_>, BadEntry> {
    let entry = hub::registry::Entry::decode(kind.0, payload).map(Entry::Device);
    entry.map_err(|bad| of_hub(kind, bad))
}

fn of_hub(kind: Kind, bad: hub::BadRecord) -> BadEntry {
    match bad {
        hub::BadRecord::Version(version) => BadEntry::UnknownVersion { kind: kind.0, version },
        hub::BadRecord::Malformed(why) => BadEntry::Malformed { kind: kind.0, why },
    }
}

impl fmt::Display for BadEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKind(kind) => write!(f, "a record of the unknown kind {kind}"),
            Self::UnknownVersion { kind, version } => {
                write!(f, "a record of kind {kind} has the unknown version {version}")
            }
            Self::Malformed { kind, why } => write!(f, "a record of kind {kind} is broken: {why}"),
        }
    }
}

impl std::error::Error for BadEntry {}

#[cfg(test)]
mod tests {
    use super::super::{
        CarriedFor, Content, Done, LastWill, Owner, Presence, Rights, Subscription, UnderWay, Via,
        WillLeft,
    };
    use super::*;
    use broker::access::{Manage, Source};
    use broker::subscription::ReceiverOptions;
    use hub::errors::{ErrorCode, Refusal};
    use hub::{command, feedback, job};
    use mqtt::packet_id::PacketId;
    use mqtt::qos::QoS;
    use mqtt::session::Exchange;
    use mqtt::wire::Version;
    use store::log::StreamId;
    use store::op::Sequence;

    fn content(topic: &'static str) -> Content<'static> {
        let (qos, properties) = (QoS::AtLeastOnce, &[0x01, 1][..]);
        Content { topic, properties, payload: b"gone", qos, retain: true }
    }

    fn subscriptions(count: usize) -> Vec<Subscription<'static>> {
        let names = ["a/+", "$share/g/b/#", "#", "c"];
        let one = |n: usize| Subscription {
            filter: names[n % names.len()],
            options: ReceiverOptions::new(QoS::ExactlyOnce, n == 0, n == 2),
            subscription_id: n as u32 * 1_000_000,
            stream: StreamId(n as u32),
            since: Sequence(1 << n),
        };
        (0..count).map(one).collect()
    }

    fn owner(source: Source) -> Owner<'static> {
        let rights = match source {
            Source::Token => Rights::Granted {
                publish: vec!["#"],
                subscribe: vec!["a/#", "b"],
                manage: Manage::Yes,
            },
            _ => Rights::ByName,
        };
        let expires_at_ms = (source == Source::Token).then_some(9);
        Owner { name: "Ann", source, expires_at_ms, rights }
    }

    fn will() -> LastWill<'static> {
        LastWill { content: content("will"), delay_s: 30 }
    }

    fn sessions() -> [Entry<'static>; 2] {
        let one = SessionBegun {
            session: SessionId(1),
            client: "pump-1",
            version: Version::V5,
            expiry_s: u32::MAX,
            presence: Presence::Connected,
            will: Some(will()),
            owner: owner(Source::Token),
            subscriptions: subscriptions(4),
        };
        let other = SessionBegun {
            session: SessionId(2),
            version: Version::V311,
            presence: Presence::Detached { ends_at_ms: u64::MAX, will_at_ms: 9 },
            will: None,
            owner: owner(Source::Anonymous),
            subscriptions: vec![],
            ..one.clone()
        };
        [one, other].map(Entry::SessionBegun)
    }

    fn progress(session: SessionId) -> Entry<'static> {
        let mut done = Done::up_to(Sequence(1_000));
        [1_002, 1_003, 1_900].into_iter().for_each(|n| done.add(Sequence(n)));
        let under_way = |n, sequence, exchange| UnderWay {
            packet_id: PacketId::new(n).unwrap(),
            sequence: Sequence(sequence),
            exchange,
            via: if n % 2 == 0 { Via::Group(StreamId(700)) } else { Via::Own },
        };
        Entry::Progress(Progress {
            session,
            done,
            dropped: 300,
            under_way: vec![
                under_way(65_535, 7, Exchange::Published2),
                under_way(1, 1_001, Exchange::Published1),
                under_way(2, u64::MAX, Exchange::Released),
            ],
            received: [9, 1].map(|n| PacketId::new(n).unwrap()).into(),
            finished: vec![(StreamId(7), Sequence(1_200)), (StreamId(300), Sequence(8))],
        })
    }

    fn feedback() -> [Entry<'static>; 3] {
        let device = hub::identity::DeviceId::parse("d1").unwrap();
        let (message_id, outcome) = (Some("m".into()), command::Outcome::Expired);
        let report = command::Report { message_id, at_ms: 9, outcome };
        let generation = hub::identity::Generation(3);
        let items: Box<[Sequence]> = [Sequence(4), Sequence(900)].into();
        [
            feedback::Record::Reported(feedback::Item { device, generation, report }),
            feedback::Record::Abandoned { items: items.clone(), deliveries: 2 },
            feedback::Record::Over { items },
        ]
        .map(|record| Entry::Feedback(Cow::Owned(record)))
    }

    fn jobs() -> [Entry<'static>; 7] {
        let (id, job) = (job::JobId::parse("j").unwrap(), Sequence(300));
        let body = br#"{"type":"scheduleUpdateTwin","updateTwin":{"tags":{"a":1}}}"#.as_slice();
        let plan = job::Plan::read(id, body, 9).unwrap().into();
        let outcome = Err(Refusal::new(ErrorCode::DeviceNotOnline, "away"));
        let done = job::Done { job, device: 7, during_ms: (9, 10), outcome };
        let devices = ["a", "b"].map(|id| hub::identity::DeviceId::parse(id).unwrap());
        [
            job::Record::Planned(job::Planned { plan, body: body.into() }),
            job::Record::Selected { job, devices: devices.into() },
            job::Record::Begun { job, at_ms: 9, parts: [Sequence(301)].into() },
            job::Record::Asking { job, at_ms: 9, devices: [0, 7].into() },
            job::Record::Done(done),
            job::Record::Ended { job, at_ms: 11, end: job::End::Completed },
            job::Record::Forgotten { job },
        ]
        .map(|record| Entry::Job(Cow::Owned(record)))
    }

    fn all() -> Vec<Entry<'static>> {
        let (session, packet_id) = (SessionId(u64::MAX), PacketId::FIRST);
        let (content, publisher) = (content("t"), Publisher::Passing);
        let [one, other] = sessions();
        let (outbound, inbound) = (Direction::Outbound, Direction::Inbound);
        let detached = |will| Detached { session, expiry_s: 9, ends_at_ms: 9_000, will };
        let sent = |via| Entry::Sent(Sent { session, packet_id, sequence: Sequence(3), via });
        let carried = |whose| Entry::Carried(Carried { content, deadline_ms: 5, whose });
        let attached = |version, will, source| {
            let owner = owner(source);
            Entry::Attached(Attached { session, version, expiry_s: 300, will, owner })
        };
        let mut all = vec![
            Entry::Message(Message { content, deadline_ms: 5, publisher }),
            one,
            other,
            Entry::SessionEnded(SessionEnded { session }),
            progress(session),
            sent(Via::Own),
            sent(Via::Group(StreamId(900))),
            Entry::Released(Released { session, packet_id, direction: outbound }),
            Entry::Released(Released { session, packet_id, direction: inbound }),
            Entry::Clock(Clock { wall_ms: 1_800_000_000_000 }),
            Entry::GroupProgress(GroupProgress {
                stream: StreamId(7),
                taken: Sequence(90),
                dropped: 3,
                open: vec![Sequence(4), Sequence(5), Sequence(90)],
                done: vec![Sequence(91), Sequence(300)],
            }),
            Entry::Subscribed(Subscribed { session, subscriptions: subscriptions(4) }),
            Entry::Unsubscribed(Unsubscribed { session, filters: vec!["a/+", "$share/g/b/#"] }),
            attached(Version::V5, Some(will()), Source::Token),
            attached(Version::V311, None, Source::Anonymous),
            Entry::Detached(detached(WillLeft::Gone)),
            Entry::Detached(detached(WillLeft::Due { at_ms: u64::MAX })),
            carried(CarriedFor::Session { session, packet_id, ids: vec![1, 300] }),
            carried(CarriedFor::Stream),
        ];
        all.extend(feedback().into_iter().chain(jobs()));
        all
    }

    fn encoded(entry: &Entry<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        bytes
    }

    #[test]
    fn every_entry_comes_back() {
        for entry in all() {
            let bytes = encoded(&entry);
            assert_eq!(Entry::decode(entry.kind(), &bytes).as_ref(), Ok(&entry));
        }
    }

    /// Cut, changed or with more behind: an error, or what has these very bytes.
    #[test]
    fn broken_bytes_are_an_error_or_another_entry() {
        for entry in all() {
            let bytes = encoded(&entry);
            let check = |broken: &[u8]| {
                let read = Entry::decode(entry.kind(), broken);
                assert!(read.is_err() || encoded(&read.unwrap()) == broken, "{entry:?}");
            };
            for at in 0..bytes.len() {
                check(&bytes[..at]);
                for bit in 0..8 {
                    let mut changed = bytes.clone();
                    changed[at] ^= 1 << bit;
                    check(&changed);
                }
            }
            let longer = [&bytes[..], &[0]].concat();
            check(&longer);
            let last = matches!(entry, Entry::Message(_) | Entry::Carried(_));
            assert_eq!(Entry::decode(entry.kind(), &longer).is_ok(), last, "{entry:?}");
        }
    }

    #[test]
    fn what_is_unknown_is_named() {
        for kind in [0, 7, 32, 255] {
            assert_eq!(Entry::decode(Kind(kind), &[1]), Err(BadEntry::UnknownKind(kind)));
        }
        for entry in all() {
            let kind = entry.kind().0;
            let mut bytes = encoded(&entry);
            bytes[0] = 2;
            let wanted = BadEntry::UnknownVersion { kind, version: 2 };
            assert_eq!(Entry::decode(entry.kind(), &bytes), Err(wanted));
            assert_eq!(
                wanted.to_string(),
                format!("a record of kind {kind} has the unknown version 2")
            );
        }
    }

    /// The numbers lie in files: they never change.
    #[test]
    fn kinds_keep_their_numbers() {
        let kinds: Vec<u8> = all().iter().map(|entry| entry.kind().0).collect();
        let of_hub = [[35; 3].as_slice(), &[36; 7]].concat();
        let broker = [1, 2, 2, 3, 4, 5, 5, 6, 8, 9, 14, 10, 11, 12, 12, 13, 13, 15, 15];
        assert_eq!(kinds, [&broker[..], &of_hub].concat());
    }
}
