//! SUBSCRIBE (MQTT 5, 3.8). A filter that is a proper string but no proper filter is not an error
//! of the packet: the server answers 0x8F for it alone. It refuses to know who may subscribe.

use crate::error::{TooLarge, Wrong};
use crate::limits::SUBSCRIPTION_ID_MAX;
use crate::packet_id::PacketId;
use crate::qos::QoS;
use crate::topic::{TopicError, TopicFilter};
use crate::wire::property::{Properties, Property};
use crate::wire::property_table::Place;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;
use crate::wire::{self, Version};

/// A request for one or more subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// Comes back in SUBACK.
    pub packet_id: PacketId,
    /// Subscription Identifier, 1 to 268,435,455.
    pub subscription_id: Option<u32>,
    /// All properties. When encoding, `subscription_id` holds and its like in here is passed over.
    pub properties: Properties<'a>,
    /// At least one filter with options.
    pub filters: Filters<'a>,
}

impl<'a> Subscribe<'a> {
    /// Decodes a body. Every string and option byte is checked here.
    pub fn decode(body: &'a [u8], version: Version) -> Result<Self, Wrong> {
        let mut r = Reader::new(body);
        let packet_id = r.packet_id()?;
        let mut subscription_id = None;
        let properties = match version {
            Version::V311 => Properties::EMPTY,
            Version::V5 => {
                Properties::parse_with(r.block()?, Place::Subscribe, |_, property| {
                    if let Property::SubscriptionId(id) = property {
                        subscription_id = Some(id);
                    }
                })?
                .0
            }
        };
        let filters = Filters::parse(r.rest, version)?;
        Ok(Self { packet_id, subscription_id, properties, filters })
    }

    /// Appends the packet. `Err`, and nothing written, if the subscription identifier is out of
    /// range.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        if self.subscription_id.is_some_and(|id| id > SUBSCRIPTION_ID_MAX) {
            return Err(TooLarge);
        }
        let mut w = Writer::begin(out, wire::SUBSCRIBE << 4 | 2);
        w.u16(self.packet_id.get());
        if version == Version::V5 {
            let open = w.open();
            w.property_opt(self.subscription_id.map(Property::SubscriptionId));
            self.properties
                .write_if(w.out, |property| !matches!(property, Property::SubscriptionId(_)));
            w.close(open);
        }
        for requested in self.filters.iter() {
            w.string(requested.text);
            w.u8(requested.options.bits(version));
        }
        w.finish()
    }
}

/// The payload of a SUBSCRIBE: filters with options, validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filters<'a> {
    raw: &'a [u8],
    count: usize,
}

impl<'a> Filters<'a> {
    /// Checks a payload: at least one filter (3.8.3-2), proper strings and options.
    pub fn parse(raw: &'a [u8], version: Version) -> Result<Self, Wrong> {
        let mut r = Reader::new(raw);
        let mut count = 0;
        while !r.rest.is_empty() {
            let text = r.string()?;
            if text.is_empty() && version == Version::V311 {
                return Err(EMPTY_V311);
            }
            let options = SubscribeOptions::from_bits(r.u8()?, version)?;
            if options.no_local && text.starts_with("$share/") {
                return Err(NO_LOCAL_SHARED);
            }
            count += 1;
        }
        if count == 0 { Err(NO_FILTERS) } else { Ok(Self { raw, count }) }
    }

    /// Appends one filter with its options to a payload under construction, to be given to
    /// `parse`. `Err`, and nothing appended, if it is over 65,535 bytes.
    pub fn push(
        raw: &mut Vec<u8>,
        filter: &str,
        options: SubscribeOptions,
        version: Version,
    ) -> Result<(), TooLarge> {
        let len = u16::try_from(filter.len()).map_err(|_| TooLarge)?;
        raw.extend_from_slice(&len.to_be_bytes());
        raw.extend_from_slice(filter.as_bytes());
        raw.push(options.bits(version));
        Ok(())
    }

    /// How many, at least one.
    #[inline]
    pub fn count(self) -> usize {
        self.count
    }

    /// In the order of the packet.
    pub fn iter(self) -> impl Iterator<Item = Requested<'a>> {
        let mut r = Reader::new(self.raw);
        std::iter::from_fn(move || {
            let text = r.string().ok()?;
            // The byte was checked by `parse`; the options of 3.1.1 are a subset of those of 5.
            let options = SubscribeOptions::from_bits(r.u8().ok()?, Version::V5).ok()?;
            Some(Requested { text, filter: TopicFilter::parse(text), options })
        })
    }
}

/// One filter of a SUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requested<'a> {
    /// As sent.
    pub text: &'a str,
    /// The filter, `$share/...` included, or what is wrong with it: answer 0x8F.
    pub filter: Result<TopicFilter<'a>, TopicError>,
    /// How to deliver.
    pub options: SubscribeOptions,
}

/// How messages of a subscription are delivered (MQTT 5, 3.8.3.1). 3.1.1 has only the level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SubscribeOptions {
    /// Highest level to deliver with.
    pub qos: QoS,
    /// Not what this client published itself.
    pub no_local: bool,
    /// Keep the RETAIN flag as published.
    pub retain_as_published: bool,
    /// Whether retained messages are sent on subscribing.
    pub retain_handling: RetainHandling,
}

impl SubscribeOptions {
    /// The option byte; 0x81 for reserved bits, 0x82 for values that are not defined.
    pub fn from_bits(byte: u8, version: Version) -> Result<Self, Wrong> {
        if version == Version::V311 && byte & 0xFC != 0 {
            return Err(RESERVED_V311);
        }
        if byte & 0xC0 != 0 {
            return Err(RESERVED);
        }
        let qos = match (QoS::from_bits(byte & 3), version) {
            (Some(qos), _) => qos,
            (None, Version::V311) => return Err(QOS_3_V311),
            (None, Version::V5) => return Err(QOS_3),
        };
        let retain_handling = match byte >> 4 & 3 {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::Never,
            _ => return Err(RETAIN_HANDLING),
        };
        Ok(Self {
            qos,
            no_local: byte & 0x04 != 0,
            retain_as_published: byte & 0x08 != 0,
            retain_handling,
        })
    }

    /// The option byte; 3.1.1 carries only the level.
    pub const fn bits(self, version: Version) -> u8 {
        match version {
            Version::V311 => self.qos.bits(),
            Version::V5 => {
                self.qos.bits()
                    | (self.no_local as u8) << 2
                    | (self.retain_as_published as u8) << 3
                    | (self.retain_handling as u8) << 4
            }
        }
    }
}

/// Retain Handling (MQTT 5, 3.8.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RetainHandling {
    /// Send matching retained messages.
    #[default]
    Send = 0,
    /// Only if the subscription did not exist.
    SendIfNew = 1,
    /// Never.
    Never = 2,
}

const NO_FILTERS: Wrong = Wrong::protocol("MQTT 5, 3.8.3-2", "no topic filter");
const EMPTY_V311: Wrong = Wrong::protocol("MQTT 3.1.1, 4.7.3-1", "topic filter is empty");
const NO_LOCAL_SHARED: Wrong =
    Wrong::protocol("MQTT 5, 3.8.3-4", "no local on a shared subscription");
const RESERVED: Wrong =
    Wrong::malformed("MQTT 5, 3.8.3-5", "reserved subscription option bits are not 0");
const RESERVED_V311: Wrong =
    Wrong::malformed("MQTT 3.1.1, 3.8.3-4", "reserved bits of the requested QoS are not 0");
const QOS_3: Wrong = Wrong::protocol("MQTT 5, 3.8.3.1", "maximum QoS is 3");
const QOS_3_V311: Wrong = Wrong::malformed("MQTT 3.1.1, 3.8.3-4", "requested QoS is 3");
const RETAIN_HANDLING: Wrong = Wrong::protocol("MQTT 5, 3.8.3.1", "retain handling is 3");
