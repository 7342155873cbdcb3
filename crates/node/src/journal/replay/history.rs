//! Random histories for the tests of the replay: what a namespace writes, and what it then is by
//! an account of its own. Refuses to know how a replay adds up.

use super::holders::{Tally, accounts_for_all};
use super::{Found, Replay};
use crate::journal::chance::Chance;
use crate::journal::*;
use broker::access::Source;
use broker::subscription::ReceiverOptions;
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::session::Exchange;
use mqtt::wire::Version;
use std::collections::{BTreeMap, BTreeSet};
use store::log::{Kind, StreamId};
use store::op::Sequence;

/// A record as the log gives it back.
#[derive(Clone)]
pub(super) struct Written {
    pub at: Sequence,
    pub kind: Kind,
    payload: Vec<u8>,
}

/// A namespace that writes, and releases what it may.
pub(super) struct History {
    pub chance: Chance,
    /// Everything that was written: what a start finds when all that was released comes back.
    pub whole: Vec<Written>,
    /// Without what was released and is gone for good.
    pub cleaned: Vec<Written>,
    pub tally: Tally,
    sessions: BTreeMap<SessionId, Session>,
    retained: BTreeMap<&'static str, (Sequence, &'static [u8])>,
    requests: BTreeMap<(&'static str, &'static str), (u64, Sequence)>,
    clock: Option<(u64, Sequence)>,
    /// Messages carried forward, named by a progress or not.
    carried: BTreeMap<Sequence, (SessionId, PacketId)>,
    last: u64,
    last_session: u64,
}

struct Session {
    now: SessionBegun<'static>,
    reached: Reached,
}

pub(super) fn fold(log: &[Written]) -> Found {
    let mut replay = Replay::new();
    for Written { at, kind, payload } in log {
        replay.add(*at, *kind, payload).expect("it was written by us");
    }
    replay.finish()
}

impl History {
    pub fn new(seed: u64) -> Self {
        Self {
            chance: Chance::new(seed),
            whole: Vec::new(),
            cleaned: Vec::new(),
            tally: Tally::default(),
            sessions: BTreeMap::new(),
            retained: BTreeMap::new(),
            requests: BTreeMap::new(),
            clock: None,
            carried: BTreeMap::new(),
            last: 0,
            last_session: 0,
        }
    }

    pub fn step(&mut self) {
        match self.chance.below(26) {
            0 | 1 => self.begin(),
            2 => self.end(),
            3..=9 => self.change(),
            10..=17 => self.deliver(),
            18..=20 => {
                let publisher = Publisher::Passing;
                self.publish(publisher);
            }
            21 => self.request(),
            22 => self.advance(),
            23 | 24 => self.carry(),
            _ => self.name_another(),
        }
    }

    /// A start: what was replaced ends, and any part of what means nothing is gone for good.
    pub fn start(&mut self) {
        let replaced = fold(&self.cleaned).replaced;
        self.tally.replaced += replaced.len();
        for Replaced { session, .. } in replaced {
            self.write(&Entry::SessionEnded(SessionEnded { session }));
        }
        let found = fold(&self.cleaned);
        let mut stale: BTreeSet<Sequence> = found.stale.into_iter().collect();
        let keep_of_4 = self.chance.below(5);
        let mut gone = BTreeSet::new();
        stale.retain(|at| {
            let keep = self.chance.below(4) < keep_of_4;
            if !keep {
                gone.insert(*at);
            }
            keep
        });
        self.tally.gone += gone.len();
        for (oldest, at) in found.tombstones {
            // What `Cleaner::may_return` asks, record by record.
            if stale.range(oldest..at).next().is_none() && self.chance.below(2) == 0 {
                gone.insert(at);
                self.tally.tombstones += 1;
            }
        }
        self.cleaned.retain(|written| !gone.contains(&written.at));
        self.tally.back += stale.len();
    }

    fn write(&mut self, entry: &Entry<'_>) -> Sequence {
        self.last += 1 + self.chance.below(3) as u64;
        let (at, mut payload) = (Sequence(self.last), Vec::new());
        entry.encode(&mut payload);
        let written = Written { at, kind: entry.kind(), payload };
        self.whole.push(written.clone());
        self.cleaned.push(written);
        at
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.chance.below(from.len())]
    }

    fn session(&mut self) -> Option<SessionId> {
        let ids: Vec<_> = self.sessions.keys().copied().collect();
        if ids.is_empty() { None } else { Some(self.pick(&ids)) }
    }

    fn begin(&mut self) {
        let client = self.pick(&CLIENTS);
        let before = self.sessions.iter().find(|(_, s)| s.now.client == client);
        let before = before.map(|(id, _)| *id);
        // Its end comes first, or is left to the start after a power cut.
        let ended = self.chance.below(3) > 0;
        if let Some(session) = before {
            self.sessions.remove(&session);
            if ended {
                self.write(&Entry::SessionEnded(SessionEnded { session }));
            }
        }
        self.last_session += 1;
        let session = SessionId(self.last_session);
        let now = SessionBegun {
            session,
            client,
            version: Version::V5,
            expiry_s: 60,
            presence: Presence::Connected,
            will: self.will(),
            owner: self.owner(),
            subscriptions: self.subscriptions(),
        };
        self.write(&Entry::SessionBegun(now.clone()));
        let reached = Reached::new(session, Sequence(0));
        self.sessions.insert(session, Session { now, reached });
        if before.is_some() && !ended {
            self.start();
        }
    }

    fn end(&mut self) {
        let Some(session) = self.session() else { return };
        self.sessions.remove(&session);
        self.write(&Entry::SessionEnded(SessionEnded { session }));
    }

    /// What a session is besides its delivery.
    fn change(&mut self) {
        let Some(session) = self.session() else { return };
        let mut now = self.sessions[&session].now.clone();
        let entry = match self.chance.below(5) {
            0 => Entry::SessionBegun(now.clone()),
            1 => {
                let subscriptions = self.subscriptions();
                for one in &subscriptions {
                    now.subscriptions.retain(|known| known.filter != one.filter);
                    now.subscriptions.push(*one);
                }
                Entry::Subscribed(Subscribed { session, subscriptions })
            }
            2 => {
                let filters = vec![self.pick(&FILTERS), self.pick(&FILTERS)];
                now.subscriptions.retain(|known| !filters.contains(&known.filter));
                Entry::Unsubscribed(Unsubscribed { session, filters })
            }
            3 => {
                (now.will, now.owner) = (self.will(), self.owner());
                (now.presence, now.version) = (Presence::Connected, Version::V311);
                let (version, expiry_s) = (now.version, now.expiry_s);
                let (will, owner) = (now.will, now.owner.clone());
                Entry::Attached(Attached { session, version, expiry_s, will, owner })
            }
            _ => {
                let at_ms = self.chance.below(9) as u64;
                let will = self.pick(&[WillLeft::Gone, WillLeft::Due { at_ms }]);
                let will_at_ms = if will == WillLeft::Gone { u64::MAX } else { at_ms };
                now.will = now.will.filter(|_| will != WillLeft::Gone);
                now.presence = Presence::Detached { ends_at_ms: self.last, will_at_ms };
                now.expiry_s = self.chance.below(99) as u32;
                let (expiry_s, ends_at_ms) = (now.expiry_s, self.last);
                Entry::Detached(Detached { session, expiry_s, ends_at_ms, will })
            }
        };
        self.write(&entry);
        self.sessions.get_mut(&session).expect("picked above").now = now;
    }

    fn deliver(&mut self) {
        let Some(session) = self.session() else { return };
        let packet_id = self.packet_id();
        let direction = self.pick(&[Direction::Outbound, Direction::Inbound]);
        let entry = match self.chance.below(6) {
            0 => Entry::Progress(self.progress(session)),
            1 | 2 => {
                let sequence = Sequence(self.last);
                let via = self.pick(&[Via::Own, Via::Group(StreamId(1))]);
                Entry::Sent(Sent { session, packet_id, sequence, via })
            }
            3 => Entry::Released(Released { session, packet_id, direction }),
            _ => return self.publish(Publisher::Exchange(session, packet_id)),
        };
        self.write(&entry);
        self.sessions.get_mut(&session).expect("picked above").reached.apply(&entry);
    }

    /// A message under way is written again, and a progress names it, if the power stays.
    fn carry(&mut self) {
        let Some(session) = self.session() else { return };
        let open = self.sessions[&session].reached.under_way();
        let open: Vec<_> = open.filter(|u| u.exchange != Exchange::Released).collect();
        let Some(_) = open.first() else { return };
        let UnderWay { packet_id, sequence, via, .. } = self.pick(&open);
        let qos = QoS::ExactlyOnce;
        let content = Content { topic: "b", properties: &[], payload: b"z", qos, retain: false };
        let whose = CarriedFor::Session { session, packet_id, ids: vec![7] };
        let at = self.write(&Entry::Carried(Carried { content, deadline_ms: 7, whose }));
        self.carried.insert(at, (session, packet_id));
        if self.chance.below(3) == 0 {
            // No message lies there.
            self.last += 1;
            return self.start();
        }
        let mut progress = self.sessions[&session].reached.snapshot();
        let named = progress.under_way.iter_mut().find(|u| u.packet_id == packet_id);
        named.expect("picked above").sequence = at;
        progress.finished.extend(via.stream().map(|stream| (stream, sequence)));
        let entry = Entry::Progress(progress);
        self.write(&entry);
        self.sessions.get_mut(&session).expect("picked above").reached.apply(&entry);
    }

    /// The snapshot, with a few exchanges ended.
    fn progress(&mut self, session: SessionId) -> Progress {
        let mut progress = self.sessions[&session].reached.snapshot();
        progress.under_way.retain(|_| self.chance.below(3) > 0);
        progress.done = Done::up_to(Sequence(self.last / 2));
        progress.dropped = self.chance.below(3) as u64;
        progress
    }

    fn publish(&mut self, publisher: Publisher<'static>) {
        let qos = QoS::ExactlyOnce;
        // What is neither retained nor anything else is not held, and in no start's hands.
        let retain = publisher == Publisher::Passing || self.chance.below(3) == 0;
        let (topic, payload) = (self.pick(&TOPICS), self.pick(&[&b""[..], b"x", b"y"]));
        let content = Content { topic, properties: &[], payload, qos, retain };
        let entry = Entry::Message(Message { content, deadline_ms: 7, publisher });
        let at = self.write(&entry);
        if retain {
            self.retained.insert(topic, (at, payload));
        }
        match publisher {
            Publisher::Exchange(session, _) => {
                self.sessions.get_mut(&session).expect("it publishes").reached.apply(&entry);
            }
            Publisher::Request(Request { principal, key, ends_at_ms, .. }) => {
                self.requests.insert((principal, key), (ends_at_ms, at));
            }
            Publisher::Passing | Publisher::Session(_) => {}
        }
    }

    fn request(&mut self) {
        let (principal, key) = (self.pick(&["Ann", "Bob"]), self.pick(&["k", "l"]));
        // A key is taken again only when it has ended, though the clock in the log may be behind.
        let before_ms =
            self.requests.get(&(principal, key)).map_or(0, |(ends_at_ms, _)| *ends_at_ms);
        let now_ms = self.clock.map_or(0, |(wall_ms, _)| wall_ms).max(before_ms);
        let ends_at_ms = now_ms + 1 + self.chance.below(30) as u64;
        self.publish(Publisher::Request(Request { principal, key, item: None, ends_at_ms }));
    }

    fn advance(&mut self) {
        let before = self.clock.map_or(0, |(wall_ms, _)| wall_ms);
        let wall_ms = before + self.chance.below(20) as u64;
        let at = self.write(&Entry::Clock(Clock { wall_ms }));
        self.clock = Some((wall_ms, at));
    }

    /// A retained message of a session: its name is used up, but it is not its exchange.
    fn name_another(&mut self) {
        let Some(session) = self.session() else { return };
        let content = Content {
            topic: self.pick(&TOPICS),
            properties: &[],
            payload: b"mine",
            qos: QoS::AtLeastOnce,
            retain: true,
        };
        let publisher = Publisher::Session(session);
        let entry = Entry::Message(Message { content, deadline_ms: u64::MAX, publisher });
        let at = self.write(&entry);
        self.retained.insert(content.topic, (at, content.payload));
    }

    fn packet_id(&mut self) -> PacketId {
        PacketId::new(1 + self.chance.below(3) as u16).expect("not 0")
    }

    fn will(&mut self) -> Option<LastWill<'static>> {
        let qos = QoS::AtMostOnce;
        let content = Content { topic: "will", properties: &[], payload: b"", qos, retain: false };
        self.pick(&[None, Some(LastWill { content, delay_s: 3 })])
    }

    fn owner(&mut self) -> Owner<'static> {
        let (name, source) = (self.pick(&["Ann", "Bob"]), Source::Certificate);
        Owner { name, source, expires_at_ms: None, rights: Rights::ByName }
    }

    fn subscriptions(&mut self) -> Vec<Subscription<'static>> {
        let mut filters = vec![self.pick(&FILTERS), self.pick(&FILTERS)];
        filters.dedup();
        let options = ReceiverOptions::new(QoS::AtLeastOnce, false, false);
        let since = Sequence(self.last);
        let one = |filter| Subscription {
            filter,
            options,
            subscription_id: 0,
            stream: StreamId(4),
            since,
        };
        filters.into_iter().map(one).collect()
    }

    /// What was found is what is there.
    pub fn agrees(&self, found: &Found, log: &[Written]) {
        let ids: BTreeSet<_> = found.sessions.iter().map(|session| session.id).collect();
        assert_eq!(ids, self.sessions.keys().copied().collect());
        assert_eq!(ids.len(), found.sessions.len());
        for session in &found.sessions {
            let mut now = session.now();
            let mut wanted = self.sessions[&session.id].now.clone();
            now.subscriptions.sort_by_key(|one| one.filter);
            wanted.subscriptions.sort_by_key(|one| one.filter);
            assert_eq!(now, wanted);
            assert_eq!(session.reached(), self.sessions[&session.id].reached);
            assert_eq!(session.client().as_str(), wanted.client);
            assert!(session.id < found.next_session);
        }
        let retained = found
            .retained
            .iter()
            .map(|one| (one.message.topic(), (one.sequence, one.message.payload())));
        let wanted = self.retained.iter().filter(|(_, (_, payload))| !payload.is_empty());
        let wanted = wanted.map(|(topic, kept)| (*topic, *kept));
        assert_eq!(retained.collect::<BTreeMap<_, _>>(), wanted.collect());
        let now_ms = self.clock.map_or(0, |(wall_ms, _)| wall_ms);
        let requests = found.requests.iter().map(|r| ((&*r.principal, &*r.key), r.sequence));
        let wanted = self.requests.iter().filter(|(_, (ends_at_ms, _))| *ends_at_ms > now_ms);
        let wanted = wanted.map(|(name, (_, at))| (*name, *at));
        assert_eq!(requests.collect::<BTreeMap<_, _>>(), wanted.collect());
        let clock = found.clock_record.map(|at| (found.clock_ms, at));
        assert_eq!(clock, self.clock);
        let wanted = self.carried.iter().filter(|(at, (session, packet_id))| {
            let reached = self.sessions.get(session).map(|s| &s.reached);
            reached.into_iter().flat_map(Reached::under_way).any(|u| {
                let is_open = u.exchange != Exchange::Released;
                is_open && (u.packet_id, u.sequence) == (*packet_id, **at)
            })
        });
        assert_eq!(found.carried, wanted.map(|(at, _)| *at).collect::<Vec<_>>());
        accounts_for_all(found, log);
    }
}

const CLIENTS: [&str; 4] = ["pump-1", "pump-2", "pump-3", "pump-4"];
const FILTERS: [&str; 4] = ["a/+", "b", "#", "$share/g/c"];
const TOPICS: [&str; 3] = ["a/1", "b", "c"];
