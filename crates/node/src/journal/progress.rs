//! How far the delivery to a session has come, whole: the latest one wins, and nothing written
//! before it is needed.

use super::done::Done;
use super::reader::{Fault, Reader, packet_id};
use super::session_id::SessionId;
use super::writer::Writer;
use mqtt::packet_id::PacketId;
use mqtt::session::Exchange;
use store::log::{Kind, StreamId};
use store::op::Sequence;

/// A snapshot of one session's delivery. Once it is durable, all records of the session that tell
/// of its delivery and lie before it may be released, and so may the messages whose identifiers
/// it knows; it may be released when a later one is durable, or the session's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Whose.
    pub session: SessionId,
    /// What needs not be delivered any more.
    pub done: Done,
    /// How many of the oldest messages that wait in the log are dropped when they are read: the
    /// queue was full, and nobody had read them.
    pub dropped: u64,
    /// Exchanges that the client has not ended, in the order in which their PUBLISH went out.
    pub under_way: Vec<UnderWay>,
    /// Identifiers of QoS 2 that wait for the client's PUBREL, in the order of arrival.
    pub received: Vec<PacketId>,
    /// Messages of QoS 2 of shared groups, by their streams, that the client has had to the end
    /// lately: their groups, which may be on another reactor, may not have told yet.
    pub finished: Vec<(StreamId, Sequence)>,
}

/// One exchange with a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnderWay {
    /// The identifier it began with and goes on with (MQTT 5, 4.4.0-1).
    pub packet_id: PacketId,
    /// The message. It may lie before the cursor: a retained one does that was handed over.
    pub sequence: Sequence,
    /// Where it stands.
    pub exchange: Exchange,
    /// By what it came.
    pub via: Via,
}

/// By what a message comes to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A subscription of its own, or what was retained.
    Own,
    /// A shared group, which gives it to nobody else, by its stream: the same message may come by
    /// another group, or by the session's own subscription too.
    Group(StreamId),
}

impl Progress {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.byte(VERSION);
        w.session(self.session);
        self.done.write(&mut w);
        w.number(self.dropped);
        w.number(self.under_way.len() as u64);
        let mut before = self.done.cursor();
        for one in &self.under_way {
            let stands = match one.exchange {
                Exchange::Published1 => PUBLISHED_1,
                Exchange::Published2 => PUBLISHED_2,
                Exchange::Released => RELEASED,
            };
            let via = u64::from(one.via != Via::Own) << VIA_AT;
            w.number(u64::from(one.packet_id.get()) << EXCHANGE_BITS | via | stands);
            if let Via::Group(stream) = one.via {
                w.number(u64::from(stream.0));
            }
            w.distance(one.sequence, before);
            before = one.sequence;
        }
        w.number(self.received.len() as u64);
        for packet_id in &self.received {
            w.packet_id(*packet_id);
        }
        if self.finished.is_empty() {
            return;
        }
        w.number(self.finished.len() as u64);
        let mut before = self.done.cursor();
        for (stream, sequence) in &self.finished {
            w.number(u64::from(stream.0));
            w.distance(*sequence, before);
            before = *sequence;
        }
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        r.version(VERSION)?;
        let session = r.session()?;
        let (done, dropped) = (Done::read(r)?, r.number()?);
        let mut before = done.cursor();
        let under_way = r.list(UNDER_WAY_BYTES_MIN, |r| {
            let one = UnderWay::read(r, before)?;
            before = one.sequence;
            Ok(one)
        })?;
        let received = r.list(1, Reader::packet_id)?;
        let mut finished = Vec::new();
        if r.end().is_err() {
            let mut before = done.cursor();
            finished = r.list(FINISHED_BYTES_MIN, |r| {
                let stream = StreamId(r.number_u32()?);
                before = r.distance(before)?;
                Ok((stream, before))
            })?;
            if finished.is_empty() {
                return Err(Fault::EMPTY);
            }
        }
        Ok(Self { session, done, dropped, under_way, received, finished })
    }

    pub(super) const KIND: Kind = Kind(4);
}

impl Via {
    /// The stream of the group.
    pub fn stream(self) -> Option<StreamId> {
        match self {
            Self::Own => None,
            Self::Group(stream) => Some(stream),
        }
    }
}

impl UnderWay {
    fn read(r: &mut Reader<'_>, before: Sequence) -> Result<Self, Fault> {
        let head = r.number()?;
        let exchange = match head & ((1 << VIA_AT) - 1) {
            PUBLISHED_1 => Exchange::Published1,
            PUBLISHED_2 => Exchange::Published2,
            RELEASED => Exchange::Released,
            _ => return Err(Fault::Malformed("an exchange has no such state")),
        };
        let packet_id = packet_id(head >> EXCHANGE_BITS)?;
        let via = match head & 1 << VIA_AT {
            0 => Via::Own,
            _ => Via::Group(StreamId(r.number_u32()?)),
        };
        Ok(Self { packet_id, sequence: r.distance(before)?, exchange, via })
    }
}

const VERSION: u8 = 1;
const EXCHANGE_BITS: u32 = 3;
const VIA_AT: u32 = 2;
const PUBLISHED_1: u64 = 0;
const PUBLISHED_2: u64 = 1;
const RELEASED: u64 = 2;
const UNDER_WAY_BYTES_MIN: usize = 2;
const FINISHED_BYTES_MIN: usize = 2;
