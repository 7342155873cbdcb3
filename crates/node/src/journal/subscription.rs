//! One subscription of a durable session. Refuses to know who else shares its stream.

use super::reader::{Fault, Reader};
use super::writer::Writer;
use broker::subscription::ReceiverOptions;
use mqtt::limits::SUBSCRIPTION_ID_MAX;
use mqtt::qos::QoS;
use store::log::StreamId;
use store::op::Sequence;

/// A subscription as SUBACK granted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription<'a> {
    /// The filter, or the whole `$share/{name}/{filter}`.
    pub filter: &'a str,
    /// Granted QoS, No Local, Retain As Published.
    pub options: ReceiverOptions,
    /// Subscription Identifier (MQTT 5, 3.8.2.1.2), 0 = none.
    pub subscription_id: u32,
    /// The index stream of the filter.
    pub stream: StreamId,
    /// The log's end at the SUBACK: what comes behind it is for this subscription.
    pub since: Sequence,
}

impl<'a> Subscription<'a> {
    /// Whether it is one of a group that the log keeps.
    pub fn is_shared_and_held(&self) -> bool {
        self.filter.starts_with("$share/") && self.options.qos() > QoS::AtMostOnce
    }

    pub(super) fn write_all(all: &[Self], w: &mut Writer<'_>) {
        w.number(all.len() as u64);
        all.iter().for_each(|one| one.write(w));
    }

    pub(super) fn read_all(r: &mut Reader<'a>) -> Result<Vec<Self>, Fault> {
        r.list(BYTES_MIN, Self::read)
    }

    fn write(&self, w: &mut Writer<'_>) {
        let o = self.options;
        let no_local = u8::from(o.no_local()) << NO_LOCAL_AT;
        let as_published = u8::from(o.retain_as_published()) << AS_PUBLISHED_AT;
        w.byte(o.qos().bits() | no_local | as_published);
        w.bytes(self.filter.as_bytes());
        w.number(u64::from(self.subscription_id));
        w.number(u64::from(self.stream.0));
        w.sequence(self.since);
    }

    fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        let flags = r.byte()?;
        let qos = QoS::from_bits(flags & 3).ok_or(Fault::Malformed("a QoS of 3"))?;
        if flags >> (AS_PUBLISHED_AT + 1) != 0 {
            return Err(Fault::Malformed("a subscription has no such option"));
        }
        let (no_local, as_published) =
            (flags >> NO_LOCAL_AT & 1 != 0, flags >> AS_PUBLISHED_AT & 1 != 0);
        let filter = r.filter()?;
        let subscription_id = r.number_u32()?;
        if subscription_id > SUBSCRIPTION_ID_MAX {
            return Err(Fault::Malformed("a subscription identifier is too large"));
        }
        Ok(Self {
            filter,
            options: ReceiverOptions::new(qos, no_local, as_published),
            subscription_id,
            stream: StreamId(r.number_u32()?),
            since: r.sequence()?,
        })
    }
}

/// Options, filter of one character with its length, identifier, stream, since.
const BYTES_MIN: usize = 6;
const NO_LOCAL_AT: u8 = 2;
const AS_PUBLISHED_AT: u8 = 3;
