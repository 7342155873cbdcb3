//! How far the delivery to one session has reached: the same while it happens and when it is read
//! back from the log.
//!
//! Owns what each entry changes. Refuses to know connections, windows and streams: it does not say
//! what is sent next, only what need not be, and what has to be taken up again.

use super::done::Done;
use super::entry::Entry;
use super::progress::{Progress, UnderWay, Via};
use super::publisher::Publisher;
use super::released::Direction;
use super::session_id::SessionId;
use mqtt::packet_id::PacketId;
use mqtt::session::Exchange;
use std::collections::VecDeque;
use store::log::StreamId;
use store::op::Sequence;

/// The delivery to one session, as far as the log knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    session: SessionId,
    done: Done,
    dropped: u64,
    /// In the order in which they began; the oldest end first, so that it is looked for there.
    under_way: VecDeque<UnderWay>,
    received: VecDeque<PacketId>,
    finished: Vec<(StreamId, Sequence)>,
}

impl Reached {
    /// A session that begins: nothing up to `since` is for it.
    pub fn new(session: SessionId, since: Sequence) -> Self {
        let (under_way, received) = (VecDeque::new(), VecDeque::new());
        let (done, finished) = (Done::up_to(since), Vec::new());
        Self { session, done, dropped: 0, under_way, received, finished }
    }

    /// Takes in one more entry, in the order of the log. What tells of another session, or of
    /// something else than delivery, changes nothing.
    pub fn apply(&mut self, entry: &Entry<'_>) {
        if entry.session() != Some(self.session) {
            return;
        }
        match entry {
            Entry::Message(e) => {
                if let Publisher::Exchange(_, packet_id) = e.publisher {
                    self.receive(packet_id);
                }
            }
            Entry::Progress(e) => *self = Self::from(e.clone()),
            Entry::Sent(e) => self.begin(e.packet_id, e.sequence, e.via),
            Entry::Released(e) => match e.direction {
                Direction::Outbound => self.release(e.packet_id),
                Direction::Inbound => self.received.retain(|held| *held != e.packet_id),
            },
            Entry::SessionBegun(_)
            | Entry::SessionEnded(_)
            | Entry::Subscribed(_)
            | Entry::Unsubscribed(_)
            | Entry::Attached(_)
            | Entry::Detached(_)
            | Entry::Carried(_)
            | Entry::Clock(_)
            | Entry::GroupProgress(_)
            | Entry::Device(_)
            | Entry::Channel(_)
            | Entry::Feedback(_)
            | Entry::Job(_) => {}
        }
    }

    /// An inbound QoS 2 identifier waits for PUBREL.
    pub(crate) fn receive(&mut self, packet_id: PacketId) {
        if !self.holds(packet_id) {
            self.received.push_back(packet_id);
        }
    }

    /// Everything in one entry: applied to any state it gives this one.
    pub fn snapshot(&self) -> Progress {
        Progress {
            session: self.session,
            done: self.done.clone(),
            dropped: self.dropped,
            under_way: self.under_way.iter().copied().collect(),
            received: self.received.iter().copied().collect(),
            finished: self.finished.clone(),
        }
    }

    /// Nothing up to here is to be read again. A message under way may lie before it, if it is a
    /// retained one that was handed over.
    pub fn cursor(&self) -> Sequence {
        self.done.cursor()
    }

    /// Whether a message of the session's streams is still to be sent for the first time, as far
    /// as the log knows.
    pub fn is_due(&self, sequence: Sequence) -> bool {
        !self.done.contains(sequence) && {
            let mut own = self.under_way.iter().filter(|u| u.via == Via::Own);
            own.all(|u| u.sequence != sequence)
        }
    }

    /// What need not be delivered any more.
    pub fn done(&self) -> &Done {
        &self.done
    }

    /// How many of the oldest messages that wait in the log are to be dropped when they are read.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What to take up again, in the order in which it was sent (MQTT 5, 4.4.0-1 and 4.6.0-1):
    /// what is published as PUBLISH with DUP, what is released as PUBREL.
    pub fn under_way(&self) -> impl Iterator<Item = UnderWay> {
        self.under_way.iter().copied()
    }

    /// Messages of shared groups that were had to the end, and whose groups may not know.
    pub fn finished(&self) -> &[(StreamId, Sequence)] {
        &self.finished
    }

    /// Inbound QoS 2 identifiers that wait for PUBREL, in the order of arrival.
    pub fn received(&self) -> impl Iterator<Item = PacketId> {
        self.received.iter().copied()
    }

    /// Whether the log knows this inbound identifier: then a repeated PUBLISH is not delivered
    /// again, and its PUBREL has to be written.
    pub fn holds(&self, packet_id: PacketId) -> bool {
        self.received.contains(&packet_id)
    }

    fn begin(&mut self, packet_id: PacketId, sequence: Sequence, via: Via) {
        // The identifier was free: what it was last used for is over.
        if let Some(at) = self.under_way.iter().position(|u| u.packet_id == packet_id) {
            self.end(at);
        }
        let exchange = Exchange::Published2;
        self.under_way.push_back(UnderWay { packet_id, sequence, exchange, via });
    }

    /// The message is the client's: nothing more has to be read for it.
    fn release(&mut self, packet_id: PacketId) {
        if let Some(one) = self.under_way.iter_mut().find(|u| u.packet_id == packet_id) {
            one.exchange = Exchange::Released;
            if one.via == Via::Own {
                self.done.add(one.sequence);
            }
        }
    }

    fn end(&mut self, at: usize) {
        let Some(one) = self.under_way.remove(at) else { return };
        match one.via {
            Via::Own => self.done.add(one.sequence),
            // It may not know.
            Via::Group(stream) if one.exchange != Exchange::Published1 => {
                self.finished.push((stream, one.sequence));
            }
            Via::Group(_) => {}
        }
    }
}

impl From<Progress> for Reached {
    fn from(p: Progress) -> Self {
        let (under_way, received) = (p.under_way.into(), p.received.into());
        let Progress { session, done, dropped, finished, .. } = p;
        Self { session, done, dropped, under_way, received, finished }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Message, Released, Sent};
    use super::*;
    use crate::journal::chance::Chance;
    use crate::journal::content::Content;
    use mqtt::qos::QoS;
    use std::collections::BTreeSet;
    use store::log::Kind;

    const ME: SessionId = SessionId(7);

    fn id(n: u16) -> PacketId {
        PacketId::new(n).unwrap()
    }

    /// A session that knows nothing of `Reached`, and what it writes.
    #[derive(Default)]
    struct World {
        chance: Option<Chance>,
        last: u64,
        waiting: Vec<u64>,
        /// Identifier, message, released or not.
        exchanges: Vec<(u16, u64, bool)>,
        received: Vec<u16>,
        done: BTreeSet<u64>,
    }

    impl World {
        fn below(&mut self, bound: usize) -> usize {
            self.chance.as_mut().expect("set by who made it").below(bound)
        }

        fn index(&mut self, of: &[usize]) -> Option<usize> {
            if of.is_empty() { None } else { Some(of[self.below(of.len())]) }
        }

        /// A free one among few, so that they are soon used again.
        fn free(&mut self, used: &[u16]) -> Option<u16> {
            let free: Vec<u16> = (1..=4).filter(|n| !used.contains(n)).collect();
            if free.is_empty() { None } else { Some(free[self.below(free.len())]) }
        }

        fn in_state(&self, released: bool) -> Vec<usize> {
            let all = self.exchanges.iter().enumerate();
            all.filter(|(_, e)| e.2 == released).map(|(at, _)| at).collect()
        }

        /// The oldest message that is not done.
        fn first_open(&self) -> Option<u64> {
            let open = self.exchanges.iter().filter(|e| !e.2).map(|e| e.1);
            open.chain(self.waiting.iter().copied()).min()
        }

        fn progress(&mut self) -> Entry<'static> {
            let cursor = self.first_open().map_or(self.last, |first| first - 1);
            let mut done = Done::up_to(Sequence(cursor));
            self.done.iter().for_each(|n| done.add(Sequence(*n)));
            let under_way = self.exchanges.iter().map(|(n, sequence, released)| {
                let exchange = if *released { Exchange::Released } else { Exchange::Published2 };
                let (packet_id, sequence) = (id(*n), Sequence(*sequence));
                UnderWay { packet_id, sequence, exchange, via: Via::Own }
            });
            Entry::Progress(Progress {
                session: ME,
                done,
                under_way: under_way.collect(),
                received: self.received.iter().map(|n| id(*n)).collect(),
                dropped: self.below(9) as u64,
                finished: Vec::new(),
            })
        }

        fn step(&mut self) -> Option<Entry<'static>> {
            let session = ME;
            match self.below(11) {
                0 | 1 => {
                    self.last += 1 + self.below(3) as u64;
                    self.waiting.push(self.last);
                    None
                }
                2 | 3 if !self.waiting.is_empty() => {
                    let used: Vec<u16> = self.exchanges.iter().map(|e| e.0).collect();
                    let n = self.free(&used)?;
                    let sequence = self.waiting.remove(0);
                    self.exchanges.push((n, sequence, false));
                    let sequence = Sequence(sequence);
                    Some(Entry::Sent(Sent { session, packet_id: id(n), sequence, via: Via::Own }))
                }
                4 | 5 => {
                    let at = self.in_state(false);
                    let at = self.index(&at)?;
                    self.exchanges[at].2 = true;
                    self.done.insert(self.exchanges[at].1);
                    Some(released(ME, Direction::Outbound, self.exchanges[at].0))
                }
                6 => {
                    let refused = self.below(4) == 0;
                    let at = self.in_state(!refused);
                    let at = self.index(&at)?;
                    // Told by the next snapshot, or by another exchange with the identifier.
                    let (_, sequence, _) = self.exchanges.remove(at);
                    self.done.insert(sequence);
                    None
                }
                7 if !self.waiting.is_empty() => {
                    // QoS 1, or dropped.
                    let at = self.below(self.waiting.len());
                    let sequence = self.waiting.remove(at);
                    self.done.insert(sequence);
                    None
                }
                8 => Some(self.progress()),
                9 => {
                    let n = self.free(&self.received.clone())?;
                    self.received.push(n);
                    Some(publish(Publisher::Exchange(ME, id(n))))
                }
                10 if !self.received.is_empty() => {
                    let at = self.below(self.received.len());
                    Some(released(ME, Direction::Inbound, self.received.remove(at)))
                }
                _ => Some(foreign(self.below(4))),
            }
        }

        /// Once everything is written, the log knows as much as the session.
        fn agrees(&self, reached: &Reached) {
            let under_way: Vec<_> = reached
                .under_way()
                .map(|u| (u.packet_id.get(), u.sequence.0, u.exchange == Exchange::Released))
                .collect();
            assert_eq!(under_way, self.exchanges);
            let received: Vec<u16> = reached.received().map(PacketId::get).collect();
            assert_eq!(received, self.received);
            for n in 1..=self.last {
                let due = reached.is_due(Sequence(n));
                if self.waiting.contains(&n) {
                    assert!(due, "{n} waits");
                }
                if self.done.contains(&n) || self.exchanges.iter().any(|e| e.1 == n) {
                    assert!(!due, "{n} was sent");
                }
            }
            assert!(self.first_open().is_none_or(|first| reached.cursor().0 < first));
        }
    }

    fn publish(publisher: Publisher<'static>) -> Entry<'static> {
        let qos = QoS::ExactlyOnce;
        let content = Content { topic: "t", properties: &[], payload: b"x", qos, retain: false };
        Entry::Message(Message { content, deadline_ms: u64::MAX, publisher })
    }

    fn released(session: SessionId, direction: Direction, n: u16) -> Entry<'static> {
        Entry::Released(Released { session, packet_id: id(n), direction })
    }

    /// Another session by the same identifiers, and this one without an exchange.
    fn foreign(which: usize) -> Entry<'static> {
        let other = SessionId(8);
        [
            publish(Publisher::Session(ME)),
            publish(Publisher::Exchange(other, id(2))),
            released(other, Direction::Inbound, 1),
            Entry::Sent(Sent {
                session: other,
                packet_id: id(3),
                sequence: Sequence(1),
                via: Via::Own,
            }),
        ][which]
            .clone()
    }

    /// A record as the log gives it back.
    fn record(entry: &Entry<'_>) -> (Kind, Vec<u8>) {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        (entry.kind(), bytes)
    }

    fn replay(log: &[(Kind, Vec<u8>)]) -> Reached {
        let mut reached = Reached::new(ME, Sequence(0));
        for (kind, payload) in log {
            reached.apply(&Entry::decode(*kind, payload).expect("it was written by us"));
        }
        reached
    }

    /// Snapshots at any place, and of what they overtake any part removed: what is read back is
    /// what was, and what the session itself says.
    #[test]
    fn reading_back_gives_what_was() {
        for seed in 0..400 {
            let mut world = World { chance: Some(Chance::new(seed)), ..World::default() };
            let mut live = Reached::new(ME, Sequence(0));
            let mut log = Vec::new();
            for _ in 0..120 {
                if world.below(12) == 0 {
                    // Released, and removed as far as segments were cleaned.
                    log.retain(|_| world.below(3) == 0);
                    log.push(record(&Entry::Progress(live.snapshot())));
                    assert_eq!(replay(&log), live, "seed {seed}, after a snapshot");
                }
                let Some(entry) = world.step() else { continue };
                live.apply(&entry);
                log.push(record(&entry));
                assert_eq!(replay(&log), live, "seed {seed}, {entry:?}");
                if matches!(entry, Entry::Progress(_)) {
                    world.agrees(&live);
                }
            }
            live.apply(&world.progress());
            world.agrees(&live);
        }
    }

    #[test]
    fn what_is_to_be_taken_up_again_keeps_its_order_and_state() {
        let sent = |n, sequence| {
            let sequence = Sequence(sequence);
            Entry::Sent(Sent { session: ME, packet_id: id(n), sequence, via: Via::Own })
        };
        let mut reached = Reached::new(ME, Sequence(10));
        for entry in
            [sent(65_535, 12), sent(1, 15), sent(2, 11), released(ME, Direction::Outbound, 1)]
        {
            reached.apply(&entry);
        }
        let under_way: Vec<_> =
            reached.under_way().map(|u| (u.packet_id.get(), u.sequence.0, u.exchange)).collect();
        let (published, released) = (Exchange::Published2, Exchange::Released);
        assert_eq!(under_way, [(65_535, 12, published), (1, 15, released), (2, 11, published)]);
        assert_eq!(reached.cursor(), Sequence(10));
        let due: Vec<u64> = (9..18).filter(|n| reached.is_due(Sequence(*n))).collect();
        assert_eq!(due, [13, 14, 16, 17]);
    }

    /// The end of an exchange is told late: an identifier in use again tells it before.
    #[test]
    fn another_exchange_with_an_identifier_ends_the_one_before() {
        let mut reached = Reached::new(ME, Sequence(0));
        let sent = |sequence| Sent {
            session: ME,
            packet_id: id(1),
            sequence: Sequence(sequence),
            via: Via::Own,
        };
        reached.apply(&Entry::Sent(sent(1)));
        reached.apply(&Entry::Sent(sent(2)));
        assert_eq!(reached.cursor(), Sequence(1), "the first one is over");
        assert_eq!(reached.under_way().map(|u| u.sequence.0).collect::<Vec<_>>(), [2]);
    }
}
