//! What a fault has put off, until its time on the domain clock. Refuses to know what it is put
//! off for.

use super::asking::Sending;
use crate::door::Reply;
use crate::link::LinkId;
use hub::command::Delivery;
use hub::errors::Refusal;
use hub::identity::IdentityId;
use hub::method;
use hub::telemetry::AuthMethod;
use mqtt::qos::QoS;
use std::collections::BTreeMap;

/// Something that happens later.
pub(crate) enum Late {
    /// A CONNECT of this connection.
    Connect(LinkId),
    /// A PUBLISH of a device, which is not read meanwhile: its topic and the whole packet.
    Publish(LinkId, Box<str>, Box<[u8]>),
    /// Telemetry by HTTP.
    Event(IdentityId, Box<Sending>, AuthMethod, Reply<Result<(), Refusal>>),
    /// A request for a method.
    Method(IdentityId, LinkId, method::Sent),
    /// A command; those behind it wait for it.
    Command(IdentityId, LinkId, Box<Delivery>, QoS),
    /// An answer by HTTP.
    Answer(Box<dyn FnOnce() + Send>),
    /// What a device has missed of its desired properties since this version. Those behind it are
    /// told with it.
    Desired(IdentityId, u64),
}

/// What is put off on one reactor.
#[derive(Default)]
pub(super) struct Later {
    due: BTreeMap<(u64, u64), (Late, usize)>,
    given: u64,
    bytes: usize,
}

impl Later {
    /// Whether that much more may be put off.
    pub fn has_room_for(&self, bytes: usize) -> bool {
        self.due.len() < LATE_MAX && self.bytes + bytes <= LATE_BYTES_MAX
    }

    /// Puts something of so many bytes off.
    pub fn put(&mut self, at_ms: u64, late: Late, bytes: usize) {
        self.given += 1;
        self.bytes += bytes;
        self.due.insert((at_ms, self.given), (late, bytes));
    }

    /// The next one whose time has come.
    pub fn pop(&mut self, now_ms: u64) -> Option<Late> {
        if self.next()? > now_ms {
            return None;
        }
        let (_, (late, bytes)) = self.due.pop_first()?;
        self.bytes -= bytes;
        Some(late)
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<u64> {
        self.due.first_key_value().map(|((at_ms, _), _)| *at_ms)
    }

    /// Whether a command for this device waits to go to this connection.
    pub fn holds_commands(&self, id: &IdentityId, to: LinkId) -> bool {
        self.all().any(|late| matches!(late, Late::Command(i, link, ..) if i == id && *link == to))
    }

    /// Whether this device is told of its desired properties later.
    pub fn holds_desired(&self, id: &IdentityId) -> bool {
        self.all().any(|late| matches!(late, Late::Desired(i, _) if i == id))
    }

    fn all(&self) -> impl Iterator<Item = &Late> {
        self.due.values().map(|(late, _)| late)
    }
}

/// More are not put off: what a fault would delay then happens at once. They are looked through.
const LATE_MAX: usize = 1_000;
const LATE_BYTES_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_off_comes_in_order_and_is_bounded() {
        let mut later = Later::default();
        let link = |slot| LinkId { slot, generation: 0 };
        for (slot, at_ms) in [(1, 50), (2, 20), (3, 20)] {
            later.put(at_ms, Late::Connect(link(slot)), 10);
        }
        assert_eq!((later.next(), later.bytes), (Some(20), 30));
        let mut slots = Vec::new();
        while let Some(Late::Connect(id)) = later.pop(49) {
            slots.push(id.slot);
        }
        assert_eq!((slots, later.bytes, later.next()), (vec![2, 3], 10, Some(50)));
        assert!(later.has_room_for(LATE_BYTES_MAX - 10) && !later.has_room_for(LATE_BYTES_MAX));
        let id = IdentityId::parse("d").unwrap();
        assert!(!later.holds_desired(&id));
        while later.has_room_for(0) {
            later.put(9, Late::Desired(id.clone(), 1), 0);
        }
        assert!(later.holds_desired(&id) && !later.holds_commands(&id, link(1)));
        assert_eq!(later.due.len(), LATE_MAX);
    }
}
