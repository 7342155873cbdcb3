//! The wire format: frames, packets, and which packet is which. One file per packet. It refuses
//! to know sessions: it neither remembers nor answers anything.

use crate::error::{TooLarge, Wrong};

pub mod ack;
pub mod auth;
pub mod connack;
pub mod connect;
pub mod disconnect;
pub mod encoder;
pub mod forward;
pub mod property;
pub mod property_table;
pub mod publish;
mod reader;
mod reason_table;
pub mod suback;
pub mod subscribe;
pub mod unsuback;
pub mod unsubscribe;
mod varint;
pub mod will;
mod writer;

pub use ack::{Ack, AckKind, AckOut};
pub use auth::{Auth, AuthOut};
pub use connack::{ConnAck, ConnAckOut};
pub use connect::{Connect, ProtocolName};
pub use disconnect::{Disconnect, DisconnectOut};
pub use encoder::{PINGREQ, PINGRESP, PublishOut, ack};
pub use forward::{Forward, publish_forward};
pub use property::{Properties, Property};
pub use property_table::Place;
pub use publish::Publish;
pub use suback::{SubAck, SubAckOut};
pub use subscribe::{RetainHandling, Subscribe, SubscribeOptions};
pub use unsuback::{UnsubAck, UnsubAckOut};
pub use unsubscribe::Unsubscribe;
pub use will::Will;
pub use writer::Diagnostics;

/// The protocol versions we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// MQTT 3.1.1, protocol level 4.
    V311,
    /// MQTT 5.0, protocol level 5.
    V5,
}

/// One whole packet in the receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Type in the high half, flags in the low half.
    pub first: u8,
    /// Everything behind the fixed header.
    pub body: &'a [u8],
    /// Bytes of the whole packet, fixed header included.
    pub len: usize,
}

/// The first packet in `buf`; `None` while it is incomplete. A packet over `packet_max` bytes
/// (fixed header included) is refused with 0x95 as soon as its length is readable, a wrong type
/// or wrong flags with 0x81 (MQTT 5, 2.1.3-1) even before.
#[inline(always)]
pub fn frame(buf: &[u8], packet_max: usize) -> Result<Option<Frame<'_>>, Wrong> {
    let [first, short, ..] = *buf else { return first_alone(buf) };
    check_first(first)?;
    whole(first, short, buf, packet_max)
}

/// As [`frame`], for a client of MQTT 3.1: it may set DUP on a PUBREL, SUBSCRIBE or UNSUBSCRIBE
/// that it repeats (MQTT 3.1, 2.1). The flag is taken off.
#[cold]
pub fn frame_v31(buf: &[u8], packet_max: usize) -> Result<Option<Frame<'_>>, Wrong> {
    let [first, ref rest @ ..] = *buf else { return Ok(None) };
    let first = match first >> 4 {
        PUBREL | SUBSCRIBE | UNSUBSCRIBE => first & !DUP,
        _ => first,
    };
    check_first(first)?;
    match rest.first() {
        Some(&short) => whole(first, short, buf, packet_max),
        None => Ok(None),
    }
}

/// The packet that begins with `first` and, in its length, with `short`.
#[inline(always)]
fn whole(first: u8, short: u8, buf: &[u8], packet_max: usize) -> Result<Option<Frame<'_>>, Wrong> {
    let (header, remaining) = if short < 0x80 {
        (2, usize::from(short))
    } else {
        match long_remaining_length(buf)? {
            Some(lengths) => lengths,
            None => return Ok(None),
        }
    };
    let len = header + remaining;
    if len > packet_max {
        return Err(OVERSIZE);
    }
    Ok(buf.get(header..len).map(|body| Frame { first, body, len }))
}

/// What a frame holds. For CONNECT the version is read from the packet itself and `v` is ignored.
/// PUBLISH is decoded in place in the caller, the rest behind a call.
#[inline(always)]
pub fn decode(f: Frame<'_>, v: Version) -> Result<Packet<'_>, Wrong> {
    // A header of two bytes has the shortest Remaining Length there is.
    if f.len != f.body.len() + 2 {
        check_shortest(f, v)?;
    }
    if f.first >> 4 == PUBLISH {
        return Ok(Packet::Publish(Publish::decode(f.first, f.body, v)?));
    }
    decode_other(f.first >> 4, f.body, v)
}

#[inline(never)]
fn decode_other(kind: u8, body: &[u8], v: Version) -> Result<Packet<'_>, Wrong> {
    Ok(match kind {
        PUBACK => Packet::PubAck(Ack::decode(AckKind::PubAck, body, v)?),
        PUBREC => Packet::PubRec(Ack::decode(AckKind::PubRec, body, v)?),
        PUBREL => Packet::PubRel(Ack::decode(AckKind::PubRel, body, v)?),
        PUBCOMP => Packet::PubComp(Ack::decode(AckKind::PubComp, body, v)?),
        CONNECT => Packet::Connect(Connect::decode(body)?),
        CONNACK => Packet::ConnAck(ConnAck::decode(body, v)?),
        SUBSCRIBE => Packet::Subscribe(Subscribe::decode(body, v)?),
        SUBACK => Packet::SubAck(SubAck::decode(body, v)?),
        UNSUBSCRIBE => Packet::Unsubscribe(Unsubscribe::decode(body, v)?),
        UNSUBACK => Packet::UnsubAck(UnsubAck::decode(body, v)?),
        PINGREQ_TYPE => empty(body, Packet::PingReq)?,
        PINGRESP_TYPE => empty(body, Packet::PingResp)?,
        DISCONNECT => Packet::Disconnect(Disconnect::decode(body, v)?),
        AUTH => Packet::Auth(Auth::decode(body, v)?),
        _ => return Err(TYPE_RESERVED),
    })
}

/// A packet of either direction, borrowed from the receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is named after its packet")]
pub enum Packet<'a> {
    Connect(Connect<'a>),
    ConnAck(ConnAck<'a>),
    Publish(Publish<'a>),
    PubAck(Ack<'a>),
    PubRec(Ack<'a>),
    PubRel(Ack<'a>),
    PubComp(Ack<'a>),
    Subscribe(Subscribe<'a>),
    SubAck(SubAck<'a>),
    Unsubscribe(Unsubscribe<'a>),
    UnsubAck(UnsubAck<'a>),
    PingReq,
    PingResp,
    Disconnect(Disconnect<'a>),
    Auth(Auth<'a>),
}

impl Packet<'_> {
    /// The packet's name in the specification.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "CONNECT",
            Self::ConnAck(_) => "CONNACK",
            Self::Publish(_) => "PUBLISH",
            Self::PubAck(_) => "PUBACK",
            Self::PubRec(_) => "PUBREC",
            Self::PubRel(_) => "PUBREL",
            Self::PubComp(_) => "PUBCOMP",
            Self::Subscribe(_) => "SUBSCRIBE",
            Self::SubAck(_) => "SUBACK",
            Self::Unsubscribe(_) => "UNSUBSCRIBE",
            Self::UnsubAck(_) => "UNSUBACK",
            Self::PingReq => "PINGREQ",
            Self::PingResp => "PINGRESP",
            Self::Disconnect(_) => "DISCONNECT",
            Self::Auth(_) => "AUTH",
        }
    }

    /// Appends the packet. For CONNECT the version is its own field. `packet_max` bounds only the
    /// packets that can shed diagnostics; a packet that cannot be made to fit is not written.
    pub fn encode(&self, v: Version, packet_max: usize, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        match self {
            Self::Connect(p) => p.encode(out),
            Self::ConnAck(p) => p.encode(v, packet_max, out),
            Self::Publish(p) => p.encode(v, out),
            Self::PubAck(p) => p.encode(AckKind::PubAck, v, packet_max, out),
            Self::PubRec(p) => p.encode(AckKind::PubRec, v, packet_max, out),
            Self::PubRel(p) => p.encode(AckKind::PubRel, v, packet_max, out),
            Self::PubComp(p) => p.encode(AckKind::PubComp, v, packet_max, out),
            Self::Subscribe(p) => p.encode(v, out),
            Self::SubAck(p) => p.encode(v, packet_max, out),
            Self::Unsubscribe(p) => p.encode(v, out),
            Self::UnsubAck(p) => p.encode(v, packet_max, out),
            Self::PingReq => raw(out, PINGREQ),
            Self::PingResp => raw(out, PINGRESP),
            Self::Disconnect(p) => p.encode(v, packet_max, out),
            Self::Auth(p) => p.encode(packet_max, out),
        }
    }
}

fn raw(out: &mut Vec<u8>, bytes: [u8; 2]) -> Result<(), TooLarge> {
    out.extend_from_slice(&bytes);
    Ok(())
}

fn empty<'a>(body: &[u8], packet: Packet<'a>) -> Result<Packet<'a>, Wrong> {
    if body.is_empty() { Ok(packet) } else { Err(reader::BYTES_LEFT) }
}

/// Type 0 is reserved; every type but PUBLISH has fixed flags (MQTT 5, table 2-2).
#[inline(always)]
fn check_first(first: u8) -> Result<(), Wrong> {
    let kind = first >> 4;
    if kind == PUBLISH || (first & 0x0F == FLAGS[usize::from(kind)] && kind != 0) {
        Ok(())
    } else {
        Err(wrong_first(kind))
    }
}

#[cold]
fn wrong_first(kind: u8) -> Wrong {
    let clause = match kind {
        0 => return TYPE_RESERVED,
        PUBREL => "MQTT 5, 3.6.1-1",
        SUBSCRIBE => "MQTT 5, 3.8.1-1",
        UNSUBSCRIBE => "MQTT 5, 3.10.1-1",
        DISCONNECT => "MQTT 5, 3.14.1-1",
        AUTH => "MQTT 5, 3.15.1-1",
        _ => "MQTT 5, 2.1.3-1",
    };
    Wrong::malformed(clause, "reserved flags of the fixed header are wrong")
}

/// Header size and Remaining Length of two to four bytes; `None` while incomplete.
#[inline(never)]
fn long_remaining_length(buf: &[u8]) -> Result<Option<(usize, usize)>, Wrong> {
    match varint::read(&buf[1..]) {
        varint::Varint::Is { value, size } => Ok(Some((1 + size, value as usize))),
        varint::Varint::Incomplete => Ok(None),
        varint::Varint::TooLong => Err(reader::VARINT_TOO_LONG),
    }
}

/// A Remaining Length in its shortest form (1.5.5-1). MQTT 3.1.1 does not ask for it, and devices
/// exist that pad it.
#[inline(never)]
fn check_shortest(f: Frame<'_>, v: Version) -> Result<(), Wrong> {
    let remaining = f.body.len();
    if f.len == 1 + varint::size(remaining as u32) + remaining {
        return Ok(());
    }
    let level = if f.first >> 4 == CONNECT { Connect::peek_version(f.body) } else { None };
    match (v, level) {
        (_, Some(3 | 4)) | (Version::V311, None) => Ok(()),
        _ => Err(reader::VARINT_PADDED),
    }
}

/// The flags can be judged before the length is here.
#[cold]
fn first_alone(buf: &[u8]) -> Result<Option<Frame<'_>>, Wrong> {
    match buf.first() {
        Some(&first) => check_first(first).map(|()| None),
        None => Ok(None),
    }
}

pub(crate) const CONNECT: u8 = 1;
pub(crate) const CONNACK: u8 = 2;
pub(crate) const PUBLISH: u8 = 3;
pub(crate) const PUBACK: u8 = 4;
pub(crate) const PUBREC: u8 = 5;
pub(crate) const PUBREL: u8 = 6;
pub(crate) const PUBCOMP: u8 = 7;
pub(crate) const SUBSCRIBE: u8 = 8;
pub(crate) const SUBACK: u8 = 9;
pub(crate) const UNSUBSCRIBE: u8 = 10;
pub(crate) const UNSUBACK: u8 = 11;
const PINGREQ_TYPE: u8 = 12;
const PINGRESP_TYPE: u8 = 13;
pub(crate) const DISCONNECT: u8 = 14;
pub(crate) const AUTH: u8 = 15;

const DUP: u8 = 0x08;
const FLAGS: [u8; 16] = [0, 0, 0, 0, 0, 0, 2, 0, 2, 0, 2, 0, 0, 0, 0, 0];
const OVERSIZE: Wrong = Wrong::too_large("MQTT 5, 3.2.2-15", "packet is larger than allowed");
const TYPE_RESERVED: Wrong = Wrong::malformed("MQTT 5, 2.1.2", "packet type is reserved");
