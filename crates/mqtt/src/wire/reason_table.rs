//! Which reason code may stand in which packet (MQTT 5, table 2-6). It refuses to know when to
//! use one.

use crate::error::Wrong;
use crate::reason::Reason;
use crate::wire::ack::AckKind;

/// The packets with reason codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bearer {
    ConnAck,
    Ack(AckKind),
    SubAck,
    UnsubAck,
    Disconnect,
    Auth,
}

/// The reason for a code, if this packet may carry it; 0x82 otherwise.
#[inline]
pub(crate) fn listed(bearer: Bearer, code: u8) -> Result<Reason, Wrong> {
    if codes(bearer).contains(&code) {
        Ok(Reason(code))
    } else {
        Err(Wrong::protocol(clause(bearer), "reason code is not listed for this packet"))
    }
}

/// Asserts in builds with debug assertions that a reason code of ours may stand in this packet.
#[inline]
pub(crate) fn assert_listed(bearer: Bearer, code: u8) {
    debug_assert!(codes(bearer).contains(&code), "0x{code:02X} is not for {bearer:?}");
}

fn clause(bearer: Bearer) -> &'static str {
    match bearer {
        Bearer::ConnAck => "MQTT 5, 3.2.2-8",
        Bearer::Ack(AckKind::PubAck) => "MQTT 5, 3.4.2-1",
        Bearer::Ack(AckKind::PubRec) => "MQTT 5, 3.5.2-1",
        Bearer::Ack(AckKind::PubRel) => "MQTT 5, 3.6.2-1",
        Bearer::Ack(AckKind::PubComp) => "MQTT 5, 3.7.2-1",
        Bearer::SubAck => "MQTT 5, 3.9.3-2",
        Bearer::UnsubAck => "MQTT 5, 3.11.3-2",
        Bearer::Disconnect => "MQTT 5, 3.14.2-1",
        Bearer::Auth => "MQTT 5, 3.15.2-1",
    }
}

fn codes(bearer: Bearer) -> &'static [u8] {
    match bearer {
        Bearer::ConnAck => &[
            0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90,
            0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
        ],
        Bearer::Ack(AckKind::PubAck | AckKind::PubRec) => {
            &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
        }
        Bearer::Ack(AckKind::PubRel | AckKind::PubComp) => &[0x00, 0x92],
        Bearer::SubAck => &[0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2],
        Bearer::UnsubAck => &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91],
        // 0x8C stands in table 2-6, though not in 3.14.2.1.
        Bearer::Disconnect => &[
            0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90,
            0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0,
            0xA1, 0xA2,
        ],
        Bearer::Auth => &[0x00, 0x18, 0x19],
    }
}
