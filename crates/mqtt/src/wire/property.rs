//! Properties: their 27 kinds with typed values, and a validated block of them. It refuses to
//! know which packet may carry which: that is `property_table`.

use crate::error::Wrong;
use crate::wire::property_table::{self, Place, Seen};
use crate::wire::reader::Reader;
use crate::wire::varint;

/// One property with its value (MQTT 5, 2.2.2.2). Times are in seconds, sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub enum Property<'a> {
    /// 0x01: 0 bytes, 1 UTF-8.
    PayloadFormat(u8),
    /// 0x02: seconds.
    MessageExpiry(u32),
    /// 0x03
    ContentType(&'a str),
    /// 0x08
    ResponseTopic(&'a str),
    /// 0x09
    CorrelationData(&'a [u8]),
    /// 0x0B: 1 to 268,435,455.
    SubscriptionId(u32),
    /// 0x11: seconds; `u32::MAX` means never.
    SessionExpiry(u32),
    /// 0x12
    AssignedClientId(&'a str),
    /// 0x13: seconds.
    ServerKeepAlive(u16),
    /// 0x15
    AuthenticationMethod(&'a str),
    /// 0x16
    AuthenticationData(&'a [u8]),
    /// 0x17
    RequestProblemInformation(bool),
    /// 0x18: seconds.
    WillDelay(u32),
    /// 0x19
    RequestResponseInformation(bool),
    /// 0x1A
    ResponseInformation(&'a str),
    /// 0x1C
    ServerReference(&'a str),
    /// 0x1F
    ReasonString(&'a str),
    /// 0x21: never zero.
    ReceiveMax(u16),
    /// 0x22
    TopicAliasMax(u16),
    /// 0x23: never zero.
    TopicAlias(u16),
    /// 0x24: 0 or 1.
    MaximumQoS(u8),
    /// 0x25
    RetainAvailable(bool),
    /// 0x26: name and value.
    User(&'a str, &'a str),
    /// 0x27: bytes, never zero.
    PacketMax(u32),
    /// 0x28
    WildcardSubscriptionAvailable(bool),
    /// 0x29
    SubscriptionIdAvailable(bool),
    /// 0x2A
    SharedSubscriptionAvailable(bool),
}

impl<'a> Property<'a> {
    /// The identifier on the wire.
    #[rustfmt::skip]
    pub const fn id(&self) -> u8 {
        match self {
            Self::PayloadFormat(_) => 0x01,
            Self::MessageExpiry(_) => 0x02,
            Self::ContentType(_) => 0x03,
            Self::ResponseTopic(_) => 0x08,
            Self::CorrelationData(_) => 0x09,
            Self::SubscriptionId(_) => 0x0B,
            Self::SessionExpiry(_) => 0x11,
            Self::AssignedClientId(_) => 0x12,
            Self::ServerKeepAlive(_) => 0x13,
            Self::AuthenticationMethod(_) => 0x15,
            Self::AuthenticationData(_) => 0x16,
            Self::RequestProblemInformation(_) => 0x17,
            Self::WillDelay(_) => 0x18,
            Self::RequestResponseInformation(_) => 0x19,
            Self::ResponseInformation(_) => 0x1A,
            Self::ServerReference(_) => 0x1C,
            Self::ReasonString(_) => 0x1F,
            Self::ReceiveMax(_) => 0x21,
            Self::TopicAliasMax(_) => 0x22,
            Self::TopicAlias(_) => 0x23,
            Self::MaximumQoS(_) => 0x24,
            Self::RetainAvailable(_) => 0x25,
            Self::User(..) => 0x26,
            Self::PacketMax(_) => 0x27,
            Self::WildcardSubscriptionAvailable(_) => 0x28,
            Self::SubscriptionIdAvailable(_) => 0x29,
            Self::SharedSubscriptionAvailable(_) => 0x2A,
        }
    }

    /// Reads one; values are checked as far as their type goes (a flag is 0 or 1).
    #[rustfmt::skip]
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Wrong> {
        Ok(match r.u8()? {
            0x01 => Self::PayloadFormat(r.u8()?),
            0x02 => Self::MessageExpiry(r.u32()?),
            0x03 => Self::ContentType(r.string()?),
            0x08 => Self::ResponseTopic(r.string()?),
            0x09 => Self::CorrelationData(r.binary()?),
            0x0B => Self::SubscriptionId(r.varint()?),
            0x11 => Self::SessionExpiry(r.u32()?),
            0x12 => Self::AssignedClientId(r.string()?),
            0x13 => Self::ServerKeepAlive(r.u16()?),
            0x15 => Self::AuthenticationMethod(r.string()?),
            0x16 => Self::AuthenticationData(r.binary()?),
            0x17 => Self::RequestProblemInformation(flag(r)?),
            0x18 => Self::WillDelay(r.u32()?),
            0x19 => Self::RequestResponseInformation(flag(r)?),
            0x1A => Self::ResponseInformation(r.string()?),
            0x1C => Self::ServerReference(r.string()?),
            0x1F => Self::ReasonString(r.string()?),
            0x21 => Self::ReceiveMax(r.u16()?),
            0x22 => Self::TopicAliasMax(r.u16()?),
            0x23 => Self::TopicAlias(r.u16()?),
            0x24 => Self::MaximumQoS(r.u8()?),
            0x25 => Self::RetainAvailable(flag(r)?),
            0x26 => Self::User(r.string()?, r.string()?),
            0x27 => Self::PacketMax(r.u32()?),
            0x28 => Self::WildcardSubscriptionAvailable(flag(r)?),
            0x29 => Self::SubscriptionIdAvailable(flag(r)?),
            0x2A => Self::SharedSubscriptionAvailable(flag(r)?),
            _ => return Err(UNKNOWN),
        })
    }

    /// Appends identifier and value. Strings and binary data over 65,535 bytes cannot be carried:
    /// `Err`, and nothing is appended.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), crate::error::TooLarge> {
        let start = out.len();
        out.push(self.id());
        let done = match *self {
            Self::PayloadFormat(v) | Self::MaximumQoS(v) => put(out, &[v]),
            Self::MessageExpiry(v)
            | Self::SessionExpiry(v)
            | Self::WillDelay(v)
            | Self::PacketMax(v) => put(out, &v.to_be_bytes()),
            Self::ServerKeepAlive(v)
            | Self::ReceiveMax(v)
            | Self::TopicAliasMax(v)
            | Self::TopicAlias(v) => put(out, &v.to_be_bytes()),
            Self::SubscriptionId(v) => put(out, &varint::bytes(v)[..varint::size(v)]),
            Self::RequestProblemInformation(v)
            | Self::RequestResponseInformation(v)
            | Self::RetainAvailable(v)
            | Self::WildcardSubscriptionAvailable(v)
            | Self::SubscriptionIdAvailable(v)
            | Self::SharedSubscriptionAvailable(v) => put(out, &[u8::from(v)]),
            Self::ContentType(v)
            | Self::ResponseTopic(v)
            | Self::AssignedClientId(v)
            | Self::AuthenticationMethod(v)
            | Self::ResponseInformation(v)
            | Self::ServerReference(v)
            | Self::ReasonString(v) => put_long(out, v.as_bytes()),
            Self::CorrelationData(v) | Self::AuthenticationData(v) => put_long(out, v),
            Self::User(name, value) => {
                put_long(out, name.as_bytes()) && put_long(out, value.as_bytes())
            }
        };
        if !done {
            out.truncate(start);
            return Err(crate::error::TooLarge);
        }
        Ok(())
    }
}

/// A validated block of properties, without its length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties<'a>(&'a [u8]);

impl<'a> Properties<'a> {
    /// No properties.
    pub const EMPTY: Self = Self(&[]);

    /// Validates a raw block for one kind of packet (MQTT 5, table 2-4 and the value ranges).
    pub fn parse(raw: &'a [u8], place: Place) -> Result<Self, Wrong> {
        Self::parse_with(raw, place, |_, _| {}).map(|(properties, _)| properties)
    }

    /// Validates in one pass and shows each property to `each`, with its offset in the block.
    #[inline]
    pub(crate) fn parse_with(
        raw: &'a [u8],
        place: Place,
        mut each: impl FnMut(usize, Property<'a>),
    ) -> Result<(Self, Seen), Wrong> {
        let mut seen = Seen::default();
        let mut reader = Reader::new(raw);
        while !reader.rest.is_empty() {
            let at = raw.len() - reader.rest.len();
            let property = Property::read(&mut reader)?;
            property_table::admit(&property, place, &mut seen)?;
            each(at, property);
        }
        Ok((Self(raw), seen))
    }

    /// A block that was validated before, such as one of a `Message` or one of our own making. A
    /// wrong one is not dangerous: iteration ends at the first property that cannot be read.
    #[inline]
    pub fn trusted(raw: &'a [u8]) -> Self {
        Self(raw)
    }

    /// The bytes, without the length before them.
    #[inline]
    pub fn raw(self) -> &'a [u8] {
        self.0
    }

    /// True without any property.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// All properties in their order.
    pub fn iter(self) -> impl Iterator<Item = Property<'a>> {
        self.spans().map(|(_, property)| property)
    }

    /// User properties, name and value, in their order.
    pub fn user(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.iter().filter_map(|property| match property {
            Property::User(name, value) => Some((name, value)),
            _ => None,
        })
    }

    /// Subscription identifiers in their order.
    pub fn subscription_ids(self) -> impl Iterator<Item = u32> {
        self.iter().filter_map(|property| match property {
            Property::SubscriptionId(id) => Some(id),
            _ => None,
        })
    }

    /// Reason String.
    pub fn reason_string(self) -> Option<&'a str> {
        self.iter().find_map(|property| match property {
            Property::ReasonString(text) => Some(text),
            _ => None,
        })
    }

    /// Content Type.
    pub fn content_type(self) -> Option<&'a str> {
        self.iter().find_map(|property| match property {
            Property::ContentType(text) => Some(text),
            _ => None,
        })
    }

    /// Response Topic.
    pub fn response_topic(self) -> Option<&'a str> {
        self.iter().find_map(|property| match property {
            Property::ResponseTopic(text) => Some(text),
            _ => None,
        })
    }

    /// Correlation Data.
    pub fn correlation_data(self) -> Option<&'a [u8]> {
        self.iter().find_map(|property| match property {
            Property::CorrelationData(bytes) => Some(bytes),
            _ => None,
        })
    }

    /// Payload Format Indicator.
    pub fn payload_format(self) -> Option<u8> {
        self.iter().find_map(|property| match property {
            Property::PayloadFormat(format) => Some(format),
            _ => None,
        })
    }

    /// Message Expiry Interval, seconds.
    pub fn expiry(self) -> Option<u32> {
        self.iter().find_map(|property| match property {
            Property::MessageExpiry(seconds) => Some(seconds),
            _ => None,
        })
    }

    /// Offset in `raw()` of the four bytes of the Message Expiry value.
    pub fn expiry_at(self) -> Option<usize> {
        let mut at = 0;
        for (span, property) in self.spans() {
            if matches!(property, Property::MessageExpiry(_)) {
                return Some(at + 1);
            }
            at += span.len();
        }
        None
    }

    /// Each property with its own bytes.
    pub(crate) fn spans(self) -> impl Iterator<Item = (&'a [u8], Property<'a>)> {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || {
            let before = reader.rest;
            let property = Property::read(&mut reader).ok()?;
            Some((&before[..before.len() - reader.rest.len()], property))
        })
    }

    /// True if nothing is left of the block under `keep`.
    pub(crate) fn is_empty_kept(self, keep: Keep) -> bool {
        match keep {
            Keep::All => self.is_empty(),
            _ => !self.iter().any(|property| keep.keeps(&property)),
        }
    }

    /// Appends the block without what `keep` leaves out.
    pub(crate) fn write_kept(self, keep: Keep, out: &mut Vec<u8>) {
        match keep {
            Keep::All => out.extend_from_slice(self.0),
            _ => self.write_if(out, |property| keep.keeps(property)),
        }
    }

    /// Appends the properties that `wanted` accepts, in their order.
    pub(crate) fn write_if(self, out: &mut Vec<u8>, wanted: impl Fn(&Property<'_>) -> bool) {
        for (span, property) in self.spans() {
            if wanted(&property) {
                out.extend_from_slice(span);
            }
        }
    }
}

/// What of a block is written, from all to the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Everything.
    All,
    /// Without user properties.
    NoUser,
    /// Without user properties and reason string.
    NoDiagnostics,
}

impl Keep {
    pub(crate) fn keeps(self, property: &Property<'_>) -> bool {
        match property {
            Property::User(..) => self == Self::All,
            Property::ReasonString(_) => self != Self::NoDiagnostics,
            _ => true,
        }
    }
}

fn flag(r: &mut Reader<'_>) -> Result<bool, Wrong> {
    match r.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Wrong::protocol("MQTT 5, 2.2.2.2", "a flag property is neither 0 nor 1")),
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    out.extend_from_slice(bytes);
    true
}

fn put_long(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let Ok(len) = u16::try_from(bytes.len()) else { return false };
    out.extend_from_slice(&len.to_be_bytes());
    put(out, bytes)
}

const UNKNOWN: Wrong = Wrong::malformed("MQTT 5, 2.2.2.2", "unknown property identifier");
