//! What a client has acknowledged for good, gathered.

use super::done::Done;
use super::reader::{Fault, Reader};
use super::session_id::SessionId;
use super::writer::Writer;
use mqtt::packet_id::PacketId;
use store::log::Kind;
use store::op::Sequence;

/// What has ended since the last such record: nobody waits for it, so one a second tells all. What
/// a crash takes of it is delivered again at QoS 1, and at QoS 2 repeats a PUBREL or a PUBLISH
/// with its identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completed {
    /// Whose.
    pub session: SessionId,
    /// The cursor as it is now, and what was done beyond it since: acknowledged, expired, dropped
    /// at a bound. Never a message that is still under way.
    pub done: Done,
    /// How many are to be dropped now; as in [`Progress`](super::Progress).
    pub dropped: u64,
    /// Exchanges at an end, by PUBCOMP or a refusing PUBREC.
    pub ended: Vec<Ended>,
}

/// An exchange that is over: named by its message too, as its identifier may be in use again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Its identifier.
    pub packet_id: PacketId,
    /// Its message.
    pub sequence: Sequence,
}

impl Completed {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.byte(VERSION);
        w.session(self.session);
        self.done.write(&mut w);
        w.number(self.dropped);
        w.number(self.ended.len() as u64);
        let mut before = self.done.cursor();
        for ended in &self.ended {
            w.packet_id(ended.packet_id);
            w.distance(ended.sequence, before);
            before = ended.sequence;
        }
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        r.version(VERSION)?;
        let (session, done, dropped) = (r.session()?, Done::read(r)?, r.number()?);
        let count = r.count(ENDED_BYTES_MIN)?;
        let mut ended = Vec::with_capacity(count);
        let mut before = done.cursor();
        for _ in 0..count {
            let one = Ended { packet_id: r.packet_id()?, sequence: r.distance(before)? };
            before = one.sequence;
            ended.push(one);
        }
        Ok(Self { session, done, dropped, ended })
    }

    pub(super) const KIND: Kind = Kind(7);
}

const VERSION: u8 = 1;
const ENDED_BYTES_MIN: usize = 2;
