//! An exchange passes on: the receiver has the message.

use super::reader::{Fault, Reader};
use super::session_id::SessionId;
use super::writer::Writer;
use mqtt::packet_id::PacketId;
use store::log::Kind;

/// PUBREC came: PUBREL goes out once this is a fact (core.md 2). The message is the receiver's and
/// not sent again (MQTT 5, 4.3.3-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// Whose exchange it is.
    pub session: SessionId,
    /// Its identifier.
    pub packet_id: PacketId,
}

impl Released {
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

    pub(super) const KIND: Kind = Kind(6);
}

const VERSION: u8 = 1;
