//! A QoS 2 exchange passes PUBREL, in either direction.

use super::reader::{Fault, Reader};
use super::session_id::SessionId;
use super::writer::Writer;
use mqtt::packet_id::PacketId;
use store::log::Kind;

/// The message is the receiver's: it is not sent again (MQTT 5, 4.3.3-5 and 4.3.3-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// Whose exchange it is.
    pub session: SessionId,
    /// Its identifier.
    pub packet_id: PacketId,
    /// Who sent the message; each direction has a kind of its own.
    pub direction: Direction,
}

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the client. Its PUBREC came: PUBREL goes out once this is a fact (core.md 2).
    Outbound,
    /// From the client. Its PUBREL came: PUBCOMP goes out once this is a fact (core.md 2), and the
    /// identifier is free for another message. Written only of an identifier that is held: a
    /// PUBLISH that nobody needed kept left none.
    Inbound,
}

impl Released {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.byte(VERSION);
        w.session(self.session);
        w.packet_id(self.packet_id);
    }

    pub(super) fn decode(r: &mut Reader<'_>, direction: Direction) -> Result<Self, Fault> {
        r.version(VERSION)?;
        Ok(Self { session: r.session()?, packet_id: r.packet_id()?, direction })
    }

    pub(super) fn kind(&self) -> Kind {
        match self.direction {
            Direction::Outbound => Self::OUTBOUND,
            Direction::Inbound => Self::INBOUND,
        }
    }

    pub(super) const OUTBOUND: Kind = Kind(6);
    pub(super) const INBOUND: Kind = Kind(8);
}

const VERSION: u8 = 1;
