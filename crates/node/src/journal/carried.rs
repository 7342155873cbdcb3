//! A message that is carried forward: written again behind others, so that the log need not keep
//! everything since it came for its sake. Refuses to know when that is.
//!
//! ```text
//! u8      version
//! u8      QoS (bits 0, 1), RETAIN (2), a deadline (3), properties (4), for a stream (5)
//! number  session, if it is for one
//! number  packet identifier, likewise
//! list    of numbers: subscription identifiers, likewise
//! moment  deadline, if there is one
//! number  bytes of the topic
//! number  bytes of the properties, if there are any
//!         topic, properties, and the payload to the end
//! ```

use super::content::Content;
use super::reader::{Fault, Reader};
use super::session_id::SessionId;
use super::writer::Writer;
use broker::publication::{NEVER, Publication};
use mqtt::packet_id::PacketId;
use store::log::{Hold, Kind};

/// A message that is somebody's already and stays so: this record takes the place of the one
/// before once a [`Progress`](super::Progress) or a [`GroupProgress`](super::GroupProgress) names
/// it, and means nothing to a session until then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried<'a> {
    /// What was published; for a session, RETAIN is as it gets it.
    pub content: Content<'a>,
    /// As of a [`Message`](super::Message).
    pub deadline_ms: u64,
    /// For whom.
    pub whose: CarriedFor,
}

/// Whose message it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CarriedFor {
    /// An exchange of this session.
    Session {
        /// Which one.
        session: SessionId,
        /// The identifier of its exchange.
        packet_id: PacketId,
        /// The subscription identifiers that go with it (MQTT 5, 3.3.2.3.8).
        ids: Vec<u32>,
    },
    /// The shared group in whose stream the record lies.
    Stream,
}

impl<'a> Carried<'a> {
    /// The publication as it was, watched by nobody and not charged; copies once.
    pub fn to_publication(&self) -> Publication {
        Publication { deadline_ms: self.deadline_ms, ..Publication::new(self.content.to_message()) }
    }

    /// One of a session is held until a progress names it no more, one of a stream is needed as
    /// the stream is.
    pub fn hold(&self) -> Hold {
        match self.whose {
            CarriedFor::Session { .. } => Hold::UntilReleased,
            CarriedFor::Stream => Hold::No,
        }
    }

    /// The session, if it is for one.
    pub fn session(&self) -> Option<SessionId> {
        match self.whose {
            CarriedFor::Session { session, .. } => Some(session),
            CarriedFor::Stream => None,
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let Content { topic, properties, payload, .. } = self.content;
        let mut w = Writer(out);
        w.byte(VERSION);
        let mut flags = self.content.flags();
        if self.deadline_ms != NEVER {
            flags |= DEADLINE;
        }
        if !properties.is_empty() {
            flags |= PROPERTIES;
        }
        if self.whose == CarriedFor::Stream {
            flags |= STREAM;
        }
        w.byte(flags);
        match &self.whose {
            CarriedFor::Session { session, packet_id, ids } => {
                w.session(*session);
                w.packet_id(*packet_id);
                w.number(ids.len() as u64);
                ids.iter().for_each(|id| w.number(u64::from(*id)));
            }
            CarriedFor::Stream => {}
        }
        if self.deadline_ms != NEVER {
            w.moment(self.deadline_ms);
        }
        w.number(topic.len() as u64);
        if !properties.is_empty() {
            w.number(properties.len() as u64);
        }
        w.raw(topic.as_bytes());
        w.raw(properties);
        w.raw(payload);
    }

    pub(super) fn decode(r: &mut Reader<'a>) -> Result<Self, Fault> {
        r.version(VERSION)?;
        let flags = r.flags(KNOWN)?;
        let whose = match flags & STREAM {
            0 => CarriedFor::Session {
                session: r.session()?,
                packet_id: r.packet_id()?,
                ids: r.list(1, Reader::number_u32)?,
            },
            _ => CarriedFor::Stream,
        };
        let deadline_ms = if flags & DEADLINE == 0 { NEVER } else { r.moment()? };
        let topic_len = r.number()?;
        let properties_len = if flags & PROPERTIES == 0 { 0 } else { r.number()? };
        let (topic, properties) = (r.take(topic_len)?, r.take(properties_len)?);
        let content = Content::parse(flags, topic, properties, r.rest())?;
        let said_and_missing = (flags & DEADLINE != 0 && deadline_ms == NEVER)
            || (flags & PROPERTIES != 0 && properties.is_empty());
        if said_and_missing {
            return Err(Fault::Malformed("flags that contradict what follows"));
        }
        Ok(Self { content, deadline_ms, whose })
    }

    pub(super) const KIND: Kind = Kind(15);
}

const VERSION: u8 = 1;
const DEADLINE: u8 = 1 << 3;
const PROPERTIES: u8 = 1 << 4;
const STREAM: u8 = 1 << 5;
/// QoS and RETAIN, and these.
const KNOWN: u8 = 0b111 | DEADLINE | PROPERTIES | STREAM;

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt::qos::QoS;

    #[test]
    fn a_publication_comes_back_with_what_goes_with_it() {
        let properties = [0x02, 0, 0, 0, 60, 0x26, 0, 1, b'k', 0, 1, b'v'];
        let session = CarriedFor::Session {
            session: SessionId(300),
            packet_id: PacketId::new(9).unwrap(),
            ids: vec![1, 268_435_455],
        };
        for (whose, hold) in [(session, Hold::UntilReleased), (CarriedFor::Stream, Hold::No)] {
            for (deadline_ms, retain) in [(77, true), (NEVER, false)] {
                let qos = QoS::ExactlyOnce;
                let before = mqtt::message::Message::new("a/ü", &properties, b"x", qos, retain);
                let content = Content::of(&before);
                let carried = Carried { content, deadline_ms, whose: whose.clone() };
                let mut bytes = Vec::new();
                carried.encode(&mut bytes);
                let read = Carried::decode(&mut Reader::new(&bytes)).unwrap();
                assert_eq!((&read, read.hold()), (&carried, hold));
                let after = read.to_publication();
                assert_eq!((after.message, after.deadline_ms), (before, deadline_ms));
            }
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let plain = [VERSION, STREAM | 1, 1, b't', b'x'];
        assert!(Carried::decode(&mut Reader::new(&plain)).is_ok());
        for (what, bytes) in [
            ("an unused flag", &[VERSION, STREAM | 1 | 1 << 6, 1, b't'][..]),
            ("a deadline that is none", &[VERSION, STREAM | 1 | DEADLINE, 0, 1, b't']),
            ("no properties", &[VERSION, STREAM | 1 | PROPERTIES, 1, 0, b't']),
            ("a wildcard", &[VERSION, STREAM | 1, 1, b'#']),
            ("identifier 0", &[VERSION, 1, 7, 0, 0, 1, b't']),
            ("more identifiers than bytes", &[VERSION, 1, 7, 1, 99, 1, b't']),
        ] {
            assert!(Carried::decode(&mut Reader::new(bytes)).is_err(), "{what}");
        }
    }
}
