//! What the peer did wrong, and what we cannot put on the wire. It refuses to know how a server
//! answers: the reason is there to be sent, the clause to be logged.

use std::fmt;

use crate::reason::Reason;

/// A violation by the peer. The reason is the one to put in CONNACK or DISCONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Reason code for the answer.
    pub reason: Reason,
    /// The statement that was violated, such as `MQTT 5, 3.8.3-5`.
    pub clause: &'static str,
    /// What was seen, for people.
    pub what: &'static str,
}

impl Wrong {
    /// 0x81: the bytes cannot be parsed (MQTT 5, 4.13.1).
    #[cold]
    pub const fn malformed(clause: &'static str, what: &'static str) -> Self {
        Self::new(Reason::MALFORMED_PACKET, clause, what)
    }

    /// 0x82: they can be parsed, but not here or not with this value (MQTT 5, 4.13.1).
    #[cold]
    pub const fn protocol(clause: &'static str, what: &'static str) -> Self {
        Self::new(Reason::PROTOCOL_ERROR, clause, what)
    }

    /// 0x84: a protocol name or level that we do not speak.
    #[cold]
    pub const fn version(clause: &'static str, what: &'static str) -> Self {
        Self::new(Reason::UNSUPPORTED_PROTOCOL_VERSION, clause, what)
    }

    /// 0x94: topic alias zero or above the maximum.
    #[cold]
    pub const fn alias(clause: &'static str, what: &'static str) -> Self {
        Self::new(Reason::TOPIC_ALIAS_INVALID, clause, what)
    }

    /// 0x95: more bytes than allowed.
    #[cold]
    pub const fn too_large(clause: &'static str, what: &'static str) -> Self {
        Self::new(Reason::PACKET_TOO_LARGE, clause, what)
    }

    /// Any other reason.
    #[cold]
    pub const fn new(reason: Reason, clause: &'static str, what: &'static str) -> Self {
        Self { reason, clause, what }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.reason.name(), self.what, self.clause)
    }
}

impl std::error::Error for Wrong {}

/// A packet of ours does not fit: the peer's Maximum Packet Size, a string over 65,535 bytes or a
/// packet over the protocol's own maximum. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the packet is larger than its receiver or the protocol allows")
    }
}

impl std::error::Error for TooLarge {}
