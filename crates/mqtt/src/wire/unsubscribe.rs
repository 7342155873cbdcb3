//! UNSUBSCRIBE (MQTT 5, 3.10). It refuses to know which subscriptions exist.

use crate::error::{TooLarge, Wrong};
use crate::packet_id::PacketId;
use crate::topic::{TopicError, TopicFilter};
use crate::wire::property::{Keep, Properties};
use crate::wire::property_table::Place;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;
use crate::wire::{self, Version};

/// A request to end subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// Comes back in UNSUBACK.
    pub packet_id: PacketId,
    /// User properties.
    pub properties: Properties<'a>,
    /// At least one filter.
    pub filters: FilterList<'a>,
}

impl<'a> Unsubscribe<'a> {
    /// Decodes a body. Every string is checked here.
    pub fn decode(body: &'a [u8], version: Version) -> Result<Self, Wrong> {
        let mut r = Reader::new(body);
        let packet_id = r.packet_id()?;
        let properties = match version {
            Version::V311 => Properties::EMPTY,
            Version::V5 => Properties::parse(r.block()?, Place::Unsubscribe)?,
        };
        let filters = FilterList::parse(r.rest, version)?;
        Ok(Self { packet_id, properties, filters })
    }

    /// Appends the packet.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        let mut w = Writer::begin(out, wire::UNSUBSCRIBE << 4 | 2);
        w.u16(self.packet_id.get());
        if version == Version::V5 {
            w.properties(self.properties, Keep::All);
        }
        w.bytes(self.filters.raw);
        w.finish()
    }
}

/// The payload of an UNSUBSCRIBE, validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterList<'a> {
    raw: &'a [u8],
    count: usize,
}

impl<'a> FilterList<'a> {
    /// Checks a payload: at least one filter (3.10.3-2), proper strings.
    pub fn parse(raw: &'a [u8], version: Version) -> Result<Self, Wrong> {
        let mut r = Reader::new(raw);
        let mut count = 0;
        while !r.rest.is_empty() {
            if r.string()?.is_empty() && version == Version::V311 {
                return Err(EMPTY_V311);
            }
            count += 1;
        }
        if count == 0 { Err(NO_FILTERS) } else { Ok(Self { raw, count }) }
    }

    /// Appends one filter to a payload under construction, to be given to `parse`. `Err`, and
    /// nothing appended, if it is over 65,535 bytes.
    pub fn push(raw: &mut Vec<u8>, filter: &str) -> Result<(), TooLarge> {
        let len = u16::try_from(filter.len()).map_err(|_| TooLarge)?;
        raw.extend_from_slice(&len.to_be_bytes());
        raw.extend_from_slice(filter.as_bytes());
        Ok(())
    }

    /// How many, at least one.
    #[inline]
    pub fn count(self) -> usize {
        self.count
    }

    /// In the order of the packet: the text as sent, and the filter or what is wrong with it
    /// (answer 0x8F).
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Result<TopicFilter<'a>, TopicError>)> {
        let mut r = Reader::new(self.raw);
        std::iter::from_fn(move || {
            let text = r.string().ok()?;
            Some((text, TopicFilter::parse(text)))
        })
    }
}

const NO_FILTERS: Wrong = Wrong::protocol("MQTT 5, 3.10.3-2", "no topic filter");
const EMPTY_V311: Wrong = Wrong::protocol("MQTT 3.1.1, 4.7.3-1", "topic filter is empty");
