//! One publish in the log.
//!
//! ```text
//! u8      version
//! u8      QoS (bits 0, 1), RETAIN (2), a deadline (3), properties (4), publisher (5, 6)
//! moment  deadline, if there is one
//! number  bytes of the topic
//! number  bytes of the properties, if there are any
//!         publisher
//!         topic, properties, and the payload to the end
//! ```

use super::content::Content;
use super::publisher::Publisher;
use super::reader::{Fault, Reader};
use super::writer::Writer;
use broker::publication::{NEVER, Publication};
use store::log::{Hold, Kind};

/// A publish (core.md 1): stored once for all who wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// What was published.
    pub content: Content<'a>,
    /// Domain wall milliseconds after which nobody gets it any more; `NEVER` = no expiry.
    pub deadline_ms: u64,
    /// Who published it. An [`Exchange`](Publisher::Exchange) is one of QoS 2.
    pub publisher: Publisher<'a>,
}

impl<'a> Message<'a> {
    /// A publication as it is written. Borrows.
    pub fn of(publication: &'a Publication, publisher: Publisher<'a>) -> Self {
        let content = Content::of(&publication.message);
        Self { content, deadline_ms: publication.deadline_ms, publisher }
    }

    /// The publication as it was, watched by nobody and not charged; copies once.
    pub fn to_publication(&self) -> Publication {
        Publication { deadline_ms: self.deadline_ms, ..Publication::new(self.content.to_message()) }
    }

    /// Until its owner releases it when it is more than what waits in streams: a retained message
    /// until another takes its topic, an exchange until a later [`Progress`](super::Progress) of
    /// its session, a key until it ends.
    pub fn hold(&self) -> Hold {
        match self.publisher {
            Publisher::Passing | Publisher::Session(_) if !self.content.retain => Hold::No,
            _ => Hold::UntilReleased,
        }
    }

    /// Appends everything before topic, properties and payload. These three parts follow it in
    /// the record, given to the log as they lie: the payload is copied once.
    pub fn encode_head(&self, out: &mut Vec<u8>) {
        let Content { topic, properties, .. } = self.content;
        let mut w = Writer(out);
        w.byte(VERSION);
        let mut flags = self.content.flags() | self.publisher.form() << PUBLISHER_AT;
        if self.deadline_ms != NEVER {
            flags |= DEADLINE;
        }
        if !properties.is_empty() {
            flags |= PROPERTIES;
        }
        w.byte(flags);
        if self.deadline_ms != NEVER {
            w.moment(self.deadline_ms);
        }
        w.number(topic.len() as u64);
        if !properties.is_empty() {
            w.number(properties.len() as u64);
        }
        self.publisher.write(&mut w);
    }

    /// What follows the head, in order.
    pub fn parts(&self) -> [&'a [u8]; 3] {
        let Content { topic, properties, payload, .. } = self.content;
        [topic.as_bytes(), properties, payload]
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        self.encode_head(out);
        for part in self.parts() {
            out.extend_from_slice(part);
        }
    }

    pub(super) fn decode(r: &mut Reader<'a>) -> Result<Self, Fault> {
        r.version(VERSION)?;
        let flags = r.byte()?;
        let deadline_ms = if flags & DEADLINE == 0 { NEVER } else { r.moment()? };
        let topic_len = r.number()?;
        let properties_len = if flags & PROPERTIES == 0 { 0 } else { r.number()? };
        let publisher = Publisher::read(flags >> PUBLISHER_AT & 3, r)?;
        let (topic, properties) = (r.take(topic_len)?, r.take(properties_len)?);
        let content = Content::parse(flags, topic, properties, r.rest())?;
        let said_and_missing = (flags & DEADLINE != 0 && deadline_ms == NEVER)
            || (flags & PROPERTIES != 0 && properties.is_empty());
        if flags & UNUSED != 0 || said_and_missing {
            return Err(Fault::Malformed("flags that contradict what follows"));
        }
        if matches!(publisher, Publisher::Exchange(..))
            && content.qos != mqtt::qos::QoS::ExactlyOnce
        {
            return Err(Fault::Malformed("an identifier is held for QoS 2 only"));
        }
        Ok(Self { content, deadline_ms, publisher })
    }

    pub(super) const KIND: Kind = Kind(1);
}

const VERSION: u8 = 1;
const DEADLINE: u8 = 1 << 3;
const PROPERTIES: u8 = 1 << 4;
const PUBLISHER_AT: u8 = 5;
const UNUSED: u8 = 1 << 7;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Request, SessionId};
    use mqtt::packet_id::PacketId;
    use mqtt::qos::QoS;
    use store::log::{Records, StreamId};
    use store::op::NamespaceId;

    const REQUEST: Publisher<'_> = Publisher::Request(Request {
        principal: "Ann",
        key: "k",
        item: Some(0),
        ends_at_ms: 1_800_000_000_000,
    });

    fn publication(qos: QoS, retain: bool) -> Publication {
        let properties = [0x02, 0, 0, 0, 60, 0x26, 0, 1, b'k', 0, 1, b'v'];
        let message = mqtt::message::Message::new("a/ü", &properties, b"hello", qos, retain);
        Publication { deadline_ms: 77, ..Publication::new(message) }
    }

    #[test]
    fn a_publication_comes_back() {
        let before = publication(QoS::ExactlyOnce, true);
        let exchange = Publisher::Exchange(SessionId(300), PacketId::new(9).unwrap());
        for publisher in [Publisher::Passing, Publisher::Session(SessionId(1)), exchange, REQUEST] {
            let mut bytes = Vec::new();
            Message::of(&before, publisher).encode(&mut bytes);
            let read = Message::decode(&mut Reader::new(&bytes)).unwrap();
            assert_eq!(read.publisher, publisher);
            let after = read.to_publication();
            assert_eq!(after.message, before.message);
            assert_eq!(after.deadline_ms, before.deadline_ms);
        }
    }

    #[test]
    fn what_must_outlive_its_streams_is_held() {
        let exchange = Publisher::Exchange(SessionId(1), PacketId::FIRST);
        for (publisher, retain, wanted) in [
            (Publisher::Passing, false, Hold::No),
            (Publisher::Session(SessionId(1)), false, Hold::No),
            (Publisher::Passing, true, Hold::UntilReleased),
            (exchange, false, Hold::UntilReleased),
            (REQUEST, false, Hold::UntilReleased),
        ] {
            let publication = publication(QoS::ExactlyOnce, retain);
            assert_eq!(Message::of(&publication, publisher).hold(), wanted, "{publisher:?}");
        }
    }

    /// The figure: at most 1.5 x (topic + payload) of a message of 256 bytes, head included.
    #[test]
    fn a_record_is_little_more_than_its_message() {
        let message =
            mqtt::message::Message::new(&"t".repeat(24), &[], &[0; 232], QoS::ExactlyOnce, false);
        let publication =
            Publication { deadline_ms: 1_800_000_000_000, ..Publication::new(message) };
        let session = SessionId(10_000_000);
        for (publisher, streams, bytes) in [
            (Publisher::Passing, 1, 256 + 24 + 4 + 9),
            (Publisher::Exchange(session, PacketId::new(60_000).unwrap()), 4, 256 + 24 + 16 + 16),
        ] {
            let message = Message::of(&publication, publisher);
            let mut records = Records::default();
            let mut head = Vec::new();
            message.encode_head(&mut head);
            let [topic, properties, payload] = message.parts();
            let streams = vec![StreamId(0); streams];
            let parts = [&head[..], topic, properties, payload];
            records.push(Message::KIND, message.hold(), NamespaceId(0), &streams, &parts);
            assert_eq!(records.bytes(), bytes);
            assert!(records.bytes() * 2 <= 256 * 3);
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let plain = [VERSION, 1, 1, b't', b'x'];
        assert!(Message::decode(&mut Reader::new(&plain)).is_ok());
        for (what, bytes) in [
            ("an unused flag", &[VERSION, 1 | UNUSED, 1, b't'][..]),
            ("QoS 3", &[VERSION, 3, 1, b't']),
            ("a deadline that is none", &[VERSION, 1 | DEADLINE, 0, 1, b't']),
            ("no properties", &[VERSION, 1 | PROPERTIES, 1, 0, b't']),
            ("broken properties", &[VERSION, 1 | PROPERTIES, 1, 1, b't', 0x7F]),
            ("a topic alias", &[VERSION, 1 | PROPERTIES, 1, 3, b't', 0x23, 0, 1]),
            ("a subscription identifier", &[VERSION, 1 | PROPERTIES, 1, 2, b't', 0x0B, 1]),
            ("an empty topic", &[VERSION, 1, 0]),
            ("a wildcard", &[VERSION, 1, 1, b'#']),
            ("a topic beyond the end", &[VERSION, 1, 9, b't']),
            ("no UTF-8", &[VERSION, 1, 1, 0xFF]),
            ("an exchange of QoS 1", &[VERSION, 1 | 2 << PUBLISHER_AT, 1, 7, 1, b't']),
        ] {
            assert!(Message::decode(&mut Reader::new(bytes)).is_err(), "{what}");
        }
    }
}
