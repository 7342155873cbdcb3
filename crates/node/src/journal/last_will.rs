//! A will: what is published for a session when its connection is lost.

use super::content::Content;
use super::reader::{Fault, Reader};
use super::writer::Writer;

/// A will (MQTT 5, 3.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastWill<'a> {
    /// What is to be published.
    pub content: Content<'a>,
    /// Will Delay Interval in seconds.
    pub delay_s: u32,
}

impl<'a> LastWill<'a> {
    pub(super) fn write(&self, w: &mut Writer<'_>) {
        let Content { topic, properties, payload, .. } = self.content;
        w.byte(self.content.flags());
        w.number(u64::from(self.delay_s));
        for part in [topic.as_bytes(), properties, payload] {
            w.bytes(part);
        }
    }

    pub(super) fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        let flags = r.flags(CONTENT)?;
        let delay_s = r.number_u32()?;
        let (topic, properties, payload) = (r.bytes()?, r.bytes()?, r.bytes()?);
        Ok(Self { content: Content::parse(flags, topic, properties, payload)?, delay_s })
    }
}

/// QoS and RETAIN.
const CONTENT: u8 = 0b111;
