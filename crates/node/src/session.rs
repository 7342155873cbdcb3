//! What a session is (MQTT 5, 4.1): everything that outlives a connection.

use crate::devices::DeviceSession;
use crate::durable::Durable;
use crate::losses::Losses;
use crate::meter::{One, Sum};
use broker::access::Principal;
use broker::budget::Charge;
use broker::publication::Publication;
use broker::router::Ids;
use broker::share::MemberId;
use broker::subscription::FilterId;
use mqtt::client_id::ClientId;
use mqtt::message::Message;
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::session::{Exchange, Outbound, Received};
use mqtt::wire::Version;
use smallvec::SmallVec;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use store::op::Sequence;

/// One client's session at its home reactor.
pub(crate) struct Session {
    pub state: State,
    pub client: ClientId,
    pub principal: Arc<Principal>,
    /// Of the present or last connection.
    pub version: Version,
    /// Session expiry interval; 0 ends with the connection, `u32::MAX` never.
    pub expiry_s: u32,
    /// The largest packet the client takes; `u32::MAX` = no bound.
    pub packet_max: u32,
    /// Its packets have to be looked at one by one: for `packet_max`, or for topic aliases.
    pub measured: bool,
    /// How many unacknowledged messages may be under way to the client.
    pub window: u16,
    pub filters: SmallVec<[FilterId; 4]>,
    /// Its shared subscriptions. Never empty.
    pub shares: Option<Box<Shares>>,
    pub outbound: Outbound<Delivery>,
    pub received: Received,
    pub queue: Option<Box<Queue>>,
    /// Exchanges of an earlier connection whose PUBLISH has to be sent again on this one, in
    /// their order. They are not under way until then. Never empty.
    #[expect(clippy::box_collection, reason = "a session without them pays one word")]
    pub resend: Option<Box<VecDeque<PacketId>>>,
    pub will: Option<Box<Will>>,
    /// What the log has of it, where the namespace is kept and it outlives its connections.
    pub durable: Option<Box<Durable>>,
    /// What it lost at its bounds, if anything.
    pub losses: Option<Box<Losses>>,
    /// The hub's part of it, where it is a device's.
    pub device: Option<Box<DeviceSession>>,
}

/// Whether somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// At this link.
    Connected { link: u32 },
    /// At this link as soon as the log knows it; until then nobody is there. When it would have
    /// ended, wall milliseconds.
    Attaching { link: u32, ends_at_ms: u64 },
    /// Nobody. Wall milliseconds; `u64::MAX` = never.
    Detached { ends_at_ms: u64, will_at_ms: u64 },
}

/// A message for one session: to be sent, or sent and kept until it is acknowledged.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub publication: Arc<Publication>,
    pub ids: Ids,
    pub qos: QoS,
    /// The RETAIN flag as this receiver gets it.
    pub retain: bool,
    /// The membership of a shared group by which it came: the group is told what becomes of it.
    pub member: Option<MemberId>,
    /// Its place in the log, if it was taken from there in order: until it is sent it may go back.
    pub taken: u64,
    /// Its place in a queue or window, counted for the budget.
    #[expect(dead_code, reason = "it counts by being there")]
    pub place: One,
}

/// A session's shared subscriptions.
#[derive(Default)]
pub(crate) struct Shares {
    /// By filter, `$share/{name}/` included.
    pub members: BTreeMap<Arc<str>, MemberId>,
    /// The groups were told that the output or the queue takes nothing.
    pub stalled: bool,
}

/// Messages that wait for their session.
pub(crate) struct Queue {
    pub waiting: VecDeque<Delivery>,
    pub bytes: usize,
    /// The bytes of all queues.
    sum: Sum,
}

/// A will (MQTT 5, 3.1.2.5). Permission is checked when it is sent.
pub(crate) struct Will {
    pub message: Message,
    pub delay_s: u32,
    /// Its bytes in the budget while a session holds it.
    #[expect(dead_code, reason = "it counts by being there")]
    pub charge: Option<Charge>,
}

/// Who published: for No Local, and for the order of what one publisher sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub reactor: u32,
    pub slot: u32,
    pub generation: u32,
}

impl Origin {
    /// Everybody whose publishes are in the log, for what keeps its order.
    pub const LOG: Self = Self { reactor: u32::MAX, slot: u32::MAX, generation: 0 };

    /// A publisher without a session: HTTP, the broker.
    pub const NOBODY: Self = Self { reactor: u32::MAX, slot: u32::MAX, generation: u32::MAX };
}

impl Session {
    /// Whether the session outlives its connection.
    pub fn is_durable(&self) -> bool {
        self.expiry_s > 0 || self.durable.is_some()
    }

    /// Its link, if it has a connection.
    pub fn link(&self) -> Option<u32> {
        match self.state {
            State::Connected { link } => Some(link),
            State::Attaching { .. } | State::Detached { .. } => None,
        }
    }

    /// Whether the log has to know before this exchange is released: it has its beginning.
    pub fn is_in_log(&self, id: PacketId) -> bool {
        self.durable.is_some()
            && self.outbound.exchange(id) == Some(Exchange::Published2)
            && self.outbound.kept(id).is_some_and(|d| d.publication.sequence() > 0)
    }

    /// Whether something waits for the window, so that what comes now waits behind it.
    #[inline]
    pub fn waits(&self) -> bool {
        self.queue.is_some() || self.resend.is_some()
    }

    /// Whether what comes now waits in its queue, because of what is before it or because nobody
    /// is there.
    pub fn queues(&self) -> bool {
        self.waits() || self.link().is_none()
    }

    /// Exchanges that count against the client's Receive Maximum on this connection (4.9).
    #[inline]
    pub fn under_way(&self) -> u16 {
        let resend = self.resend.as_ref().map_or(0, |ids| ids.len());
        // What has to be sent again is a part of what is open.
        self.outbound.open().saturating_sub(u16::try_from(resend).unwrap_or(u16::MAX))
    }

    /// The client has answered an exchange: it need not be sent again.
    #[inline]
    pub fn answered(&mut self, id: PacketId) {
        if let Some(ids) = &mut self.resend {
            ids.retain(|waiting| *waiting != id);
            if ids.is_empty() {
                self.resend = None;
            }
        }
    }

    /// Whether room in the output has to be told to shared groups.
    #[inline]
    pub fn is_stalled(&self) -> bool {
        self.shares.as_ref().is_some_and(|s| s.stalled)
    }

    /// Whether room in the window or output lets something go on.
    #[inline]
    pub fn is_held_up(&self) -> bool {
        self.waits() || self.is_stalled()
    }

    /// Subscriptions, shared ones included.
    pub fn subscriptions(&self) -> usize {
        let shared = self.shares.as_ref().map_or(0, |s| s.members.len());
        let devices = self.device.as_ref().map_or(0, |d| d.count());
        self.filters.len() + shared + devices
    }

    /// Messages and bytes that wait, in memory and in the log.
    pub fn queued(&self) -> (usize, usize) {
        let (messages, bytes) = self.queue.as_ref().map_or((0, 0), |q| q.len());
        let log = self.durable.as_ref().map(|d| d.backlog.waiting()).unwrap_or_default();
        (messages + log.messages as usize, bytes + log.bytes as usize)
    }

    /// When it ends if its connection is lost now, wall milliseconds.
    pub fn ends_after(&self, now_ms: u64) -> u64 {
        match self.expiry_s {
            u32::MAX => u64::MAX,
            s => now_ms.saturating_add(u64::from(s) * 1_000),
        }
    }
}

impl Queue {
    pub fn new(sum: &Sum) -> Box<Self> {
        Box::new(Self { waiting: VecDeque::new(), bytes: 0, sum: sum.clone() })
    }

    fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.sum.add(bytes);
    }

    fn sub(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.sum.sub(bytes);
    }

    pub fn push(&mut self, delivery: Delivery) {
        self.add(delivery.publication.bytes());
        self.waiting.push_back(delivery);
    }

    /// Puts back what could not be sent.
    pub fn unpop(&mut self, delivery: Delivery) {
        self.add(delivery.publication.bytes());
        self.waiting.push_front(delivery);
    }

    /// Messages and bytes in it.
    pub fn len(&self) -> (usize, usize) {
        (self.waiting.len(), self.bytes)
    }

    /// The first message that was taken from the log and may go back there.
    pub fn first_logged(&self) -> Option<Sequence> {
        self.waiting.iter().find(|d| d.taken > 0).map(|d| Sequence(d.taken))
    }

    /// Takes out what was taken from the log, in order.
    pub fn take_logged(&mut self) -> Vec<Delivery> {
        self.take_out(|delivery| delivery.taken > 0)
    }

    /// Takes out what is for these members, in order.
    pub fn take_shared(&mut self, which: impl Fn(MemberId) -> bool) -> Vec<Delivery> {
        self.take_out(|delivery| delivery.member.is_some_and(&which))
    }

    fn take_out(&mut self, which: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        let mut taken = Vec::new();
        for delivery in std::mem::take(&mut self.waiting) {
            if which(&delivery) {
                self.sub(delivery.publication.bytes());
                taken.push(delivery);
            } else {
                self.waiting.push_back(delivery);
            }
        }
        taken
    }

    pub fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.waiting.pop_front()?;
        self.sub(delivery.publication.bytes());
        Some(delivery)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.sum.sub(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt::message::Message;

    /// However a delivery leaves its queue, the budget's sum ends where it began.
    #[test]
    fn what_leaves_a_queue_leaves_the_sum() {
        let (sum, places) = (Sum::default(), Sum::default());
        let member = MemberId::new(0, 0, 1);
        let mut queue = Queue::new(&sum);
        for member in [None, Some(member), None, Some(member)] {
            let message = Message::new("t", &[], b"1234", QoS::AtLeastOnce, false);
            queue.push(Delivery {
                publication: Arc::new(Publication::new(message)),
                ids: Ids::default(),
                qos: QoS::AtLeastOnce,
                retain: false,
                member,
                taken: 0,
                place: places.one(),
            });
        }
        assert_eq!(sum.get(), 20);
        assert_eq!(queue.take_shared(|_| true).len(), 2);
        assert_eq!((sum.get(), queue.bytes), (10, 10));
        let popped = queue.pop().expect("two wait");
        assert_eq!(sum.get(), 5);
        queue.unpop(popped);
        drop(queue);
        assert_eq!((sum.get(), places.get()), (0, 0));
    }
}
