//! Which exchanges of a session have had their messages carried forward, and how far the log knows.
//!
//! Owns that list. Refuses to know when a message is carried, and what is in it.

use mqtt::packet_id::PacketId;
use store::op::Sequence;

/// The messages of one session that were written again behind others.
#[derive(Default)]
pub(crate) struct CarriedList {
    /// By identifier and by where the message was.
    all: Vec<Carry>,
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Carry {
    pub packet_id: PacketId,
    /// By which the session knows the message. An identifier with another message is another
    /// exchange, and this one is over.
    pub from: Sequence,
    pub stands: Stands,
}

/// What the log knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stands {
    /// The message is on its way there.
    Written,
    /// It lies there, and no progress names it: it means nothing.
    Kept(Sequence),
    /// It lies there, and that is where a start looks for it.
    Told(Sequence),
}

impl CarriedList {
    pub const NONE: Self = Self { all: Vec::new() };

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Of the exchange by this identifier with the message that is known by `from`.
    pub fn of(&self, packet_id: PacketId, from: Sequence) -> Option<Stands> {
        let at = self.place(packet_id, from).ok()?;
        Some(self.all[at].stands)
    }

    /// One more, or one that stands elsewhere now.
    pub fn put(&mut self, carry: Carry) {
        match self.place(carry.packet_id, carry.from) {
            Ok(at) => self.all[at] = carry,
            Err(at) => self.all.insert(at, carry),
        }
    }

    pub fn remove(&mut self, packet_id: PacketId, from: Sequence) {
        if let Ok(at) = self.place(packet_id, from) {
            self.all.remove(at);
        }
    }

    /// Takes out the one that lies at `at` and that no progress has named.
    pub fn take_kept(&mut self, packet_id: PacketId, at: Sequence) -> Option<Carry> {
        let is_it = |c: &Carry| c.packet_id == packet_id && c.stands == Stands::Kept(at);
        let place = self.all.iter().position(is_it)?;
        Some(self.all.remove(place))
    }

    /// Takes out those in the log that are needed no more. Gives where they lie.
    pub fn take_over(&mut self, is_needed: impl Fn(&Carry) -> bool) -> Vec<Sequence> {
        let mut over = Vec::new();
        self.all.retain(|carry| match carry.stands.at() {
            Some(at) if !is_needed(carry) => {
                over.push(at);
                false
            }
            _ => true,
        });
        over
    }

    /// Where those lie that are in the log.
    pub fn records(&self) -> impl Iterator<Item = Sequence> {
        self.all.iter().filter_map(|carry| carry.stands.at())
    }

    fn place(&self, packet_id: PacketId, from: Sequence) -> Result<usize, usize> {
        self.all.binary_search_by_key(&(packet_id.get(), from), |c| (c.packet_id.get(), c.from))
    }
}

impl Stands {
    /// Where it lies, if it is there.
    pub fn at(self) -> Option<Sequence> {
        match self {
            Self::Written => None,
            Self::Kept(at) | Self::Told(at) => Some(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_with_another_message_is_another_exchange() {
        let id = |n| PacketId::new(n).unwrap();
        let carry = |n, from, stands| Carry { packet_id: id(n), from: Sequence(from), stands };
        let mut list = CarriedList::default();
        let (kept, told) = (Stands::Kept(Sequence(90)), Stands::Told(Sequence(91)));
        for one in [carry(7, 20, told), carry(7, 5, kept), carry(2, 9, Stands::Written)] {
            list.put(one);
        }
        assert_eq!(list.of(id(7), Sequence(5)), Some(kept));
        assert_eq!(list.of(id(7), Sequence(6)), None);
        assert_eq!(list.take_kept(id(7), Sequence(91)), None, "that one was told");
        // What is on its way is not over before it is known where it lies.
        assert_eq!(list.take_over(|c| c.from == Sequence(20)), [Sequence(90)]);
        assert_eq!(list.records().collect::<Vec<_>>(), [Sequence(91)]);
        list.remove(id(2), Sequence(9));
        assert_eq!(list.len(), 1);
    }
}
