//! The end of an exchange in the other direction.

use super::reader::{Fault, Reader};
use super::session_id::SessionId;
use super::writer::Writer;
use mqtt::packet_id::PacketId;
use store::log::Kind;

/// PUBREL came: PUBCOMP goes out once this is a fact (core.md 2), and the identifier is free for
/// another message (MQTT 5, 4.3.3-11). Written only of an identifier that is held: a PUBLISH that
/// nobody needed kept left none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedReleased {
    /// Whose exchange it is.
    pub session: SessionId,
    /// Its identifier.
    pub packet_id: PacketId,
}

impl ReceivedReleased {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.byte(VERSION);
        w.session(self.session);
        w.packet_id(self.packet_id);
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        r.version(VERSION)?;
        Ok(Self { session: r.session()?, packet_id: r.packet_id()? })
    }

    pub(super) const KIND: Kind = Kind(8);
}

const VERSION: u8 = 1;
