//! The sending side of QoS 1 and 2: packet identifiers handed out in sequence, so that an
//! acknowledgement finds its entry by subtraction (no map), and each entry's place in its exchange.

use crate::packet_id::PacketId;
use crate::qos::QoS;
use std::collections::VecDeque;

/// Messages sent to one client and not yet acknowledged, in the order they were sent.
///
/// `T` is what the owner wants back if the message must be sent again; a session that ends with
/// its connection keeps nothing.
#[derive(Debug)]
pub struct Outbound<T> {
    ring: VecDeque<Entry<T>>,
    /// Packet identifier of `ring[0]`; never zero.
    first: u16,
    /// Entries whose exchange goes on: what counts against Receive Maximum.
    open: u16,
}

/// Where one exchange stands (MQTT 5, 4.3.2 and 4.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// QoS 1 PUBLISH sent, PUBACK awaited.
    Published1,
    /// QoS 2 PUBLISH sent, PUBREC awaited.
    Published2,
    /// PUBREL sent, PUBCOMP awaited.
    Released,
}

/// An exchange to take up again when the client returns (MQTT 5, 4.4.0-1).
#[derive(Debug)]
pub struct Unacknowledged<'a, T> {
    /// The identifier it was first sent with.
    pub packet_id: PacketId,
    /// Where it stands.
    pub exchange: Exchange,
    /// What was kept; of an exchange whose PUBREL is to be repeated only what `keep` got.
    pub kept: Option<&'a T>,
}

/// The peer acknowledged an identifier that is not in that state. MQTT 5 answers PUBREL or
/// PUBREC with 0x92; a stray PUBACK or PUBCOMP is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownPacketId;

#[derive(Debug)]
struct Entry<T> {
    exchange: Option<Exchange>,
    kept: Option<T>,
}

impl<T> Default for Outbound<T> {
    fn default() -> Self {
        Self { ring: VecDeque::new(), first: 1, open: 0 }
    }
}

impl<T> Outbound<T> {
    /// How many exchanges are open (MQTT 5, 4.9: what Receive Maximum bounds).
    #[inline]
    pub fn open(&self) -> u16 {
        self.open
    }

    /// Whether nothing waits for an acknowledgement.
    pub fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Opens an exchange at `qos` (1 or 2) and hands out its identifier (2.2.1-4).
    /// `None` when every identifier is taken: the message has to wait.
    #[inline]
    pub fn send(&mut self, qos: QoS, kept: Option<T>) -> Option<PacketId> {
        if self.ring.len() >= IDENTIFIERS {
            return None;
        }
        let id = nth(self.first, self.ring.len());
        let exchange = match qos {
            QoS::ExactlyOnce => Exchange::Published2,
            _ => Exchange::Published1,
        };
        self.ring.push_back(Entry { exchange: Some(exchange), kept });
        self.open += 1;
        PacketId::new(id)
    }

    /// PUBACK: ends a QoS 1 exchange and gives back what was kept.
    #[inline]
    pub fn puback(&mut self, id: PacketId) -> Result<Option<T>, UnknownPacketId> {
        self.finish(id, Exchange::Published1)
    }

    /// PUBREC with a reason below 0x80: the message is the receiver's now, PUBREL follows.
    /// A repeated PUBREC of a released exchange is fine and gives `None` (4.3.3-4).
    pub fn pubrec(&mut self, id: PacketId) -> Result<Option<T>, UnknownPacketId> {
        let entry = self.entry(id).ok_or(UnknownPacketId)?;
        match entry.exchange {
            Some(Exchange::Published2) => {
                entry.exchange = Some(Exchange::Released);
                Ok(entry.kept.take())
            }
            Some(Exchange::Released) => Ok(None),
            _ => Err(UnknownPacketId),
        }
    }

    /// Keeps something for the end of an exchange that `pubrec` has released: `pubcomp` gives it
    /// back. Nothing happens in any other state.
    pub fn keep(&mut self, id: PacketId, kept: T) {
        if let Some(entry) = self.entry(id)
            && entry.exchange == Some(Exchange::Released)
        {
            entry.kept = Some(kept);
        }
    }

    /// PUBREC with a reason of 0x80 or more ends the exchange (4.3.3-9).
    pub fn pubrec_refused(&mut self, id: PacketId) -> Result<Option<T>, UnknownPacketId> {
        self.finish(id, Exchange::Published2)
    }

    /// PUBCOMP ends a QoS 2 exchange (4.3.3-12).
    pub fn pubcomp(&mut self, id: PacketId) -> Result<Option<T>, UnknownPacketId> {
        self.finish(id, Exchange::Released)
    }

    /// What has to be sent again on a resumed session, in the original order (4.6.0-1).
    pub fn unacknowledged(&self) -> impl Iterator<Item = Unacknowledged<'_, T>> {
        self.ring.iter().enumerate().filter_map(|(at, entry)| {
            Some(Unacknowledged {
                packet_id: PacketId::new(nth(self.first, at))?,
                exchange: entry.exchange?,
                kept: entry.kept.as_ref(),
            })
        })
    }

    /// Takes up exchanges of an earlier run, in the order in which they began: their messages come
    /// by [`load`](Self::load). Goes before anything is sent.
    pub fn restore(exchanges: impl IntoIterator<Item = (PacketId, Exchange)>) -> Self {
        let mut all = Self::default();
        for (id, exchange) in exchanges {
            if all.ring.is_empty() {
                all.first = id.get();
            }
            let at = distance(all.first, id.get());
            while all.ring.len() <= at {
                all.ring.push_back(Entry { exchange: None, kept: None });
            }
            let entry = &mut all.ring[at];
            all.open += u16::from(entry.exchange.is_none());
            entry.exchange = Some(exchange);
        }
        all
    }

    /// The message of an exchange that was restored and waits for an answer to its PUBLISH.
    pub fn load(&mut self, id: PacketId, kept: T) {
        if let Some(entry) = self.entry(id)
            && matches!(entry.exchange, Some(Exchange::Published1 | Exchange::Published2))
        {
            entry.kept = Some(kept);
        }
    }

    /// Where an exchange stands.
    pub fn exchange(&self, id: PacketId) -> Option<Exchange> {
        self.ring.get(distance(self.first, id.get()))?.exchange
    }

    /// What was kept of an exchange whose PUBLISH has not been answered.
    pub fn kept(&self, id: PacketId) -> Option<&T> {
        self.ring.get(distance(self.first, id.get()))?.kept.as_ref()
    }

    /// The same, to change it.
    pub fn kept_mut(&mut self, id: PacketId) -> Option<&mut T> {
        self.entry(id)?.kept.as_mut()
    }

    fn entry(&mut self, id: PacketId) -> Option<&mut Entry<T>> {
        let at = distance(self.first, id.get());
        self.ring.get_mut(at)
    }

    #[inline]
    fn finish(&mut self, id: PacketId, expected: Exchange) -> Result<Option<T>, UnknownPacketId> {
        let entry = self.entry(id).ok_or(UnknownPacketId)?;
        if entry.exchange != Some(expected) {
            return Err(UnknownPacketId);
        }
        entry.exchange = None;
        let kept = entry.kept.take();
        self.open -= 1;
        while self.ring.front().is_some_and(|e| e.exchange.is_none()) {
            self.ring.pop_front();
            self.first = nth(self.first, 1);
        }
        if self.ring.is_empty() && self.ring.capacity() > IDLE_ENTRIES_MAX {
            self.ring = VecDeque::new();
        }
        Ok(kept)
    }
}

/// The identifier `n` after `first`; identifiers run from 1 to 65,535 and skip zero.
#[inline]
fn nth(first: u16, n: usize) -> u16 {
    let sum = usize::from(first) - 1 + n;
    let wrapped = if sum >= IDENTIFIERS { sum - IDENTIFIERS } else { sum };
    // Below 65,535 by the line above, so the cast and the addition keep the value.
    wrapped as u16 + 1
}

#[inline]
fn distance(first: u16, id: u16) -> usize {
    let (first, id) = (usize::from(first), usize::from(id));
    if id >= first { id - first } else { id + IDENTIFIERS - first }
}

/// Packet identifiers are 16 bits without zero (2.2.1-3).
const IDENTIFIERS: usize = 65_535;
/// A ring that grew above this is given back when it empties: idle sessions own little.
const IDLE_ENTRIES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u16) -> PacketId {
        PacketId::new(n).unwrap()
    }

    #[test]
    fn identifiers_run_in_sequence_and_skip_zero() {
        let mut o = Outbound::<()>::default();
        for n in 1..=65_535u16 {
            assert_eq!(o.send(QoS::AtLeastOnce, None), Some(id(n)));
            o.puback(id(n)).unwrap();
        }
        assert_eq!(o.send(QoS::AtLeastOnce, None), Some(id(1)));
    }

    #[test]
    fn an_identifier_in_use_is_never_handed_out_again() {
        let mut o = Outbound::<()>::default();
        let held = o.send(QoS::AtLeastOnce, None).unwrap();
        for _ in 0..65_534 {
            let next = o.send(QoS::AtLeastOnce, None).unwrap();
            assert_ne!(next, held);
            o.puback(next).unwrap();
        }
        assert_eq!(o.send(QoS::AtLeastOnce, None), None, "all identifiers wait behind the first");
        o.puback(held).unwrap();
        assert_eq!(o.send(QoS::AtLeastOnce, None), Some(held), "the turn is over, 1 is free");
    }

    #[test]
    fn acknowledgements_out_of_order_free_the_window() {
        let mut o = Outbound::default();
        for n in 0..3 {
            o.send(QoS::AtLeastOnce, Some(n));
        }
        assert_eq!(o.kept(id(2)), Some(&1));
        assert_eq!(o.puback(id(2)), Ok(Some(1)));
        assert_eq!(o.kept(id(2)), None);
        assert_eq!(o.open(), 2);
        let left: Vec<_> =
            o.unacknowledged().map(|u| (u.packet_id.get(), *u.kept.unwrap())).collect();
        assert_eq!(left, [(1, 0), (3, 2)]);
        assert_eq!(o.puback(id(2)), Err(UnknownPacketId));
    }

    #[test]
    fn qos_2_walks_publish_release_complete() {
        let mut o = Outbound::default();
        let p = o.send(QoS::ExactlyOnce, Some('m')).unwrap();
        assert_eq!(o.puback(p), Err(UnknownPacketId), "PUBACK does not end QoS 2");
        assert_eq!(o.pubcomp(p), Err(UnknownPacketId));
        assert_eq!(o.pubrec(p), Ok(Some('m')));
        assert_eq!(o.pubrec(p), Ok(None), "a repeated PUBREC is answered again");
        assert_eq!(o.unacknowledged().next().unwrap().exchange, Exchange::Released);
        assert_eq!(o.pubcomp(p), Ok(None));
        assert!(o.is_empty());
    }

    #[test]
    fn what_is_kept_for_the_end_comes_back_with_pubcomp() {
        let mut o = Outbound::default();
        let p = o.send(QoS::ExactlyOnce, Some('m')).unwrap();
        o.keep(p, 'x');
        assert_eq!(o.pubrec(p), Ok(Some('m')), "before PUBREC nothing is replaced");
        o.keep(p, 'x');
        assert_eq!(o.pubcomp(p), Ok(Some('x')));
    }

    #[test]
    fn a_refused_pubrec_ends_the_exchange() {
        let mut o = Outbound::default();
        let p = o.send(QoS::ExactlyOnce, Some(1)).unwrap();
        assert_eq!(o.pubrec_refused(p), Ok(Some(1)));
        assert_eq!(o.pubcomp(p), Err(UnknownPacketId));
    }
}
