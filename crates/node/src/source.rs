//! A publish on its way to its receivers, wherever its bytes lie: a read buffer, another
//! reactor's post, or a publication that somebody keeps.

use crate::fanout::Place;
use crate::meter::Meter;
use broker::limits::ZeroExpiry;
use broker::publication::{KEPT_BYTES, NEVER, Publication};
use mqtt::message::Message;
use mqtt::qos::QoS;
use mqtt::wire::Version;
use std::sync::Arc;

/// What is published, borrowed.
pub(crate) struct Source<'a> {
    pub topic: &'a str,
    pub qos: QoS,
    pub retain: bool,
    /// Forwardable MQTT 5 properties.
    pub properties: &'a [u8],
    pub payload: &'a [u8],
    /// Wall milliseconds; `NEVER` without Message Expiry.
    pub deadline_ms: u64,
    /// The packet as received, if a receiver can get these very bytes.
    pub raw: Option<Raw<'a>>,
    /// Made at the first receiver that has to keep the message.
    owned: Option<Arc<Publication>>,
}

/// A whole PUBLISH packet without topic alias.
#[derive(Clone, Copy)]
pub(crate) struct Raw<'a> {
    pub version: Version,
    pub bytes: &'a [u8],
    /// Offset of the packet identifier in `bytes`; 0 at QoS 0.
    pub packet_id_at: usize,
}

impl<'a> Source<'a> {
    /// A publish whose parts are borrowed.
    pub fn borrowed(
        topic: &'a str,
        properties: &'a [u8],
        payload: &'a [u8],
        (qos, retain): (QoS, bool),
        deadline_ms: u64,
    ) -> Self {
        Self { topic, qos, retain, properties, payload, deadline_ms, raw: None, owned: None }
    }

    /// A publish that is kept already.
    pub fn kept(publication: &'a Arc<Publication>) -> Self {
        let m = &publication.message;
        Self {
            topic: m.topic(),
            qos: m.qos(),
            retain: m.retain(),
            properties: m.properties(),
            payload: m.payload(),
            deadline_ms: publication.deadline_ms,
            raw: None,
            owned: Some(Arc::clone(publication)),
        }
    }

    /// The publication, shared by all who keep this message.
    pub fn keep(&mut self, meter: &mut Meter) -> &Arc<Publication> {
        self.owned.get_or_insert_with(|| {
            let message =
                Message::new(self.topic, self.properties, self.payload, self.qos, self.retain);
            let mut publication =
                Publication { deadline_ms: self.deadline_ms, ..Publication::new(message) };
            publication.charge_to(meter.account());
            meter.grew(publication.bytes() + KEPT_BYTES);
            Arc::new(publication)
        })
    }

    /// Whether somebody waits to hear of its deliveries.
    pub fn is_watched(&self) -> bool {
        self.owned.as_ref().is_some_and(|p| p.watch.is_some())
    }

    /// Its place in the log; 0 = it has none.
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.owned.as_ref().map_or(0, |p| p.sequence())
    }

    /// Topic, properties and payload in bytes.
    pub fn bytes(&self) -> usize {
        self.topic.len() + self.properties.len() + self.payload.len()
    }

    /// Whether it has one.
    #[inline]
    pub fn place(&self) -> Place {
        if self.sequence() > 0 { Place::Logged } else { Place::Passing }
    }

    /// The kept publication, if there is one.
    pub fn owned(&self) -> Option<&Arc<Publication>> {
        self.owned.as_ref()
    }
}

/// The deadline of a message that may wait `expiry_s` seconds from now on; what zero seconds mean
/// depends on the profile.
pub(crate) fn deadline(expiry_s: Option<u32>, zero: ZeroExpiry, now_ms: u64) -> u64 {
    match expiry_s {
        None => NEVER,
        Some(0) if zero == ZeroExpiry::Never => NEVER,
        Some(s) => now_ms.saturating_add(u64::from(s) * 1_000),
    }
}
